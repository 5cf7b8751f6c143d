/**
 * One command on the car as a pure state machine: counter and intent durable → interlocks → pulse → sense → the car's
 * own records → result durable → answer. It is stepped by inputs and gives effects as data; whoever runs the effects
 * feeds what came of them back in. No state of it pulses twice: a pulse follows only a recorded intent, and each intent
 * once. Before each further pulse the car is looked at and judged again: it may have moved off while the one before was
 * under way. Where all that is missing is that the car stands, and the command allows it, it ends `armed` instead.
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
import { mayHaveMoved, NOTHING_SENSED, seenDone, sensedState } from "./sensed.ts";

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
  | (Pulses & { readonly value: "pulsing" })
  /** Between two pulses: `current` is the one that the car is looked at for. */
  | (Pulses & { readonly value: "looking"; readonly after: LockSensed })
  | { readonly value: "applying"; readonly verdict: Verdict; readonly durable: boolean }
  | { readonly value: "recording_armed"; readonly verdict: Verdict; readonly durable: boolean }
  | { readonly value: "recording_result"; readonly verdict: Verdict; readonly durable: boolean }
  | { readonly value: "answered"; readonly verdict: Verdict; readonly durable: boolean };

/** What follows the pulses. */
type Then = Pick<Allowed, "afterwards" | "flagged">;
type Allowed = Extract<InterlockVerdict, { kind: "allowed" }>;

/** An order that is being carried out. */
type Pulses = {
  readonly command: Command;
  /** The action whose outcome the contacts are asked for. */
  readonly senses: Action;
  /** The action that each further pulse is judged as. */
  readonly further: Action;
  readonly current: LockAction;
  readonly rest: readonly LockAction[];
  readonly then: Then;
  readonly durable: boolean;
  /** The contacts before the first pulse; undefined where the lock said nothing. */
  readonly before: LockSensed | undefined;
  /** The contacts after the last pulse that was done; undefined: none was yet. */
  readonly after: LockSensed | undefined;
};

export type OrderInput =
  /** Of a step that gave nothing to do, which none does: refused in every state. */
  | { readonly type: "nothing" }
  | {
      readonly type: "intent_recorded";
      readonly durable: boolean;
      readonly facts: CarFacts;
      readonly policy: RentalPolicy;
      /** What the contacts say before anything is pulsed; undefined where that cannot be told. */
      readonly contacts: LockSensed | undefined;
      /** What becomes of it where the disk took so long that it would be done too late; undefined where it did not. */
      readonly late: Verdict | undefined;
    }
  | { readonly type: "actuated"; readonly actuated: Actuated }
  | {
      readonly type: "looked";
      readonly facts: CarFacts;
      readonly policy: RentalPolicy;
      /** The module was suspended since the order began. */
      readonly hasSlept: boolean;
    }
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
  /** To read the live facts once more; `looked` is what comes of it. */
  | { readonly type: "look" }
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

/** Of several pulses some were given and the rest was not. */
const PARTLY_DONE = "partly_done";

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
  if (state.value === "looking" && input.type === "looked") return judgeAgain(state, input);
  if (state.value === "recording_result" && input.type === "result_recorded") {
    return answer(state.verdict, state.durable && input.durable);
  }
  throw new Error(`order: ${input.type} in state ${state.value}`);
}

const STORAGE: UnmetCondition = {
  condition: "storage",
  words: "The car's own record must be writable for a command to wait.",
};

const AWAKE: UnmetCondition = {
  condition: "same_session",
  words: "The car must not have slept since it was asked.",
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
  { durable, facts, policy, contacts, late }: Extract<OrderInput, { type: "intent_recorded" }>,
): OrderStep {
  if (late !== undefined) return record(late, durable);
  const storageWorks = facts.storageWorks && durable;
  const ruling = judgeAction(askOf(command), { ...facts, storageWorks }, policy);
  if (ruling.kind === "refused") return record(refused(ruling.unmet), durable);
  const sensed = contacts === undefined ? NOTHING_SENSED : sensedState(contacts);
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
  const { disarms, afterwards, flagged, senses, further } = ruling;
  const [current, ...rest] = ruling.pulses;
  const then = { afterwards, flagged };
  if (current === undefined) {
    const verdict: Verdict = { status: "executed", unmet: [], sensed, mayHaveSucceeded: true };
    return apply(verdict, { ...then, opens: false }, durable);
  }
  const pulse: OrderEffect = { type: "pulse", action: current };
  const asked = { command, senses, further, then, durable, before: contacts, after: undefined };
  return {
    state: { value: "pulsing", ...asked, current, rest },
    effects: disarms ? [{ type: "disarm" }, pulse] : [pulse],
  };
}

