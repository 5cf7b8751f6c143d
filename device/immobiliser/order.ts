/**
 * One command on the car as a pure state machine: counter and intent durable → interlocks → pulse → sense → result
 * durable → answer. It is stepped by inputs and gives effects as data; whoever runs the effects feeds what came of
 * them back in. No state of it pulses twice: a pulse follows only a recorded intent, and each intent once.
 */
import type {
  Action,
  Command,
  LockAction,
  LockOutcome,
  LockSensed,
  ResultStatus,
  SensedState,
  UnmetCondition,
} from "@kerbside/protocol";
import type { CarFacts } from "./facts.ts";
import { judgeAction } from "./interlocks.ts";
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
      readonly durable: boolean;
    }
  | { readonly value: "recording_result"; readonly verdict: Verdict; readonly durable: boolean }
  | { readonly value: "answered"; readonly verdict: Verdict; readonly durable: boolean };

export type OrderInput =
  | { readonly type: "intent_recorded"; readonly durable: boolean; readonly facts: CarFacts }
  | { readonly type: "actuated"; readonly actuated: Actuated }
  | { readonly type: "result_recorded"; readonly durable: boolean };

export type OrderEffect =
  | { readonly type: "record_intent"; readonly command: Command }
  | { readonly type: "pulse"; readonly action: LockAction }
  | { readonly type: "record_result"; readonly verdict: Verdict }
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
    return judge(state.command, input.durable, input.facts);
  }
  if (state.value === "pulsing" && input.type === "actuated") return sense(state, input.actuated);
  if (state.value === "recording_result" && input.type === "result_recorded") {
    const { verdict } = state;
    const durable = state.durable && input.durable;
    return {
      state: { value: "answered", verdict, durable },
      effects: [{ type: "answer", verdict, durable }],
    };
  }
  throw new Error(`order: ${input.type} in state ${state.value}`);
}

function judge(command: Command, durable: boolean, facts: CarFacts): OrderStep {
  const ruling = judgeAction(command.action, {
    ...facts,
    storageWorks: facts.storageWorks && durable,
  });
  if (!ruling.allowed) {
    const verdict: Verdict = {
      status: "refused",
      unmet: ruling.unmet,
      sensed: NOTHING_SENSED,
      mayHaveSucceeded: false,
    };
    return record(verdict, durable);
  }
  const [current, ...rest] = ruling.pulses;
  return {
    state: { value: "pulsing", action: command.action, current, rest, durable },
    effects: [{ type: "pulse", action: current }],
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
  return record(verdictOf(state.action, actuated), state.durable);
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
  const reason = outcome === "done" || outcome === "none" ? "not_seen" : OUTCOME_REASONS[outcome];
  // A car seen in the state asked for is there, whatever the controller says of the way.
  if (seen === "yes")
    return { status: "executed", unmet: [], sensed, reason, mayHaveSucceeded: true };
  const status = seen === "no" ? "refused" : "unknown";
  return { status, unmet: [], sensed, reason, mayHaveSucceeded: seen !== "no" };
}

function record(verdict: Verdict, durable: boolean): OrderStep {
  return {
    state: { value: "recording_result", verdict, durable },
    effects: [{ type: "record_result", verdict }],
  };
}
