/** A command that waits on the car until it stands: what makes it go on, and the many things that never do. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ARMED_MS_MAX, type Command } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  commandOf,
  DRIVING,
  hashOf,
  InstantLock,
  type LockRig,
  lockRig,
  PARKED,
} from "../../support/lock-rig.ts";
import { type ManualClock, manualClock } from "../../support/runtime.ts";
import { until } from "../../support/wait.ts";

type Bench = { rig: LockRig; lock: InstantLock; clock: ManualClock; dir: string; armed: Command };

/** A moving car with an armed `immobilise`. */
async function bench(change: Partial<Command> = {}): Promise<Bench> {
  const dir = await mkdtemp(join(tmpdir(), "kerbside-armed-"));
  const lock = new InstantLock();
  const clock = manualClock();
  const rig = await lockRig(dir, lock, clock);
  rig.facts = DRIVING;
  const armed = commandOf("immobilise", { waitMs: 600_000, ...change });
  const { verdict, durable } = await rig.ask(armed);
  assert.is(verdict.status, "armed");
  assert.is(verdict.mayHaveSucceeded, false);
  assert.is(durable, true);
  assert.equal(
    verdict.unmet.map(({ condition }) => condition),
    ["standstill", "ignition_off", "ignition_off_after_standstill"],
  );
  return { rig, lock, clock, dir, armed };
}

/** Whatever was set off has run by the time another command is answered. */
const settle = ({ rig }: Bench): Promise<unknown> => rig.ask(commandOf("find"));
const inhibits = ({ lock }: Bench): number =>
  lock.pulses.filter((pulse) => pulse === "inhibit_start").length;

test("it goes on when the car is seen to stand, once, and tells so under its own id", async () => {
  const b = await bench();
  b.rig.executor.seen();
  await settle(b);
  assert.is(inhibits(b), 0, "seen, but still driving");
  b.rig.facts = PARKED;
  b.rig.executor.seen();
  b.rig.executor.seen();
  await settle(b);
  assert.is(inhibits(b), 1);
  assert.is(b.rig.late.length, 1);
  const [late] = b.rig.late;
  assert.equal(late?.id, b.armed.id);
  assert.equal(late?.requestHash, hashOf(b.armed));
  assert.is(late?.verdict.status, "executed");
  const again = await b.rig.ask(b.armed);
  assert.ok(again.replayed && again.verdict.status === "executed");
  await b.rig.stop();
});

test("neither time nor silence fires it: a car that stands unseen is not inhibited, and the wait expires", async () => {
  const b = await bench();
  b.rig.facts = PARKED;
  b.clock.pass(599_999);
  await settle(b);
  assert.is(inhibits(b), 0);
  b.clock.pass(1);
  await settle(b);
  assert.is(inhibits(b), 0);
  assert.is(b.rig.late[0]?.verdict.status, "expired");
  assert.is(b.rig.late[0]?.verdict.reason, "arm_expired");
  b.rig.executor.seen();
  await settle(b);
  assert.is(inhibits(b), 0, "what is over does not come back");
  await b.rig.stop();
});

test("asked again while it waits it says armed, and waits once", async () => {
  const b = await bench();
  const again = await b.rig.ask(b.armed);
  assert.ok(again.replayed && again.verdict.status === "armed");
  await b.rig.stop();
});

test("cancel takes back just the one it names", async () => {
  const b = await bench();
  const wrong = await b.rig.ask(commandOf("cancel", { target: new Uint8Array(16) }));
  assert.is(wrong.verdict.unmet[0]?.condition, "command_armed");
  const nameless = await b.rig.ask(commandOf("cancel"));
  assert.is(nameless.verdict.status, "refused");
  const right = await b.rig.ask(commandOf("cancel", { target: b.armed.id }));
  assert.is(right.verdict.status, "executed");
  assert.is(b.rig.late[0]?.verdict.reason, "cancelled");
  b.rig.facts = PARKED;
  b.rig.executor.seen();
  await settle(b);
  assert.is(inhibits(b), 0);
  const twice = await b.rig.ask(commandOf("cancel", { target: b.armed.id }));
  assert.is(twice.verdict.status, "refused");
  await b.rig.stop();
});

test("a release takes it back, also where the lock is silent", async () => {
  const b = await bench();
  b.lock.reachable = false;
  const release = await b.rig.ask(commandOf("release"));
  assert.is(release.verdict.unmet[0]?.condition, "lock_controller");
  assert.is(b.rig.late[0]?.verdict.reason, "released");
  assert.is(b.rig.executor.armed(), undefined);
  await b.rig.stop();
});

