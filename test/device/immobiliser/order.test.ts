/** One command on the car: what it may answer, and that nothing pulses without a recorded intent, or twice. */
import {
  type Actuated,
  beginOrder,
  type CarFacts,
  NOTHING_SENSED,
  type OrderEffect,
  type OrderInput,
  type OrderState,
  sensedState,
  stepOrder,
  verdictOf,
} from "@kerbside/immobiliser";
import {
  type Action,
  type Command,
  DEFAULT_RENTAL_POLICY,
  LOCK_OUTCOMES,
  type LockSensed,
  tenantId,
  vehicleId,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  LOCKED as locked,
  PARKED as parked,
  UNLOCKED as unlocked,
} from "../../support/lock-rig.ts";

function command(action: Action): Command {
  return {
    id: new Uint8Array(16).fill(1),
    tenant: tenantId("t"),
    vehicle: vehicleId("v"),
    domain: "body",
    action,
    epoch: new Uint8Array(16),
    counter: 1,
    expiresAtMs: 1000,
  };
}

/** Feeds the inputs in turn and returns all effects that were asked for. */
function run(action: Action, inputs: readonly OrderInput[]): readonly OrderEffect[] {
  let step = beginOrder(command(action));
  const effects = [...step.effects];
  for (const input of inputs) {
    step = stepOrder(step.state, input);
    effects.push(...step.effects);
  }
  return effects;
}

const intent: OrderInput = {
  type: "intent_recorded",
  durable: true,
  facts: parked,
  policy: DEFAULT_RENTAL_POLICY,
  contacts: undefined,
  late: undefined,
};
const looked: OrderInput = {
  type: "looked",
  facts: parked,
  policy: DEFAULT_RENTAL_POLICY,
  hasSlept: false,
};
const recorded: OrderInput = { type: "result_recorded", durable: true };
const did = (actuated: Actuated): OrderInput => ({ type: "actuated", actuated });

test("lock: intent, pulse, sense, result, answer, in that order", () => {
  const effects = run("lock", [intent, did({ outcome: "done", sensed: locked }), recorded]);
  assert.equal(
    effects.map(({ type }) => type),
    ["record_intent", "pulse", "record_result", "answer"],
  );
  const answer = effects.at(-1);
  assert.ok(answer?.type === "answer" && answer.verdict.status === "executed" && answer.durable);
  assert.is(answer.verdict.sensed.locked, "yes");
});

test("a refused command pulses nothing and says why", () => {
  const moving: CarFacts = { ...parked, speedKmh: { quality: "good", value: 20 } };
  const effects = run("unlock", [{ ...intent, facts: moving }, recorded]);
  assert.not(effects.some(({ type }) => type === "pulse"));
  const answer = effects.at(-1);
  assert.ok(answer?.type === "answer");
  assert.is(answer.verdict.status, "refused");
  assert.equal(
    answer.verdict.unmet.map(({ condition }) => condition),
    ["not_moving"],
  );
  assert.is(answer.verdict.mayHaveSucceeded, false);
});

test("where the disk fails, unlock goes on and says so; immobilise is refused", () => {
  const failed: OrderInput = { ...intent, durable: false };
  const unlock = run("unlock", [failed, did({ outcome: "done", sensed: unlocked }), recorded]).at(
    -1,
  );
  assert.ok(unlock?.type === "answer" && unlock.verdict.status === "executed" && !unlock.durable);
  const immobilise = run("immobilise", [failed, recorded]).at(-1);
  assert.ok(immobilise?.type === "answer" && immobilise.verdict.status === "refused");
});

