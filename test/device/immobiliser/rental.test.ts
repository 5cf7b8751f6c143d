/** The rental on the car: what opens, ends and outlives what, as rows over the machine and through real stores. */
import { writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  nextRental,
  openCarRecord,
  openTwoCopyFile,
  type Rental,
  type RentalEffect,
  type RentalInput,
} from "@kerbside/immobiliser";
import { DEFAULT_RENTAL_POLICY } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  commandOf,
  DRIVING,
  hashOf,
  InstantLock,
  lockRig,
  PARKED,
} from "../../support/lock-rig.ts";
import { manualClock } from "../../support/runtime.ts";
import { until } from "../../support/wait.ts";

const folder = (): Promise<string> => mkdtemp(join(tmpdir(), "kerbside-rental-"));
const POLICY = { ...DEFAULT_RENTAL_POLICY, unstartedMs: 900_000 };

const opened: RentalInput = {
  type: "opened",
  booking: "b-1",
  by: "card",
  credential: "c-7",
  ignitionOn: false,
};
const on: RentalInput = { type: "ignition", on: true };
const off: RentalInput = { type: "ignition", on: false };
const idle = (idleMs: number): RentalInput => ({ type: "tick", idleMs });
const closed = (how: "ended" | "terminated", booking = "b-1"): RentalInput => ({
  type: "closed",
  how,
  booking,
  flagged: [],
});

type Row = {
  readonly why: string;
  readonly from?: Rental;
  readonly inputs: readonly RentalInput[];
  readonly ends: string;
  readonly tells?: readonly string[];
};
const ROWS: readonly Row[] = [
  { why: "opened", inputs: [opened], ends: "unstarted", tells: ["started"] },
  {
    why: "opened twice is opened once",
    inputs: [opened, opened],
    ends: "unstarted",
    tells: ["started"],
  },
  {
    why: "another booking does not take it over",
    inputs: [opened, { type: "opened", booking: "b-2", by: "command", ignitionOn: true }],
    ends: "unstarted",
    tells: ["started"],
  },
  { why: "a door is opened", inputs: [opened, { type: "door_opened" }], ends: "parked" },
  { why: "driven", inputs: [opened, on], ends: "driving" },
  {
    why: "opened with the ignition on",
    inputs: [{ type: "opened", booking: "b-1", by: "card", ignitionOn: true }],
    ends: "driving",
  },
  { why: "ignition goes off before it was ever on", inputs: [opened, off], ends: "unstarted" },
  {
    why: "driven and parked: locking or not, it stays open",
    inputs: [opened, on, off],
    ends: "parked",
  },
  {
    why: "a door in mid-rental changes nothing",
    inputs: [opened, on, { type: "door_opened" }],
    ends: "driving",
  },
  { why: "moved without ignition", inputs: [opened, { type: "moved" }], ends: "driving" },
  { why: "driven again after a stop", inputs: [opened, on, off, on], ends: "driving" },
  { why: "moved after a stop", inputs: [opened, on, off, { type: "moved" }], ends: "driving" },
  {
    why: "nobody came for 15 min",
    inputs: [opened, idle(900_000)],
    ends: "none",
    tells: ["started", "ended unstarted"],
  },
  { why: "a moment before that", inputs: [opened, idle(899_999)], ends: "unstarted" },
  {
    why: "somebody was in it: time never ends it",
    inputs: [opened, on, off, idle(1e12)],
    ends: "parked",
  },
  {
    why: "ended",
    inputs: [opened, on, off, closed("ended")],
    ends: "none",
    tells: ["started", "ended ended"],
  },
  {
    why: "another booking's end ends nothing",
    inputs: [opened, closed("ended", "b-2")],
    ends: "unstarted",
  },
  {
    why: "terminated",
    inputs: [opened, closed("terminated")],
    ends: "none",
    tells: ["started", "ended terminated"],
  },
  { why: "an end without a rental", inputs: [closed("ended")], ends: "none", tells: [] },
  {
    why: "a lost record is found again by an end",
    from: { value: "unknown" },
    inputs: [closed("ended")],
    ends: "none",
  },
  {
    why: "a lost record is found again by an opening",
    from: { value: "unknown" },
    inputs: [opened],
    ends: "unstarted",
  },
  {
    why: "a lost record and a drive",
    from: { value: "unknown" },
    inputs: [on, off, idle(1e12)],
    ends: "unknown",
  },
];

