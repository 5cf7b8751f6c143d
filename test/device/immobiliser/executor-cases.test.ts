/** The executor with an instant lock and a disk that can fail: answers word for word, and what a start makes of a crash. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Executor,
  type Journal,
  NOTHING_SENSED,
  openCarRecord,
  openJournal,
  type RentalPort,
} from "@kerbside/immobiliser";
import { type Clock, DEFAULT_RENTAL_POLICY, sha256 } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  commandOf,
  DRIVING,
  hashOf,
  InstantLock,
  LOCKED,
  type LockRig,
  lockRig,
  PARKED,
  UNLOCKED,
} from "../../support/lock-rig.ts";
import { type ManualClock, manualClock, silentLog } from "../../support/runtime.ts";

type Bench = { rig: LockRig; lock: InstantLock; clock: ManualClock; folder: string };

async function withBench(
  work: (bench: Bench) => Promise<void>,
  watched?: (journal: Journal) => Journal,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-executor-"));
  const lock = new InstantLock();
  const clock = manualClock();
  const rig = await lockRig(folder, lock, clock, watched);
  try {
    await work({ rig, lock, clock, folder });
  } finally {
    await rig.stop();
    rmSync(folder, { recursive: true });
  }
}

const refused = (condition: string, words: string) => ({
  status: "refused",
  unmet: [{ condition, words }],
  sensed: NOTHING_SENSED,
  mayHaveSucceeded: false,
});

test("what needs no doing is answered word for word", () =>
  withBench(async ({ rig, lock }) => {
    const first = commandOf("find");
    const done = await rig.ask(first);
    assert.equal([done.verdict.status, done.replayed, done.durable], ["executed", false, true]);
    const again = await rig.executor.execute(first, sha256(Uint8Array.of(1)));
    assert.equal(
      again.verdict,
      refused("id_unused", "Another command with this id was taken before."),
    );
    assert.is(again.replayed, false);
    const old = await rig.ask(commandOf("find", { counter: first.counter }));
    assert.equal(
      old.verdict,
      refused("counter_rising", "The command's counter must be above all before it."),
    );
    assert.equal([old.replayed, old.durable], [false, true]);
    rig.sessionMs = 10_000;
    const late = await rig.ask(commandOf("find"));
    assert.equal(late.verdict, {
      status: "expired",
      unmet: [],
      sensed: NOTHING_SENSED,
      mayHaveSucceeded: false,
    });
    rig.sessionMs = 9999;
    assert.is(
      (await rig.ask(commandOf("find"))).verdict.status,
      "executed",
      "its last millisecond",
    );
    assert.is(lock.pulses.length, 2);
  }));

test("four wait behind the one under way; the next is refused, and says so", () =>
  withBench(async ({ rig }) => {
    const asked = Array.from({ length: 5 }, () => rig.ask(commandOf("find")));
    const answers = await Promise.all(asked);
    assert.equal(
      answers.map(({ verdict }) => verdict.status),
      ["executed", "executed", "executed", "executed", "refused"],
    );
    assert.equal(
      answers[4]?.verdict,
      refused("not_busy", "Too many commands are waiting in the car."),
    );
    assert.is((await rig.ask(commandOf("find"))).verdict.status, "executed", "there is room again");
    const again = await Promise.all(Array.from({ length: 5 }, () => rig.ask(commandOf("find"))));
    assert.equal(
      again.map(({ verdict }) => verdict.status),
      ["executed", "executed", "executed", "executed", "refused"],
      "and no more than before",
    );
  }));

test("who is let in by card opens the rental under that credential, with no counter of a command", () =>
  withBench(async ({ rig, lock }) => {
    const opening = commandOf("unlock_and_release", { booking: "b-1", counter: 0 });
    const answer = await rig.executor.allow(opening, hashOf(opening), {
      by: "card",
      credential: "c-7",
    });
    assert.equal(
      [answer.verdict.status, answer.replayed, answer.durable],
      ["executed", false, true],
    );
    assert.equal([answer.id, answer.requestHash], [opening.id, hashOf(opening)]);
    assert.equal(lock.pulses, ["allow_start", "unlock"]);
    assert.equal(rig.record.rental(), {
      value: "open",
      booking: "b-1",
      openedBy: "card",
      credential: "c-7",
      phase: "unstarted",
    });
  }));

test("a command opens a rental as a command; without a booking it opens none", () =>
  withBench(async ({ rig }) => {
    const own = await rig.ask(commandOf("unlock_and_release"));
    assert.equal([own.verdict.status, own.durable], ["executed", true]);
    assert.equal(rig.record.rental(), { value: "none" });
    await rig.ask(commandOf("unlock_and_release", { booking: "b-1" }));
    assert.equal(rig.record.rental(), {
      value: "open",
      booking: "b-1",
      openedBy: "command",
      phase: "unstarted",
    });
  }));

test("ended and terminated are told apart", () =>
  withBench(async ({ rig }) => {
    for (const [action, how] of [
      ["end_rental", "ended"],
      ["terminate", "terminated"],
    ] as const) {
      rig.policy = { ...DEFAULT_RENTAL_POLICY, endConditions: [] };
      await rig.ask(commandOf("unlock_and_release", { booking: "b-1" }));
      const ended = await rig.ask(commandOf(action, { booking: "b-1" }));
      assert.is(ended.verdict.status, "executed", JSON.stringify(ended.verdict));
      assert.equal(rig.record.rental(), { value: "none" });
      const last = rig.rentals.at(-1);
      assert.ok(last?.type === "ended");
      assert.is(last.how, how);
    }
  }));

test("an armed command is answered by its own record while it waits", () =>
  withBench(async ({ rig, clock }) => {
    rig.facts = DRIVING;
    const armed = commandOf("immobilise", { waitMs: 5000 });
    assert.is((await rig.ask(armed)).verdict.status, "armed");
    assert.is(rig.executor.armed(), armed);
    const again = await rig.ask(armed);
    assert.equal(again.verdict, {
      status: "armed",
      unmet: [],
      sensed: NOTHING_SENSED,
      mayHaveSucceeded: false,
    });
    clock.pass(4999);
    assert.is(rig.executor.armed(), armed);
    clock.pass(1);
    assert.is(rig.executor.armed(), undefined);
  }));

test("a command that takes back the armed one is done, and on the disk", () =>
  withBench(async ({ rig }) => {
    rig.facts = DRIVING;
    const armed = commandOf("immobilise", { waitMs: 5000 });
    await rig.ask(armed);
    const taken = await rig.ask(commandOf("cancel", { target: armed.id }));
    assert.equal([taken.verdict.status, taken.durable], ["executed", true]);
    assert.equal(
      rig.late.map(({ id, verdict, durable, replayed }) => [id, verdict.reason, durable, replayed]),
      [[armed.id, "cancelled", true, false]],
    );
    assert.is(taken.verdict.sensed.locked, "yes", "what moves nothing tells what is sensed");
  }));

test("what is taken back does not come back when its time would have run out", () =>
  withBench(async ({ rig, clock }) => {
    rig.facts = DRIVING;
    await rig.ask(commandOf("immobilise", { waitMs: 5000 }));
    await rig.executor.disarm("released");
    assert.equal(
      rig.late.map(({ verdict }) => [verdict.status, verdict.reason]),
      [["refused", "released"]],
    );
    const second = commandOf("immobilise", { waitMs: 60_000 });
    await rig.ask(second);
    clock.pass(5000);
    await rig.ask(commandOf("find"));
    assert.is(rig.executor.armed(), second, "the first one's clock ends nothing of the second's");
    assert.is(rig.late.length, 1);
    await rig.executor.disarm("released");
    await rig.executor.disarm("released");
    assert.is(rig.late.length, 2, "with nothing armed nothing is told");
  }));

test("what was cut off and is asked for again before it is settled is unknown, and not done", () =>
  withBench(async ({ rig, lock }) => {
    const cut = commandOf("unlock");
    await rig.journal.recordIntent(cut, hashOf(cut));
    const again = await rig.ask(cut);
    assert.equal(
      [again.verdict.status, again.verdict.reason, again.replayed],
      ["unknown", "interrupted", true],
    );
    assert.equal(lock.pulses, []);
  }));

test("what is seen while nothing is armed, or does not help, begins nothing", async () => {
  const intents: string[] = [];
  const watched = (journal: Journal): Journal => ({
    ...journal,
    recordIntent: (command, requestHash) => {
      intents.push(command.action);
      return journal.recordIntent(command, requestHash);
    },
  });
  await withBench(async ({ rig }) => {
    rig.facts = DRIVING;
    const armed = commandOf("immobilise", { waitMs: 5000 });
    await rig.ask(armed);
    rig.executor.seen();
    await rig.ask(commandOf("find"));
    assert.is(rig.executor.armed(), armed);
    assert.equal(intents, ["immobilise", "find"]);
  }, watched);
});

const CUT_OFF = [
  { why: "locked: nobody is in", sensed: LOCKED, action: "unlock_and_release", opens: false },
  { why: "unlocked: somebody may be", sensed: UNLOCKED, action: "unlock_and_release", opens: true },
  { why: "unlocked by another action", sensed: UNLOCKED, action: "unlock", opens: false },
] as const;
for (const { why, sensed, action, opens } of CUT_OFF)
  test(`what a crash cut off is unknown, and opens a rental where it may have been: ${why}`, () =>
    withBench(async ({ rig, lock }) => {
      lock.sensed = sensed;
      const cut = commandOf(action, { booking: "b-1" });
      await rig.journal.recordIntent(cut, hashOf(cut));
      const [answer] = await rig.executor.settleInterrupted();
      assert.equal(
        [answer?.verdict.status, answer?.verdict.reason, answer?.verdict.mayHaveSucceeded],
        ["unknown", "interrupted", true],
      );
      assert.is(answer?.replayed, false, "nobody was told of it before");
      assert.is(answer?.verdict.sensed.locked, sensed === LOCKED ? "yes" : "no");
      assert.is(rig.record.rental().value, opens ? "open" : "none");
      assert.equal(lock.pulses, []);
      assert.equal(await rig.executor.settleInterrupted(), [], "once");
    }));

test("an unlock of nobody's booking that was cut off opens no rental; a silent lock may have let somebody in", () =>
  withBench(async ({ rig, lock }) => {
    lock.reachable = false;
    const nobodys = commandOf("unlock_and_release");
    await rig.journal.recordIntent(nobodys, hashOf(nobodys));
    const [answer] = await rig.executor.settleInterrupted();
    assert.equal(answer?.verdict.sensed, NOTHING_SENSED);
    assert.is(rig.record.rental().value, "none");
    const theirs = commandOf("unlock_and_release", { booking: "b-2" });
    await rig.journal.recordIntent(theirs, hashOf(theirs));
    await rig.executor.settleInterrupted();
    assert.is(rig.record.rental().value, "open");
  }));

/** An executor on what a test hands it. */
function bare(
  journal: Journal,
  change: Partial<ConstructorParameters<typeof Executor>[0]>,
  logged: string[] = [],
): Executor {
  const clock: Clock = manualClock();
  const rental: RentalPort = { open: async () => true, end: async () => true };
  return new Executor({
    ...{ journal, driver: new InstantLock(), rental, clock, onLate: () => undefined },
    facts: () => PARKED,
    policy: () => DEFAULT_RENTAL_POLICY,
    session: { epoch: () => new Uint8Array(16), sessionMs: () => 0 },
    log: {
      ...silentLog,
      error: (event, fields) => logged.push(`${event} ${JSON.stringify(fields)}`),
    },
    ...change,
  });
}

