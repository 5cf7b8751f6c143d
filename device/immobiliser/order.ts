/**
 * One command on the car as a pure state machine: counter and intent durable → interlocks → pulse → sense → the car's
 * own records → result durable → answer. It is stepped by inputs and gives effects as data; whoever runs the effects
 * feeds what came of them back in. No state of it pulses twice: a pulse follows only a recorded intent, and each intent
 * once. Where all that is missing is that the car stands, and the command allows it, it ends `armed` instead.
 */
import {
  type Action,
  type Command,
  type LockAction,
  type LockOutcome,
  type LockSensed,
  type RentalPolicy,
  type ResultStatus,
  type SensedState,
  toHex,
  type UnmetCondition,
} from "@kerbside/protocol";
import type { CarFacts } from "./facts.ts";
import { type Afterwards, type InterlockVerdict, judgeAction } from "./interlocks.ts";
import { NOTHING_SENSED, seenDone, sensedState } from "./sensed.ts";

/** What the car answers, before it is bound to the request and signed. */
export type Verdict = {
  readonly status: Exclude<ResultStatus, "received">;
  readonly unmet: readonly UnmetCondition[];
  readonly sensed: SensedState;
  readonly reason?: string;
  readonly mayHaveSucceeded: boolean;
};

/** What became of one actuation. `not_sent`: the controller was not reachable, so nothing moved. */
export type Actuated =
  | { readonly outcome: LockOutcome; readonly sensed: LockSensed }
  | { readonly outcome: "not_sent" }
  | { readonly outcome: "no_answer" };

export type OrderState =
  | { readonly value: "recording_intent"; readonly command: Command }
  | {
      readonly value: "pulsing";
      readonly action: Action;
      readonly current: LockAction;
      readonly rest: readonly LockAction[];
      readonly then: Then;
      readonly durable: boolean;
    }
  | { readonly value: "applying"; readonly verdict: Verdict; readonly durable: boolean }
  | { readonly value: "recording_armed"; readonly verdict: Verdict; readonly durable: boolean }
  | { readonly value: "recording_result"; readonly verdict: Verdict; readonly durable: boolean }
  | { readonly value: "answered"; readonly verdict: Verdict; readonly durable: boolean };

/** What follows the pulses. */
type Then = Pick<Allowed, "afterwards" | "flagged">;
type Allowed = Extract<InterlockVerdict, { kind: "allowed" }>;

export type OrderInput =
  /** Of a step that gave nothing to do, which none does: refused in every state. */
  | { readonly type: "nothing" }
  | {
      readonly type: "intent_recorded";
      readonly durable: boolean;
      readonly facts: CarFacts;
      readonly policy: RentalPolicy;
      /** What the contacts say now, for what moves nothing. */
      readonly sensed: SensedState;
    }
  | { readonly type: "actuated"; readonly actuated: Actuated }
  | { readonly type: "applied"; readonly durable: boolean }
  | { readonly type: "armed_recorded"; readonly durable: boolean }
  | { readonly type: "result_recorded"; readonly durable: boolean };

/** Work that something comes of, which is to be fed back in. */
export type OrderWork =
  | { readonly type: "record_intent"; readonly command: Command }
  | { readonly type: "pulse"; readonly action: LockAction }
  | {
      readonly type: "apply";
      readonly what: Exclude<Afterwards, "disarm"> | "disarm_target";
      /** End conditions that could not be told. */
      readonly flagged: readonly UnmetCondition[];
    }
  | { readonly type: "record_armed" }
  | { readonly type: "record_result"; readonly verdict: Verdict };
export type OrderEffect =
  | OrderWork
  /** Nothing comes of it; what is armed is armed no more. */
  | { readonly type: "disarm" }
  | { readonly type: "answer"; readonly verdict: Verdict; readonly durable: boolean };

export type OrderStep = { readonly state: OrderState; readonly effects: readonly OrderEffect[] };

/** Words for what a controller's outcome means to the one who asked. */
const OUTCOME_REASONS: Readonly<Record<Exclude<LockOutcome, "none" | "done">, string>> = {
  jam: "jam",
  no_travel: "no_travel",
  refused: "controller_refused",
  busy: "controller_busy",
  supply_low: "supply_low",
  interrupted: "controller_interrupted",
};

/** Begins with a command that is verified, in time and not seen before. */
export function beginOrder(command: Command): OrderStep {
  return {
    state: { value: "recording_intent", command },
    effects: [{ type: "record_intent", command }],
  };
}

/** An input that the state does not wait for is a bug of the caller and throws. */
export function stepOrder(state: OrderState, input: OrderInput): OrderStep {
  if (state.value === "recording_intent" && input.type === "intent_recorded") {
    return judge(state.command, input);
  }
  if (state.value === "applying" && input.type === "applied") {
    return record(state.verdict, state.durable && input.durable);
  }
  if (state.value === "recording_armed" && input.type === "armed_recorded") {
    if (input.durable) return answer(state.verdict, state.durable);
    return record(refused([STORAGE]), false);
  }
  if (state.value === "pulsing" && input.type === "actuated") return sense(state, input.actuated);
  if (state.value === "recording_result" && input.type === "result_recorded") {
    return answer(state.verdict, state.durable && input.durable);
  }
  throw new Error(`order: ${input.type} in state ${state.value}`);
}

