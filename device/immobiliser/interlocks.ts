/**
 * The interlocks as a table: for each action the conditions that must hold, and for each condition whether not knowing
 * counts as holding. Denied by default: an action without a row is refused. Every unmet condition is returned.
 */
import type { Action, LockAction, RentalPolicy, UnmetCondition } from "@kerbside/protocol";
import {
  type Ask,
  CONDITIONS,
  type ConditionName,
  END_CONDITION_WORDS,
  type Holds,
  judgeEnd,
} from "./conditions.ts";
import type { CarFacts } from "./facts.ts";

/** What an action does to the car's own records once its pulses were seen to work. */
export type Afterwards = "open_rental" | "end_rental" | "terminate_rental" | "disarm";

type RowCondition = {
  readonly condition: ConditionName;
  /** What not knowing counts as. */
  readonly unknown: "refuse" | "allow";
  readonly why: string;
};
type Row = {
  /** What the lock controller is asked to do, in this order. */
  readonly pulses: readonly LockAction[];
  readonly conditions: readonly RowCondition[];
  readonly afterwards?: Afterwards;
  /** The tenant's conditions for the end of a rental are asked for as well. */
  readonly endPolicy?: true;
  /** It may wait on the car until the car stands, where the command says how long. */
  readonly mayWait?: true;
  /** Takes back what is armed to inhibit the start, before anything is pulsed. */
  readonly disarms?: true;
  /** The action that its further pulses are by themselves, where they need less than the first. */
  readonly further?: Action;
};

const notKnownToMove = {
  condition: "not_moving",
  unknown: "allow",
  why: "a broken speed signal must not strand anybody; known motion refuses",
} as const;
const doorsNotKnownOpen = {
  condition: "doors_closed",
  unknown: "allow",
  why: "the controller senses the bolts itself; a door known to be open cannot be locked",
} as const;
const nobodyElses = {
  condition: "no_other_rental",
  unknown: "allow",
  why: "a booking works no car that somebody else is renting; a lost record strands nobody",
} as const;
const ignitionNotKnownOn = {
  condition: "ignition_off",
  unknown: "allow",
  why: "a parked car's bus sleeps; a running engine is a drive that goes on",
} as const;
const rentalOpen = {
  condition: "rental_open",
  unknown: "allow",
  why: "only what is open can be ended; ending is how a lost record becomes known again",
} as const;
const immobilise: Row["conditions"] = [
  {
    condition: "standstill",
    unknown: "refuse",
    why: "only a standing car may be kept from starting",
  },
  {
    condition: "speed_sources_agree",
    unknown: "refuse",
    why: "a wheel sensor that says 0 while the position moves is broken or lied to",
  },
  { condition: "ignition_off", unknown: "refuse", why: "an engine that runs belongs to a drive" },
  {
    condition: "ignition_off_after_standstill",
    unknown: "refuse",
    why: "an ignition switched off while rolling is no end of a drive",
  },
  { condition: "no_open_rental", unknown: "refuse", why: "it never fires within an open rental" },
  {
    condition: "storage",
    unknown: "refuse",
    why: "an immobiliser nobody remembers could not be released",
  },
];

/** Actions that a version cannot do have no row, and are refused. */
export const INTERLOCKS: Readonly<Partial<Record<Action, Row>>> = {
  unlock: { pulses: ["unlock"], conditions: [notKnownToMove, nobodyElses] },
  lock: { pulses: ["lock"], conditions: [notKnownToMove, doorsNotKnownOpen, nobodyElses] },
  trunk: { pulses: ["trunk"], conditions: [notKnownToMove, nobodyElses] },
  find: { pulses: ["horn_lights"], conditions: [notKnownToMove, nobodyElses] },
  // Always allowed: whatever is broken, a car must be able to start again.
  release: { pulses: ["allow_start"], conditions: [], disarms: true },
  unlock_and_release: {
    pulses: ["allow_start", "unlock"],
    conditions: [notKnownToMove, nobodyElses],
    disarms: true,
    afterwards: "open_rental",
  },
  immobilise: { pulses: ["inhibit_start"], conditions: immobilise, mayWait: true },
  lock_and_immobilise: {
    // The start first, right after it was judged: locking wakes the bus of a parked car, whose speed is then not known.
    pulses: ["inhibit_start", "lock"],
    conditions: [doorsNotKnownOpen, ...immobilise],
    mayWait: true,
    further: "lock",
  },
  end_rental: {
    pulses: ["lock"],
    conditions: [rentalOpen, notKnownToMove, ignitionNotKnownOn],
    endPolicy: true,
    afterwards: "end_rental",
  },
  terminate: {
    pulses: [],
    conditions: [rentalOpen, notKnownToMove, ignitionNotKnownOn],
    mayWait: true,
    afterwards: "terminate_rental",
  },
  cancel: {
    pulses: [],
    conditions: [
      { condition: "command_armed", unknown: "refuse", why: "there must be one" },
      {
        condition: "operators_to_cancel",
        unknown: "refuse",
        why: "who is put out of a rental does not decide about it, nor does who asks for them",
      },
    ],
    afterwards: "disarm",
  },
};

