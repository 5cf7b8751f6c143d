import {
  beginActuation,
  finishActuation,
  LOCK_ACTUATIONS_MAX,
  LOCK_ACTUATIONS_NONE,
  type LockActuationMemory,
  restoreActuations,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SENSED } from "./lock-pair.ts";

const unlock = (actuationId: number) => ({ actuationId, action: "unlock" }) as const;

function begun(memory: LockActuationMemory, id: number): LockActuationMemory {
  const plan = beginActuation(memory, unlock(id), SENSED);
  if (plan.value !== "pulse") throw new Error(`${id}: ${plan.value}`);
  return plan.memory;
}
const done = (memory: LockActuationMemory, id: number): LockActuationMemory =>
  finishActuation(begun(memory, id), id, "done", SENSED);

test("an actuation that was done is answered with its record and never pulses again", () => {
  const memory = done(LOCK_ACTUATIONS_NONE, 1);
  const later = { ...SENSED, boltDriver: "unlocked" } as const;
  for (let times = 0; times < 3; times += 1)
    assert.equal(beginActuation(memory, unlock(1), later), {
      value: "answer",
      outcome: "done",
      sensed: SENSED,
    });
});

test("an actuation under way is waited for, and another is busy for good", () => {
  const running = begun(LOCK_ACTUATIONS_NONE, 1);
  assert.equal(beginActuation(running, unlock(1), SENSED), { value: "wait" });
  const plan = beginActuation(running, unlock(2), SENSED);
  assert.is(plan.value === "refuse" && plan.outcome, "busy");
  const after = finishActuation(plan.value === "refuse" ? plan.memory : running, 1, "done", SENSED);
  const again = beginActuation(after, unlock(2), SENSED);
  assert.is(again.value === "answer" && again.outcome, "busy");
  assert.is(beginActuation(after, unlock(3), SENSED).value, "pulse");
});

test("ids only rise: an old id that is forgotten, and a known one for another action, are refused", () => {
  let memory = LOCK_ACTUATIONS_NONE;
  for (let id = 1; id <= LOCK_ACTUATIONS_MAX + 2; id += 1) memory = done(memory, id);
  assert.is(memory.recent.length, LOCK_ACTUATIONS_MAX);
  assert.equal(beginActuation(memory, unlock(2), SENSED), {
    value: "refuse",
    outcome: "refused",
    memory,
  });
  const other = { actuationId: memory.lastId, action: "lock" } as const;
  assert.is(beginActuation(memory, other, SENSED).value, "refuse");
  assert.is(beginActuation(LOCK_ACTUATIONS_NONE, unlock(0), SENSED).value, "refuse");
});

test("what runs is not forgotten, however many busy ones come", () => {
  let memory = begun(LOCK_ACTUATIONS_NONE, 1);
  for (let id = 2; id < 40; id += 1) {
    const plan = beginActuation(memory, unlock(id), SENSED);
    if (plan.value === "refuse") memory = plan.memory;
  }
  assert.is(memory.recent.length, LOCK_ACTUATIONS_MAX);
  assert.equal(beginActuation(memory, unlock(1), SENSED), { value: "wait" });
});

test("a reset in mid-pulse is told, recorded as interrupted, and not gone on with", () => {
  const { memory, interrupted } = restoreActuations(begun(LOCK_ACTUATIONS_NONE, 1), SENSED);
  assert.ok(interrupted);
  const again = beginActuation(memory, unlock(1), SENSED);
  assert.is(again.value === "answer" && again.outcome, "interrupted");
  assert.equal(restoreActuations(memory, SENSED), { memory, interrupted: false });
});

test("finishing what does not run changes nothing", () => {
  const memory = done(LOCK_ACTUATIONS_NONE, 1);
  assert.equal(finishActuation(memory, 1, "jam", SENSED), memory);
  assert.equal(finishActuation(memory, 9, "jam", SENSED), memory);
});

test.run();