test("of two pulses the second is given only after the first was done", () => {
  const jam = run("lock_and_immobilise", [
    intent,
    did({ outcome: "jam", sensed: unlocked }),
    recorded,
  ]);
  assert.is(jam.filter(({ type }) => type === "pulse").length, 1);
  const inhibited: LockSensed = { ...locked, immobiliser: "inhibited" };
  const both = run("lock_and_immobilise", [
    intent,
    did({ outcome: "done", sensed: { ...unlocked, immobiliser: "inhibited" } }),
    looked,
    did({ outcome: "done", sensed: inhibited }),
    recorded,
  ]);
  assert.equal(
    both.flatMap((effect) => (effect.type === "pulse" ? [effect.action] : [])),
    ["inhibit_start", "lock"],
  );
});

const outcomes: readonly {
  why: string;
  action: Action;
  actuated: Actuated;
  before?: LockSensed;
  status: string;
  may: boolean;
}[] = [
  {
    why: "done and seen",
    action: "lock",
    actuated: { outcome: "done", sensed: locked },
    status: "executed",
    may: true,
  },
  {
    why: "done by its word but seen open",
    action: "lock",
    actuated: { outcome: "done", sensed: unlocked },
    before: unlocked,
    status: "refused",
    may: false,
  },
  {
    why: "done by its word, the contacts say nothing",
    action: "lock",
    actuated: { outcome: "done", sensed: { ...locked, boltDriver: "unknown" } },
    status: "unknown",
    may: true,
  },
  {
    why: "jam, seen open",
    action: "lock",
    actuated: { outcome: "jam", sensed: unlocked },
    before: unlocked,
    status: "refused",
    may: false,
  },
  {
    why: "jam of one bolt, the other was seen to go",
    action: "unlock",
    actuated: { outcome: "jam", sensed: { ...locked, boltDriver: "unlocked" } },
    before: locked,
    status: "refused",
    may: true,
  },
  {
    why: "jam, and nobody saw how the bolts were before",
    action: "unlock",
    actuated: { outcome: "jam", sensed: { ...locked, boltDriver: "unlocked" } },
    status: "refused",
    may: true,
  },
  {
    why: "jam, all seen where they were not to stay, and nobody saw them before",
    action: "unlock",
    actuated: { outcome: "jam", sensed: locked },
    status: "refused",
    may: false,
  },
  {
    why: "jam, one bolt seen as it was, another not seen at all",
    action: "unlock",
    actuated: { outcome: "jam", sensed: { ...locked, boltPassengers: "unknown" } },
    before: locked,
    status: "refused",
    may: true,
  },
  {
    why: "jam by its word, seen locked",
    action: "lock",
    actuated: { outcome: "jam", sensed: locked },
    status: "executed",
    may: true,
  },
  {
    why: "never sent",
    action: "unlock",
    actuated: { outcome: "not_sent" },
    status: "refused",
    may: false,
  },
  {
    why: "sent, and silence",
    action: "unlock",
    actuated: { outcome: "no_answer" },
    status: "unknown",
    may: true,
  },
];
for (const { why, action, actuated, before, status, may } of outcomes) {
  test(`${action}, ${why}: ${status}`, () => {
    const verdict = verdictOf(action, actuated, before);
    assert.is(verdict.status, status);
    assert.is(verdict.mayHaveSucceeded, may);
  });
}

test("never executed unless sensed: every outcome with every contact", () => {
  for (const outcome of LOCK_OUTCOMES)
    for (const boltDriver of ["unknown", "locked", "unlocked"] as const)
      for (const boltPassengers of ["unknown", "locked", "unlocked"] as const) {
        const sensed: LockSensed = { ...locked, boltDriver, boltPassengers };
        const isLocked = boltDriver === "locked" && boltPassengers === "locked";
        const isUnlocked = boltDriver === "unlocked" && boltPassengers === "unlocked";
        assert.is(verdictOf("lock", { outcome, sensed }).status === "executed", isLocked);
        assert.is(verdictOf("unlock", { outcome, sensed }).status === "executed", isUnlocked);
      }
});

