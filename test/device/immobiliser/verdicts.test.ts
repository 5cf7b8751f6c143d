/** Verdicts of interlocks and orders word for word, in the corners that other tests pass over. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  beginOrder,
  type CarFacts,
  judgeAction,
  NOTHING_SENSED,
  openJournal,
  openTwoCopyFile,
  seenDone,
  stepOrder,
  verdictOf,
} from "@kerbside/immobiliser";
import { DEFAULT_RENTAL_POLICY, type LockSensed, type RentalPolicy } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { commandOf, DRIVING, LOCKED, PARKED, UNLOCKED } from "../../support/lock-rig.ts";

const NOBODY = { booking: undefined, waitMs: undefined, target: undefined };
const IN_RENTAL: CarFacts = { ...PARKED, openRental: { quality: "good", value: "b-1" } };
const asksFor = (condition: "windows_closed", unknown: "flag" | "refuse"): RentalPolicy => ({
  ...DEFAULT_RENTAL_POLICY,
  endConditions: [{ condition, unknown }],
});

test("what is missing at the end of a rental never comes by waiting", () => {
  const ask = { ...NOBODY, action: "end_rental", booking: "b-1", waitMs: 1000 } as const;
  const verdict = judgeAction(ask, IN_RENTAL, asksFor("windows_closed", "refuse"));
  assert.equal(verdict, {
    kind: "refused",
    unmet: [
      {
        condition: "windows_closed_unknown",
        words: "All windows must be closed. That cannot be told now.",
      },
    ],
  });
  const terminate = { ...ask, action: "terminate" } as const;
  const driving = { ...DRIVING, openRental: IN_RENTAL.openRental };
  assert.is(judgeAction(terminate, driving, DEFAULT_RENTAL_POLICY).kind, "wait");
});

test("no time to wait is no wait, and beside an armed command all that is missing is told", () => {
  const ask = { ...NOBODY, action: "immobilise" } as const;
  const none = judgeAction(ask, DRIVING, DEFAULT_RENTAL_POLICY);
  assert.is(none.kind, "refused");
  assert.is(judgeAction({ ...ask, waitMs: 0 }, DRIVING, DEFAULT_RENTAL_POLICY).kind, "refused");
  const waits = judgeAction({ ...ask, waitMs: 1 }, DRIVING, DEFAULT_RENTAL_POLICY);
  assert.ok(waits.kind === "wait" && none.kind === "refused");
  assert.equal(waits.unmet, none.unmet);
  const beside = judgeAction(
    { ...ask, waitMs: 1 },
    { ...DRIVING, armed: { id: "00", action: "terminate" } },
    DEFAULT_RENTAL_POLICY,
  );
  assert.ok(beside.kind === "refused");
  assert.equal(beside.unmet.slice(0, -1), waits.unmet);
  assert.equal(beside.unmet.at(-1), {
    condition: "nothing_armed",
    words: "No other command may be waiting for the car to stand.",
  });
  assert.is(beside.unmet.length, waits.unmet.length + 1);
});

test("the end of a rental by nobody's booking is refused as that", () => {
  const verdict = judgeAction(
    { ...NOBODY, action: "end_rental" },
    IN_RENTAL,
    DEFAULT_RENTAL_POLICY,
  );
  assert.equal(verdict, {
    kind: "refused",
    unmet: [
      {
        condition: "rental_open",
        words: "The rental of this booking must be open in the car.",
      },
    ],
  });
});

test("an order does not go on by itself: nothing is an input that no state takes", () => {
  const { state } = beginOrder(commandOf("lock"));
  assert.throws(() => stepOrder(state, { type: "nothing" }), /nothing in state recording_intent/);
});

const INTENT = {
  type: "intent_recorded",
  durable: true,
  policy: DEFAULT_RENTAL_POLICY,
  contacts: undefined,
  late: undefined,
} as const;

const STORAGE = {
  condition: "storage",
  words: "The car's own record must be writable for a command to wait.",
};

test("a command that cannot be kept waiting on the disk does not wait, and all is told", () => {
  const driving: CarFacts = {
    ...PARKED,
    speedKmh: { quality: "good", value: 40 },
    openRental: { quality: "good", value: "b-1" },
  };
  const waits = commandOf("terminate", { booking: "b-1", waitMs: 1000 });
  const first = stepOrder(beginOrder(waits).state, { ...INTENT, facts: driving });
  assert.equal(first.effects, [{ type: "record_armed" }]);
  assert.ok(first.state.value === "recording_armed");
  const { unmet } = first.state.verdict;
  const lost = stepOrder(first.state, { type: "armed_recorded", durable: false });
  assert.ok(lost.state.value === "recording_result");
  assert.is(lost.state.verdict.status, "refused");
  assert.equal(lost.state.verdict.unmet, [STORAGE]);
  assert.is(lost.state.durable, false);
  const kept = stepOrder(first.state, { type: "armed_recorded", durable: true });
  assert.ok(kept.state.value === "answered" && kept.state.verdict.status === "armed");
  const never = stepOrder(beginOrder(waits).state, { ...INTENT, facts: driving, durable: false });
  assert.ok(never.state.value === "recording_result");
  assert.ok(unmet.length > 0);
  assert.equal(never.state.verdict.unmet, [...unmet, STORAGE]);
});

test("what an actuation amounts to, word for word", () => {
  const silent = verdictOf("lock", { outcome: "no_answer" });
  assert.equal(silent, {
    status: "unknown",
    unmet: [],
    sensed: NOTHING_SENSED,
    reason: "controller_silent",
    mayHaveSucceeded: true,
  });
  assert.equal(verdictOf("lock", { outcome: "not_sent" }), {
    status: "refused",
    unmet: [{ condition: "lock_controller", words: "The lock controller must answer." }],
    sensed: NOTHING_SENSED,
    mayHaveSucceeded: false,
  });
  const { sensed, ...jammed } = verdictOf("lock", { outcome: "jam", sensed: LOCKED });
  assert.equal(jammed, { status: "executed", unmet: [], reason: "jam", mayHaveSucceeded: true });
  assert.is(sensed.locked, "yes");
  const { sensed: _sensed, ...done } = verdictOf("lock", { outcome: "done", sensed: LOCKED });
  assert.equal(done, { status: "executed", unmet: [], mayHaveSucceeded: true });
});

test("what was flagged is told beside what was done", () => {
  const command = commandOf("end_rental", { booking: "b-1" });
  const judged = stepOrder(beginOrder(command).state, {
    type: "intent_recorded",
    durable: true,
    facts: IN_RENTAL,
    policy: asksFor("windows_closed", "flag"),
    contacts: undefined,
    late: undefined,
  });
  const done = stepOrder(judged.state, {
    type: "actuated",
    actuated: { outcome: "done", sensed: LOCKED },
  });
  const flagged = [
    {
      condition: "windows_closed_unknown",
      words: "All windows must be closed. That cannot be told now.",
    },
  ];
  assert.equal(done.effects, [{ type: "apply", what: "end_rental", flagged }]);
  assert.ok(done.state.value === "applying");
  assert.equal(done.state.verdict.unmet, flagged);
});

test("a bolt is held by a door only where it did not travel and a door is open", () => {
  const ajar: LockSensed = { ...UNLOCKED, doorFrontLeft: "open" };
  const rows = [
    ["no_travel", ajar, "door_ajar"],
    ["no_travel", UNLOCKED, "no_travel"],
    ["jam", ajar, "jam"],
    ["supply_low", ajar, "supply_low"],
    ["done", ajar, "not_seen"],
    ["none", ajar, "not_seen"],
  ] as const;
  for (const [outcome, sensed, reason] of rows)
    assert.is(verdictOf("lock", { outcome, sensed }).reason, reason);
});

test("of two things both must be seen, and either one that is not is enough for no", () => {
  const inhibited: LockSensed = { ...LOCKED, immobiliser: "inhibited" };
  const rows = [
    ["lock_and_immobilise", inhibited, "yes"],
    ["lock_and_immobilise", LOCKED, "no"],
    ["lock_and_immobilise", { ...UNLOCKED, immobiliser: "inhibited" }, "no"],
    ["lock_and_immobilise", { ...inhibited, boltDriver: "unknown" }, "unknown"],
    ["lock_and_immobilise", { ...LOCKED, immobiliser: "unknown" }, "unknown"],
    ["unlock_and_release", UNLOCKED, "yes"],
    ["unlock_and_release", LOCKED, "no"],
    ["unlock_and_release", { ...UNLOCKED, immobiliser: "inhibited" }, "no"],
    ["unlock_and_release", { ...UNLOCKED, boltDriver: "unknown" }, "unknown"],
  ] as const;
  for (const [action, sensed, seen] of rows)
    assert.is(seenDone(action, sensed), seen, `${action} ${JSON.stringify(sensed)}`);
});

test("a journal that was never written is no damaged one; rubbish in it is", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-journal-"));
  const path = join(folder, "journal");
  const fresh = await openJournal(path);
  assert.is(fresh.damaged, false);
  await fresh.recordIntent(commandOf("lock"), new Uint8Array(32));
  await fresh.close();
  const again = await openJournal(path);
  assert.is(again.damaged, false);
  await again.close();
  const file = await openTwoCopyFile(path);
  await file.write(Uint8Array.of(0xff));
  await file.close();
  const damaged = await openJournal(path);
  assert.is(damaged.damaged, true);
  await damaged.close();
  rmSync(folder, { recursive: true });
});

test.run();