function sense(state: Extract<OrderState, { value: "pulsing" }>, actuated: Actuated): OrderStep {
  const [current, ...rest] = state.rest;
  if (actuated.outcome === "done" && current !== undefined) {
    const after = actuated.sensed;
    return {
      state: { ...state, value: "looking", current, rest, after },
      effects: [{ type: "look" }],
    };
  }
  const { senses, before, after } = state;
  const unlocked = state.current === "unlock" && actuated.outcome !== "not_sent";
  return finish(state, verdictOf(senses, actuated, before, after), unlocked);
}

/** The one pulse that was judged is over, and what it was judged on may be: the next has to be allowed by itself. */
function judgeAgain(
  state: Extract<OrderState, { value: "looking" }>,
  { facts, policy, hasSlept }: Extract<OrderInput, { type: "looked" }>,
): OrderStep {
  const { command, current, further, senses, before, after } = state;
  const ruling = judgeAction({ ...askOf(command), action: further }, facts, policy);
  const missing = ruling.kind === "allowed" ? [] : ruling.unmet;
  const unmet = hasSlept ? [AWAKE, ...missing] : missing;
  if (unmet.length === 0) {
    return {
      state: { ...state, value: "pulsing" },
      effects: [{ type: "pulse", action: current }],
    };
  }
  // Half of it is done: what is left is asked for anew by whoever asked, and waits for nothing.
  const broken: Verdict = {
    status: "refused",
    unmet,
    sensed: sensedState(after),
    reason: PARTLY_DONE,
    mayHaveSucceeded: mayHaveMoved(senses, before, after),
  };
  return finish(state, broken, false);
}

/**
 * A rental is also opened where the doors may be open by this order, whatever became of the rest of it: nothing else
 * keeps the immobiliser from a driver who is in the car. Only a car seen wholly locked lets nobody in.
 */
function finish({ then, durable }: Pulses, verdict: Verdict, unlocked: boolean): OrderStep {
  const mayBeOpen = verdict.sensed.locked !== "yes" && (unlocked || verdict.mayHaveSucceeded);
  const opens = then.afterwards === "open_rental" && mayBeOpen;
  const { mayHaveSucceeded } = verdict;
  return apply(
    { ...verdict, mayHaveSucceeded: mayHaveSucceeded || opens },
    { ...then, opens },
    durable,
  );
}

/** The car's own records follow what was seen to be done; `opens`: a rental also where it may have been. */
function apply(
  verdict: Verdict,
  { afterwards, flagged, opens }: Then & { readonly opens: boolean },
  durable: boolean,
): OrderStep {
  const isDone = verdict.status === "executed";
  if (afterwards === undefined || !(isDone || opens)) return record(verdict, durable);
  return {
    state: {
      value: "applying",
      // What could not be told is told beside what was not met, if anything was not.
      verdict: { ...verdict, unmet: [...verdict.unmet, ...flagged] },
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

/**
 * What the last actuation of an order amounts to: executed only if it was seen, refused only if it was seen not to be.
 * `before`: the contacts before the order; `after`: those after the pulse before this one, where there was one.
 */
export function verdictOf(
  action: Action,
  actuated: Actuated,
  before?: LockSensed,
  after?: LockSensed,
): Verdict {
  if (actuated.outcome === "not_sent") return notSent(after);
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
  if (seen === "unknown")
    return { status: "unknown", unmet: [], sensed, reason, mayHaveSucceeded: true };
  // All of it was not done; a part of it may have been.
  const mayHaveSucceeded = mayHaveMoved(action, before, actuated.sensed);
  return { status: "refused", unmet: [], sensed, reason, mayHaveSucceeded };
}

/** Nothing moved by this pulse; what the one before it did stays as it was last seen. */
function notSent(after: LockSensed | undefined): Verdict {
  if (after !== undefined) {
    const sensed = sensedState(after);
    return { status: "unknown", unmet: [], sensed, reason: PARTLY_DONE, mayHaveSucceeded: true };
  }
  const words = "The lock controller must answer.";
  const unmet = [{ condition: "lock_controller", words }];
  return { status: "refused", unmet, sensed: NOTHING_SENSED, mayHaveSucceeded: false };
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