const told = (effects: readonly RentalEffect[]): readonly string[] =>
  effects.flatMap((effect) => {
    if (effect.type === "record") return [];
    return [effect.type === "ended" ? `ended ${effect.how}` : effect.type];
  });

const NONE: Rental = { value: "none" };
for (const { why, from = NONE, inputs, ends, tells } of ROWS) {
  test(`${why}: ${ends}`, () => {
    let rental: Rental = from;
    const effects: RentalEffect[] = [];
    for (const input of inputs) {
      const step = nextRental(rental, input, POLICY);
      assert.is(step.effects.length > 0, step.rental !== rental, "what changes is recorded");
      if (step.effects.length > 0) assert.is(step.effects[0]?.type, "record", "before it is told");
      rental = step.rental;
      effects.push(...step.effects);
    }
    assert.is(rental.value === "open" ? rental.phase : rental.value, ends);
    if (tells !== undefined) assert.equal(told(effects), tells);
  });
}

test("who opened it is kept, and nobody is made up", () => {
  const byCard = nextRental(NONE, opened, POLICY).rental;
  assert.ok(byCard.value === "open" && byCard.credential === "c-7");
  const byCommand = nextRental(
    NONE,
    { type: "opened", booking: "b-1", by: "command", ignitionOn: false },
    POLICY,
  );
  assert.not("credential" in byCommand.rental);
});

test("a policy of 0 never closes an unstarted rental", () => {
  const policy = { ...POLICY, unstartedMs: 0 };
  const { rental } = nextRental({ value: "none" }, opened, policy);
  assert.is(nextRental(rental, idle(1e12), policy).rental, rental);
});

test("unlock-and-release opens it, lock and unlock within it do not end it, and it outlives a start", async () => {
  const dir = await folder();
  const clock = manualClock();
  const lock = new InstantLock();
  let rig = await lockRig(dir, lock, clock);
  const ask = (action: Parameters<typeof commandOf>[0]) =>
    rig.ask(commandOf(action, { booking: "b-1" }));
  assert.is((await ask("unlock_and_release")).verdict.status, "executed");
  await rig.desk.take({ type: "ignition", on: true });
  await rig.desk.take({ type: "ignition", on: false });
  assert.is((await ask("lock")).verdict.status, "executed");
  assert.is((await ask("unlock")).verdict.status, "executed");
  await rig.stop();
  rig = await lockRig(dir, lock, clock);
  assert.equal(rig.desk.rental(), {
    value: "open",
    booking: "b-1",
    openedBy: "command",
    phase: "parked",
  });
  for (const action of ["unlock", "lock", "trunk", "find"] as const) {
    const other = await rig.ask(commandOf(action, { booking: "b-2" }));
    assert.is(other.verdict.unmet[0]?.condition, "no_other_rental", action);
  }
  const inhibit = await rig.ask(commandOf("immobilise"));
  assert.is(inhibit.verdict.unmet[0]?.condition, "no_open_rental");
  assert.is((await ask("end_rental")).verdict.status, "executed");
  assert.equal(rig.desk.rental(), { value: "none" });
  assert.is((await rig.ask(commandOf("immobilise"))).verdict.status, "executed");
  assert.equal(lock.pulses, ["allow_start", "unlock", "lock", "unlock", "lock", "inhibit_start"]);
  await rig.stop();
});

test("the end of a rental that could not be judged is executed, flagged and told", async () => {
  const rig = await lockRig(await folder(), new InstantLock(), manualClock());
  await rig.desk.open("b-1", "phone", "p-1");
  const { verdict } = await rig.ask(commandOf("end_rental", { booking: "b-1" }));
  assert.is(verdict.status, "executed");
  const flagged = ["doors_closed_unknown", "lights_off_unknown"];
  assert.equal(
    verdict.unmet.map(({ condition }) => condition),
    flagged,
  );
  assert.equal(rig.rentals.at(-1), { type: "ended", booking: "b-1", how: "ended", flagged });
  await rig.stop();
});

test("an end whose bolts do not close leaves the rental open", async () => {
  const lock = new InstantLock();
  const rig = await lockRig(await folder(), lock, manualClock());
  await rig.desk.open("b-1", "card");
  lock.reachable = false;
  const { verdict } = await rig.ask(commandOf("end_rental", { booking: "b-1" }));
  assert.is(verdict.status, "refused");
  assert.is(rig.desk.rental().value, "open");
  await rig.stop();
});