export type InterlockAsk = Ask & {
  readonly action: Action;
  /** How long it may wait for the car to stand; 0: not at all. */
  readonly waitMs?: number | undefined;
};
export type InterlockVerdict =
  | {
      readonly kind: "allowed";
      readonly pulses: readonly LockAction[];
      /** The action whose outcome the contacts are asked for: what is left of it on a car without an immobiliser. */
      readonly senses: Action;
      /** The action that pulses after the first are judged as, right before each. */
      readonly further: Action;
      readonly disarms: boolean;
      readonly afterwards: Afterwards | undefined;
      /** End conditions that could not be told, where the tenant's policy lets the rental end all the same. */
      readonly flagged: readonly UnmetCondition[];
    }
  /** It is to wait on the car: all that is missing is that the car stands. */
  | { readonly kind: "wait"; readonly unmet: readonly UnmetCondition[] }
  | { readonly kind: "refused"; readonly unmet: readonly UnmetCondition[] };

const NOTHING_ARMED: UnmetCondition = {
  condition: "nothing_armed",
  words: "No other command may be waiting for the car to stand.",
};

const NOT_ABLE: Missing = {
  condition: "not_available",
  words: "This car cannot do that.",
  comes: false,
};

/**
 * What of a row this car can do. Where nothing can inhibit the start there is nothing to release either: unlocking then
 * is all there is to do. Everything else that the car lacks refuses the action.
 */
function able(
  { pulses }: Row,
  action: Action,
  { abilities }: CarFacts,
): { readonly pulses: readonly LockAction[]; readonly senses: Action; readonly lacks: boolean } {
  const isFree = !abilities.has("inhibit_start") && !abilities.has("allow_start");
  if (isFree && action === "unlock_and_release") {
    const rest = pulses.filter((pulse) => pulse !== "allow_start");
    return { pulses: rest, senses: "unlock", lacks: !rest.every((one) => abilities.has(one)) };
  }
  return { pulses, senses: action, lacks: !pulses.every((pulse) => abilities.has(pulse)) };
}

type Missing = UnmetCondition & { readonly comes: boolean };

function missing(name: string, words: string, holds: Holds, comes: boolean): Missing {
  return holds === "unknown"
    ? { condition: `${name}_unknown`, words: `${words} That cannot be told now.`, comes }
    : { condition: name, words, comes };
}

function carMissing(row: Row, facts: CarFacts, ask: Ask): readonly Missing[] {
  return row.conditions.flatMap(({ condition, unknown }) => {
    const { words, judge, comes } = CONDITIONS[condition];
    const holds = judge(facts, ask);
    if (holds === "met" || (holds === "unknown" && unknown === "allow")) return [];
    return [missing(condition, words, holds, comes === true)];
  });
}

/** Unmet conditions of the tenant's, and those that are only flagged. */
function endMissing(
  policy: RentalPolicy,
  facts: CarFacts,
): { readonly unmet: readonly Missing[]; readonly flagged: readonly UnmetCondition[] } {
  const all = policy.endConditions.flatMap((rule) => {
    const holds = judgeEnd(rule.condition, facts);
    if (holds === "met") return [];
    const what = missing(rule.condition, END_CONDITION_WORDS[rule.condition], holds, false);
    return [{ what, flag: holds === "unknown" && rule.unknown === "flag" }];
  });
  return {
    unmet: all.filter(({ flag }) => !flag).map(({ what }) => what),
    flagged: all.filter(({ flag }) => flag).map(({ what }) => plain(what)),
  };
}

/** The end of a rental that waits is not taken back by whoever it is to put out. */
const inhibitsStart = (armed: CarFacts["armed"]): boolean =>
  armed !== undefined && INTERLOCKS[armed.action]?.pulses.includes("inhibit_start") === true;

const plain = ({ condition, words }: Missing): UnmetCondition => ({ condition, words });

/** Judges an action against live facts and the tenant's policy. Pure; every unmet condition is named. */
export function judgeAction(
  ask: InterlockAsk,
  facts: CarFacts,
  policy: RentalPolicy,
): InterlockVerdict {
  const row = INTERLOCKS[ask.action];
  if (row === undefined) {
    const words = "This car's module cannot do that.";
    return { kind: "refused", unmet: [{ condition: "not_available", words }] };
  }
  const end = row.endPolicy === true ? endMissing(policy, facts) : { unmet: [], flagged: [] };
  const { pulses, senses, lacks } = able(row, ask.action, facts);
  const unmet = [...(lacks ? [NOT_ABLE] : []), ...carMissing(row, facts, ask), ...end.unmet];
  if (unmet.length === 0) {
    const { afterwards, further = ask.action } = row;
    const disarms = row.disarms === true && inhibitsStart(facts.armed);
    return { kind: "allowed", pulses, senses, further, afterwards, disarms, flagged: end.flagged };
  }
  const plainly = unmet.map(plain);
  const asksToWait = row.mayWait === true && (ask.waitMs ?? 0) > 0;
  if (!asksToWait || !unmet.every(({ comes }) => comes)) return { kind: "refused", unmet: plainly };
  if (facts.armed !== undefined) {
    return { kind: "refused", unmet: [...plainly, NOTHING_ARMED] };
  }
  return { kind: "wait", unmet: plainly };
}