test("an armed terminate is not taken back by whoever it is to put out: no tap, no release, no cancel for a booking", async () => {
  const dir = await mkdtemp(join(tmpdir(), "kerbside-armed-"));
  const lock = new InstantLock();
  const rig = await lockRig(dir, lock, manualClock());
  await rig.ask(commandOf("unlock_and_release", { booking: "b-1" }));
  rig.facts = DRIVING;
  const terminate = commandOf("terminate", { booking: "b-1", waitMs: 600_000 });
  assert.is((await rig.ask(terminate)).verdict.status, "armed");
  const isArmed = (): boolean => rig.executor.armed()?.id === terminate.id;
  // A short stop, ignition still on: the renter taps, the renter's app asks.
  rig.facts = { ...DRIVING, speedKmh: PARKED.speedKmh };
  const tap = commandOf("unlock_and_release", { booking: "b-1", counter: 0 });
  const opened = await rig.executor.allow(tap, hashOf(tap), { by: "card", credential: "c-1" });
  assert.is(opened.verdict.status, "executed", "the renter is let in until it takes effect");
  assert.ok(isArmed());
  for (const action of ["release", "unlock_and_release", "cancel"] as const)
    await rig.ask(commandOf(action, { booking: "b-1", target: terminate.id }));
  assert.ok(isArmed());
  assert.equal(rig.late, []);
  const staff = await rig.ask(commandOf("cancel", { target: terminate.id }));
  assert.is(staff.verdict.status, "executed");
  assert.is(rig.executor.armed(), undefined);
  const again = commandOf("terminate", { booking: "b-1", waitMs: 600_000 });
  assert.is((await rig.ask(again)).verdict.status, "armed");
  rig.facts = PARKED;
  rig.executor.seen();
  await rig.ask(commandOf("find"));
  assert.is(rig.desk.rental().value, "none", "parked, it takes effect");
  assert.not(lock.pulses.includes("inhibit_start"));
  await rig.stop();
});

test("a rental that opens takes it back; it never fires within one", async () => {
  const b = await bench();
  await b.rig.desk.open("b-1", "card", "c-1");
  await until("its end is told", () => b.rig.late.length > 0);
  assert.is(b.rig.late[0]?.verdict.reason, "rental_opened");
  const within = await b.rig.ask(commandOf("immobilise", { waitMs: 1000 }));
  assert.is(within.verdict.status, "refused");
  b.rig.facts = PARKED;
  b.rig.executor.seen();
  await settle(b);
  assert.is(inhibits(b), 0);
  await b.rig.stop();
});

test("a rental that opens between the look and the pulse stops it", async () => {
  const b = await bench();
  b.rig.facts = PARKED;
  b.rig.executor.seen();
  await b.rig.desk.open("b-1", "card");
  await settle(b);
  assert.is(inhibits(b), 0);
  await until("its end is told", () => b.rig.late.length > 0);
  assert.is(b.rig.late.length, 1);
  await b.rig.stop();
});

test("a car that moves off again between the look and the pulse leaves it waiting", async () => {
  const b = await bench();
  const find = b.rig.ask(commandOf("find"));
  b.rig.facts = PARKED;
  b.rig.executor.seen();
  b.rig.facts = DRIVING;
  await find;
  await settle(b);
  assert.is(inhibits(b), 0);
  assert.equal(b.rig.executor.armed()?.id, b.armed.id);
  await b.rig.stop();
});

test("a car that moves off while the intent is written: armed again, for no longer than before", async () => {
  const b = await bench();
  b.rig.facts = PARKED;
  b.clock.pass(400_000);
  b.rig.executor.seen();
  // The firing has looked and is writing; what it reads after that is a moving car.
  await Promise.resolve();
  await Promise.resolve();
  b.rig.facts = DRIVING;
  await settle(b);
  assert.is(inhibits(b), 0);
  assert.is(b.rig.late.length, 0);
  assert.equal(b.rig.executor.armed()?.id, b.armed.id);
  b.clock.pass(200_000);
  await settle(b);
  assert.is(b.rig.late[0]?.verdict.status, "expired");
  await b.rig.stop();
});

test("after a start it is armed no more, says so, and has done nothing", async () => {
  const b = await bench();
  await b.rig.stop();
  const rig = await lockRig(b.dir, b.lock, b.clock);
  rig.facts = PARKED;
  const [answer] = await rig.executor.settleInterrupted();
  assert.is(answer?.verdict.status, "refused");
  assert.is(answer?.verdict.reason, "disarmed_by_restart");
  assert.is(answer?.verdict.mayHaveSucceeded, false);
  rig.executor.seen();
  await rig.ask(commandOf("find"));
  assert.is(inhibits(b), 0);
  await rig.stop();
});

test("after a resume from suspend it is armed no more", async () => {
  const b = await bench();
  await b.rig.executor.disarm("resumed");
  assert.is(b.rig.late[0]?.verdict.reason, "resumed");
  await b.rig.executor.disarm("resumed");
  assert.is(b.rig.late.length, 1);
  await b.rig.stop();
});

test("one at a time: a second that would wait is refused, one that need not wait is done", async () => {
  const b = await bench();
  const second = await b.rig.ask(commandOf("terminate", { booking: "b-1", waitMs: 1000 }));
  assert.is(second.verdict.status, "refused");
  const third = await b.rig.ask(commandOf("lock_and_immobilise", { waitMs: 1000 }));
  assert.is(third.verdict.unmet.at(-1)?.condition, "nothing_armed");
  await b.rig.stop();
});

test("without a wait asked for it is refused at once; where nothing can be kept it does not wait", async () => {
  const b = await bench();
  await b.rig.executor.disarm("cancelled");
  assert.is((await b.rig.ask(commandOf("immobilise"))).verdict.status, "refused");
  b.rig.facts = { ...DRIVING, storageWorks: false };
  const unkept = await b.rig.ask(commandOf("immobilise", { waitMs: 1000 }));
  assert.is(unkept.verdict.status, "refused");
  await b.rig.desk.open("b-9", "card");
  const terminate = await b.rig.ask(commandOf("terminate", { booking: "b-9", waitMs: 1000 }));
  assert.ok(terminate.verdict.status === "refused");
  assert.is(terminate.verdict.unmet.at(-1)?.condition, "storage");
  await b.rig.stop();
});

test("the longest wait is bounded by the protocol", () => {
  assert.ok(ARMED_MS_MAX <= 24 * 3_600_000);
});

test.run();
