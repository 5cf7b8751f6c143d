/**
 * The interlocks as a table: for each action the conditions that must hold, and for each condition whether not knowing
 * counts as holding. Denied by default: an action without a row is refused. Every unmet condition is returned.
 */
import type { Action, LockAction, UnmetCondition } from "@kerbside/protocol";
import type { CarFacts, Reading } from "./facts.ts";

/** Standstill: speed 0 for this long. */
export const STANDSTILL_MS_MIN = 2000;
/** Above this a wheel or GNSS speed is motion; below, GNSS wanders. */
const WHEEL_MOTION_KMH_MIN = 0.5;
const GNSS_MOTION_KMH_MIN = 5;

type Verdict = "met" | "unmet" | "unknown";
type Condition = {
  readonly words: string;
  readonly judge: (facts: CarFacts) => Verdict;
};

function above({ ...reading }: Reading<number>, min: number): Verdict {
  if (reading.quality !== "good") return "unknown";
  return reading.value > min ? "unmet" : "met";
}

function isTrue(reading: Reading<boolean>): Verdict {
  if (reading.quality !== "good") return "unknown";
  return reading.value ? "met" : "unmet";
}

/** Motion seen by either witness is motion; stillness must be seen by the wheels. */
function stillness(facts: CarFacts): Verdict {
  const wheels = above(facts.speedKmh, WHEEL_MOTION_KMH_MIN);
  const gnss = above(facts.gnssSpeedKmh, GNSS_MOTION_KMH_MIN);
  return wheels === "unmet" || gnss === "unmet" ? "unmet" : wheels;
}

export type ConditionName =
  | "not_moving"
  | "standstill"
  | "ignition_off"
  | "ignition_off_after_standstill"
  | "doors_closed"
  | "no_open_rental"
  | "storage";

export const CONDITIONS: Readonly<Record<ConditionName, Condition>> = {
  not_moving: { words: "The car must not be moving.", judge: stillness },
  standstill: {
    words: "The car must be seen standing still for 2 s.",
    judge: (facts) => {
      const still = stillness(facts);
      return still !== "met" || facts.standstillMs >= STANDSTILL_MS_MIN ? still : "unmet";
    },
  },
  ignition_off: {
    words: "The ignition must be off.",
    judge: (facts) => isTrue(facts.ignitionOff),
  },
  ignition_off_after_standstill: {
    words: "The ignition must have been seen going off after the car stood still.",
    judge: (facts) => (facts.ignitionOffSeenAfterStandstill ? "met" : "unmet"),
  },
  doors_closed: {
    words: "All doors and the trunk must be closed.",
    judge: (facts) => isTrue(facts.doorsClosed),
  },
  no_open_rental: {
    words: "No rental may be open.",
    judge: (facts) => isTrue(facts.noRentalOpen),
  },
  storage: {
    words: "The car's own record of the immobiliser must be writable.",
    judge: (facts) => (facts.storageWorks ? "met" : "unmet"),
  },
};

type Row = {
  /** What the lock controller is asked to do, in this order. */
  readonly pulses: readonly [LockAction, ...LockAction[]];
  readonly conditions: readonly {
    readonly condition: ConditionName;
    /** What not knowing counts as. */
    readonly unknown: "refuse" | "allow";
    readonly why: string;
  }[];
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
const immobilise: Row["conditions"] = [
  {
    condition: "standstill",
    unknown: "refuse",
    why: "only a standing car may be kept from starting",
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

/** Actions that this version cannot do have no row, and are refused. */
export const INTERLOCKS: Readonly<Partial<Record<Action, Row>>> = {
  unlock: { pulses: ["unlock"], conditions: [notKnownToMove] },
  lock: { pulses: ["lock"], conditions: [notKnownToMove, doorsNotKnownOpen] },
  trunk: { pulses: ["trunk"], conditions: [notKnownToMove] },
  find: { pulses: ["horn_lights"], conditions: [notKnownToMove] },
  // Always allowed: whatever is broken, a car must be able to start again.
  release: { pulses: ["allow_start"], conditions: [] },
  unlock_and_release: { pulses: ["allow_start", "unlock"], conditions: [notKnownToMove] },
  immobilise: { pulses: ["inhibit_start"], conditions: immobilise },
  lock_and_immobilise: {
    pulses: ["lock", "inhibit_start"],
    conditions: [doorsNotKnownOpen, ...immobilise],
  },
};

export type InterlockVerdict =
  | { readonly allowed: true; readonly pulses: readonly [LockAction, ...LockAction[]] }
  | { readonly allowed: false; readonly unmet: readonly UnmetCondition[] };

/** Judges an action against live facts. Pure; every unmet condition is named. */
export function judgeAction(action: Action, facts: CarFacts): InterlockVerdict {
  const row = INTERLOCKS[action];
  if (row === undefined) {
    const words = "This car's module cannot do that.";
    return { allowed: false, unmet: [{ condition: "not_available", words }] };
  }
  const unmet = row.conditions.flatMap(({ condition, unknown }): readonly UnmetCondition[] => {
    const { words, judge } = CONDITIONS[condition];
    const verdict = judge(facts);
    if (verdict === "met" || (verdict === "unknown" && unknown === "allow")) return [];
    return [
      verdict === "unknown"
        ? { condition: `${condition}_unknown`, words: `${words} That cannot be told now.` }
        : { condition, words },
    ];
  });
  return unmet.length === 0 ? { allowed: true, pulses: row.pulses } : { allowed: false, unmet };
}