test("a disk that fails is told and logged, in the journal and in the car's record", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-executor-"));
  const journal = await openJournal(join(folder, "journal"));
  const record = await openCarRecord(join(folder, "car"));
  assert.equal([journal.works(), record.works()], [true, true]);
  await journal.close();
  await record.close();
  const logged: string[] = [];
  const executor = bare(journal, {}, logged);
  const answer = await executor.execute(commandOf("find"), new Uint8Array(32));
  assert.equal([answer.verdict.status, answer.durable], ["executed", false]);
  assert.equal(logged, ["command.journal_failed {}"]);
  assert.is(journal.works(), false);
  assert.is(await record.keepSensed(NOTHING_SENSED), false);
  assert.is(record.works(), false);
  rmSync(folder, { recursive: true });
});

test("what is seen while nothing is armed is no bug", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-executor-"));
  const journal = await openJournal(join(folder, "journal"));
  const logged: string[] = [];
  const executor = bare(journal, {}, logged);
  executor.seen();
  await executor.execute(commandOf("find"), new Uint8Array(32));
  assert.equal(logged, []);
  await journal.close();
  rmSync(folder, { recursive: true });
});

test("a bug while an armed command goes on is logged, and the next command runs", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-executor-"));
  const journal = await openJournal(join(folder, "journal"));
  const logged: string[] = [];
  const lock = new InstantLock();
  let facts = DRIVING;
  const executor = bare(journal, { driver: lock, facts: () => facts }, logged);
  const armed = commandOf("immobilise", { waitMs: 1000 });
  await executor.execute(armed, hashOf(armed));
  facts = PARKED;
  const works = lock.actuate;
  lock.actuate = () => Promise.reject(new TypeError("a bug"));
  executor.seen();
  await executor.execute(commandOf("cancel"), new Uint8Array(32));
  assert.equal(logged, ['lock.bug {"what":"TypeError: a bug"}']);
  lock.actuate = works;
  const next = commandOf("find");
  assert.is((await executor.execute(next, hashOf(next))).verdict.status, "executed");
  await journal.close();
  rmSync(folder, { recursive: true });
});

test("while the car's record is lost nothing is written over it, and it says whether it works", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-executor-"));
  const { writeFileSync } = await import("node:fs");
  writeFileSync(join(folder, "car.a"), "rubbish");
  const record = await openCarRecord(join(folder, "car"));
  assert.is(record.damaged, true);
  assert.equal(record.rental(), { value: "unknown" });
  assert.is(await record.keepSensed(NOTHING_SENSED), true);
  await record.close();
  const again = await openCarRecord(join(folder, "car"));
  assert.equal(again.rental(), { value: "unknown" });
  await again.close();
  rmSync(folder, { recursive: true });
});

test.run();