test("an input that the state does not wait for is a bug and throws", () => {
  const begun: OrderState = beginOrder(command("lock")).state;
  assert.throws(() => stepOrder(begun, recorded));
  assert.throws(() => stepOrder(begun, did({ outcome: "not_sent" })));
  const pulsing = stepOrder(begun, intent).state;
  assert.throws(() => stepOrder(pulsing, intent), "an intent pulses once");
});

const REASONS = {
  jam: "jam",
  no_travel: "no_travel",
  refused: "controller_refused",
  busy: "controller_busy",
  supply_low: "supply_low",
  interrupted: "controller_interrupted",
  none: "not_seen",
  done: "not_seen",
} as const;
test("what the controller says is told in words of its own, beside what was sensed", () => {
  for (const outcome of LOCK_OUTCOMES) {
    const sensed: LockSensed = { ...locked, boltDriver: "unknown" };
    assert.equal(verdictOf("lock", { outcome, sensed }), {
      status: "unknown",
      unmet: [],
      sensed: sensedState(sensed),
      reason: REASONS[outcome],
      mayHaveSucceeded: true,
    });
  }
});

test("a door that holds its bolt is told from a bolt that does not move", () => {
  const ajar: LockSensed = { ...unlocked, doorFrontLeft: "open" };
  assert.is(verdictOf("lock", { outcome: "no_travel", sensed: ajar }).reason, "door_ajar");
  assert.is(verdictOf("lock", { outcome: "no_travel", sensed: unlocked }).reason, "no_travel");
});

test("where a wait cannot be kept it is refused", () => {
  const moving: CarFacts = { ...parked, speedKmh: { quality: "good", value: 20 } };
  let step = beginOrder({ ...command("immobilise"), waitMs: 1000 });
  step = stepOrder(step.state, { ...intent, facts: moving });
  assert.is(step.effects[0]?.type, "record_armed");
  const kept = stepOrder(step.state, { type: "armed_recorded", durable: true });
  assert.ok(kept.effects[0]?.type === "answer" && kept.effects[0].verdict.status === "armed");
  const lost = stepOrder(step.state, { type: "armed_recorded", durable: false });
  assert.ok(lost.effects[0]?.type === "record_result");
  assert.is(lost.effects[0].verdict.status, "refused");
});

const applied = (durable: boolean): OrderInput => ({ type: "applied", durable });
const silent = did({ outcome: "no_answer" });
const forBooking = { booking: "b-1" };

test("a rental is opened where somebody may be in the car, and ended only where that was seen", () => {
  const begin = (action: Action) => {
    const ours: CarFacts = {
      ...parked,
      openRental: { quality: "good", value: action === "end_rental" ? "b-1" : undefined },
    };
    const { state } = beginOrder({ ...command(action), ...forBooking });
    return stepOrder(state, { ...intent, facts: ours }).state;
  };
  const opening = stepOrder(begin("unlock_and_release"), silent);
  assert.equal(opening.effects, [{ type: "apply", what: "open_rental", flagged: [] }]);
  assert.is(stepOrder(begin("end_rental"), silent).effects[0]?.type, "record_result");
  const refused = stepOrder(begin("unlock_and_release"), did({ outcome: "not_sent" }));
  assert.is(refused.effects[0]?.type, "record_result");
  const ended = stepOrder(begin("end_rental"), did({ outcome: "done", sensed: locked }));
  assert.ok(ended.effects[0]?.type === "apply" && ended.effects[0].what === "end_rental");
  assert.is(stepOrder(begin("lock"), silent).effects[0]?.type, "record_result");
  assert.is(stepOrder(begin("unlock"), silent).effects[0]?.type, "record_result");
});