const STORAGE: UnmetCondition = {
  condition: "storage",
  words: "The car's own record must be writable for a command to wait.",
};

/** What an order asks of the interlocks. */
export function askOf(command: Command): Parameters<typeof judgeAction>[0] {
  const { action, booking, waitMs, target } = command;
  return { action, booking, waitMs, target: target === undefined ? undefined : toHex(target) };
}

function refused(unmet: readonly UnmetCondition[]): Verdict {
  return { status: "refused", unmet, sensed: NOTHING_SENSED, mayHaveSucceeded: false };
}

function judge(
  command: Command,
  { durable, facts, policy, sensed }: Extract<OrderInput, { type: "intent_recorded" }>,
): OrderStep {
  const storageWorks = facts.storageWorks && durable;
  const ruling = judgeAction(askOf(command), { ...facts, storageWorks }, policy);
  if (ruling.kind === "refused") return record(refused(ruling.unmet), durable);
  if (ruling.kind === "wait") {
    // A wait that a crash could forget would never be answered.
    if (!storageWorks) return record(refused([...ruling.unmet, STORAGE]), durable);
    const { unmet } = ruling;
    const verdict: Verdict = { status: "armed", unmet, sensed, mayHaveSucceeded: false };
    return {
      state: { value: "recording_armed", verdict, durable },
      effects: [{ type: "record_armed" }],
    };
  }
  const { disarms, afterwards, flagged, senses } = ruling;
  const [current, ...rest] = ruling.pulses;
  const then = { afterwards, flagged };
  if (current === undefined) {
    return apply({ status: "executed", unmet: [], sensed, mayHaveSucceeded: true }, then, durable);
  }
  const pulse: OrderEffect = { type: "pulse", action: current };
  return {
    state: { value: "pulsing", action: senses, current, rest, then, durable },
    effects: disarms ? [{ type: "disarm" }, pulse] : [pulse],
  };
}

function sense(state: Extract<OrderState, { value: "pulsing" }>, actuated: Actuated): OrderStep {
  const [next, ...rest] = state.rest;
  if (actuated.outcome === "done" && next !== undefined) {
    return {
      state: { ...state, current: next, rest },
      effects: [{ type: "pulse", action: next }],
    };
  }
  return apply(verdictOf(state.action, actuated), state.then, state.durable);
}

/**
 * The car's own records follow what was seen to be done. A rental is also opened where the doors may have opened
 * (nothing else keeps the immobiliser from a driver who is in the car), and ended only where that was seen.
 */
function apply(verdict: Verdict, { afterwards, flagged }: Then, durable: boolean): OrderStep {
  const isDone = verdict.status === "executed";
  const opens = afterwards === "open_rental" && verdict.mayHaveSucceeded;
  if (afterwards === undefined || !(isDone || opens)) return record(verdict, durable);
  return {
    state: {
      value: "applying",
      // What was done, or may have been, had nothing unmet; what could not be told is told beside it.
      verdict: { ...verdict, unmet: flagged },
      durable,
    },
    effects: [
      { type: "apply", what: afterwards === "disarm" ? "disarm_target" : afterwards, flagged },
    ],
  };
}

function answer(verdict: Verdict, durable: boolean): OrderStep {
  return {
    state: { value: "answered", verdict, durable },
    effects: [{ type: "answer", verdict, durable }],
  };
}

/** What a finished actuation amounts to: executed only if it was seen, refused only if it was seen not to be. */
export function verdictOf(action: Action, actuated: Actuated): Verdict {
  if (actuated.outcome === "not_sent") {
    const words = "The lock controller must answer.";
    const unmet = [{ condition: "lock_controller", words }];
    return { status: "refused", unmet, sensed: NOTHING_SENSED, mayHaveSucceeded: false };
  }
  if (actuated.outcome === "no_answer") {
    return {
      status: "unknown",
      unmet: [],
      sensed: NOTHING_SENSED,
      reason: "controller_silent",
      mayHaveSucceeded: true,
    };
  }
  const sensed = sensedState(actuated.sensed);
  const seen = seenDone(action, actuated.sensed);
  const { outcome } = actuated;
  if (outcome === "done" && seen === "yes") {
    return { status: "executed", unmet: [], sensed, mayHaveSucceeded: true };
  }
  const reason = reasonOf(outcome, sensed);
  // A car seen in the state asked for is there, whatever the controller says of the way.
  if (seen === "yes")
    return { status: "executed", unmet: [], sensed, reason, mayHaveSucceeded: true };
  const status = seen === "no" ? "refused" : "unknown";
  return { status, unmet: [], sensed, reason, mayHaveSucceeded: seen !== "no" };
}

/** Why it was not simply done. A bolt that did not travel behind an open door is held by that door. */
function reasonOf(outcome: LockOutcome, sensed: SensedState): string {
  if (outcome === "done" || outcome === "none") return "not_seen";
  if (outcome === "no_travel" && sensed.doorsClosed === "no") return "door_ajar";
  return OUTCOME_REASONS[outcome];
}

function record(verdict: Verdict, durable: boolean): OrderStep {
  return {
    state: { value: "recording_result", verdict, durable },
    effects: [{ type: "record_result", verdict }],
  };
}