test("terminate: refused while driving, by itself or in time; taken parked, and moves nothing", async () => {
  const lock = new InstantLock();
  const rig = await lockRig(await folder(), lock, manualClock());
  await rig.desk.open("b-1", "card");
  rig.facts = DRIVING;
  const driving = await rig.ask(commandOf("terminate", { booking: "b-1" }));
  assert.equal(
    driving.verdict.unmet.map(({ condition }) => condition),
    ["not_moving", "ignition_off"],
  );
  const waits = await rig.ask(commandOf("terminate", { booking: "b-1", waitMs: 60_000 }));
  assert.is(waits.verdict.status, "armed");
  assert.is(rig.desk.rental().value, "open");
  rig.facts = PARKED;
  rig.executor.seen();
  await rig.ask(commandOf("find"));
  assert.is(rig.late[0]?.verdict.status, "executed");
  assert.is(rig.desk.rental().value, "none");
  assert.equal(lock.pulses, ["horn_lights"]);
  await rig.stop();
});

test("an unstarted rental is closed by time through the desk, once, and nothing is pulsed", async () => {
  const clock = manualClock();
  const lock = new InstantLock();
  const rig = await lockRig(await folder(), lock, clock);
  await rig.desk.open("b-1", "command");
  clock.pass(899_000);
  assert.is(rig.desk.rental().value, "open");
  clock.pass(11_000);
  assert.is(rig.desk.rental().value, "none");
  await until("it is told", () => rig.rentals.length > 1);
  assert.equal(told(rig.rentals), ["started", "ended unstarted"]);
  assert.equal(lock.pulses, []);
  await rig.stop();
});

test("a start counts an unstarted rental's time anew, never shorter", async () => {
  const dir = await folder();
  let rig = await lockRig(dir, new InstantLock(), manualClock());
  await rig.desk.open("b-1", "command");
  await rig.stop();
  const clock = manualClock();
  rig = await lockRig(dir, new InstantLock(), clock);
  clock.pass(890_000);
  assert.is(rig.desk.rental().value, "open");
  await rig.stop();
});

test("a crash between the bolts and the record: whoever may be in the car has the rental", async () => {
  const dir = await folder();
  const lock = new InstantLock();
  let rig = await lockRig(dir, lock, manualClock());
  const unlock = commandOf("unlock_and_release", { booking: "b-1" });
  await rig.journal.recordIntent(unlock, hashOf(unlock));
  await lock.actuate("unlock");
  await rig.stop();
  rig = await lockRig(dir, lock, manualClock());
  const [answer] = await rig.executor.settleInterrupted();
  assert.is(answer?.verdict.status, "unknown");
  const rental = rig.desk.rental();
  assert.ok(rental.value === "open" && rental.booking === "b-1");
  await rig.stop();
});

test("a damaged record leaves the rental unknown, also over the next start: nothing is immobilised", async () => {
  const dir = await folder();
  for (const suffix of [".a", ".b"]) writeFileSync(`${dir}/car${suffix}`, "rubbish".repeat(20));
  for (let start = 0; start < 2; start += 1) {
    const rig = await lockRig(dir, new InstantLock(), manualClock());
    assert.is(rig.record.damaged, true);
    assert.equal(rig.desk.openRental(), { quality: "unknown" });
    await rig.record.keepSensed({ locked: "yes", immobilised: "no", doorsClosed: "yes" });
    const { verdict } = await rig.ask(commandOf("immobilise"));
    assert.is(verdict.unmet[0]?.condition, "no_open_rental_unknown");
    assert.is((await rig.ask(commandOf("unlock", { booking: "b-1" }))).verdict.status, "executed");
    await rig.stop();
  }
});

test("what was last sensed outlives a start, with no rental beside it", async () => {
  const path = join(await folder(), "car");
  const sensed = { locked: "yes", immobilised: "yes", doorsClosed: "no" } as const;
  const record = await openCarRecord(path);
  assert.is(await record.keepSensed(sensed), true);
  await record.close();
  const again = await openCarRecord(path);
  assert.equal(again.sensed(), sensed);
  assert.equal(again.rental(), { value: "none" });
  assert.ok(again.works() && !again.damaged);
  await again.close();
});

test("what is whole but is no record counts as damaged", async () => {
  const dir = await folder();
  const file = await openTwoCopyFile(`${dir}/car`);
  await file.write(Uint8Array.of(0xff, 1, 2));
  await file.close();
  const record = await openCarRecord(`${dir}/car`);
  assert.is(record.damaged, true);
  assert.is(record.rental().value, "unknown");
  await record.close();
});

test.run();