test("an answer is durable only where intent, record and result are", () => {
  const answerOf = (durable: readonly [boolean, boolean, boolean]): boolean => {
    const [atIntent, atRecord, atResult] = durable;
    const { state } = beginOrder({ ...command("unlock_and_release"), ...forBooking });
    const free = did({ outcome: "done", sensed: unlocked });
    const inputs: readonly OrderInput[] = [
      { ...intent, durable: atIntent },
      free,
      looked,
      free,
      applied(atRecord),
      { type: "result_recorded", durable: atResult },
    ];
    let step = stepOrder(state, inputs[0] ?? intent);
    for (const input of inputs.slice(1)) step = stepOrder(step.state, input);
    const [last] = step.effects;
    assert.ok(last?.type === "answer");
    return last.durable;
  };
  for (const a of [true, false])
    for (const b of [true, false])
      for (const c of [true, false]) assert.is(answerOf([a, b, c]), a && b && c);
});

test("what moves nothing is executed with what the contacts say now", () => {
  const ours: CarFacts = { ...parked, openRental: { quality: "good", value: "b-1" } };
  const { state } = beginOrder({ ...command("terminate"), ...forBooking });
  const step = stepOrder(state, { ...intent, facts: ours });
  assert.ok(step.state.value === "applying");
  assert.is(step.state.verdict.mayHaveSucceeded, true);
  assert.is(step.state.verdict.sensed, NOTHING_SENSED);
  const { state: cancels } = beginOrder({ ...command("cancel"), target: Uint8Array.of(0xaa) });
  const armed = { id: "aa", action: "immobilise" } as const;
  const cancelled = stepOrder(cancels, { ...intent, facts: { ...parked, armed } }).state;
  assert.ok(cancelled.value === "applying");
  assert.equal(cancelled.verdict.unmet, []);
});

test("a clean success has no reason; a controller that says nothing of the end is not believed", () => {
  assert.is(verdictOf("lock", { outcome: "done", sensed: locked }).reason, undefined);
  assert.is(verdictOf("lock", { outcome: "none", sensed: unlocked }).reason, "not_seen");
  assert.is(verdictOf("lock", { outcome: "done", sensed: unlocked }).reason, "not_seen");
});

test("a wait that could not be kept is not durable", () => {
  const moving: CarFacts = { ...parked, speedKmh: { quality: "good", value: 20 } };
  const { state } = beginOrder({ ...command("immobilise"), waitMs: 1000 });
  const waiting = stepOrder(state, { ...intent, facts: moving }).state;
  const lost = stepOrder(waiting, { type: "armed_recorded", durable: false }).state;
  const answered = stepOrder(lost, recorded).effects[0];
  assert.ok(answered?.type === "answer" && !answered.durable);
});

test("each state takes the one input that it waits for, and no other", () => {
  const moving: CarFacts = { ...parked, speedKmh: { quality: "good", value: 20 } };
  const begun = beginOrder({ ...command("immobilise"), waitMs: 1000 }).state;
  const waiting = stepOrder(begun, { ...intent, facts: moving }).state;
  const pulsing = stepOrder(begun, intent).state;
  const both = stepOrder(beginOrder(command("lock_and_immobilise")).state, intent).state;
  const between = stepOrder(both, did({ outcome: "done", sensed: locked })).state;
  const opening = stepOrder(
    stepOrder(beginOrder({ ...command("unlock_and_release"), ...forBooking }).state, intent).state,
    silent,
  ).state;
  const recording = stepOrder(pulsing, silent).state;
  const answered = stepOrder(recording, recorded).state;
  const inputs = [intent, silent, looked, applied(true), recorded] as const;
  const all: readonly OrderInput[] = [...inputs, { type: "armed_recorded", durable: true }];
  const expected: readonly (readonly [OrderState, OrderInput["type"] | undefined])[] = [
    [begun, "intent_recorded"],
    [waiting, "armed_recorded"],
    [pulsing, "actuated"],
    [between, "looked"],
    [opening, "applied"],
    [recording, "result_recorded"],
    [answered, undefined],
  ];
  for (const [state, type] of expected)
    for (const input of all)
      if (input.type !== type)
        assert.throws(
          () => stepOrder(state, input),
          new RegExp(`^order: ${input.type} in state ${state.value}$`),
        );
});

test.run();
