/**
 * The conditions of the interlocks: what each looks at, when it holds, what leaves it unknown, and its words. Which
 * action asks for which is the table in interlocks.ts.
 */
import type { EndCondition } from "@kerbside/protocol";
import { type CarFacts, type Reading, STANDSTILL_MS_MIN } from "./facts.ts";

/** Above this a GNSS speed is motion; below, GNSS wanders. */
export const GNSS_MOTION_KMH_MIN = 5;

/** What is asked for, as far as a condition needs to know. */
export type Ask = {
  readonly booking?: string | undefined;
  /** Hexadecimal id of the armed command that is meant. */
  readonly target?: string | undefined;
};

export type Holds = "met" | "unmet" | "unknown";
type Condition = {
  readonly words: string;
  readonly judge: (facts: CarFacts, ask: Ask) => Holds;
  /** It may come to hold by waiting until the car stands: an armed command waits for these and for no others. */
  readonly comes?: true;
};

function above(reading: Reading<number>, max: number): Holds {
  if (reading.quality !== "good") return "unknown";
  return reading.value > max ? "unmet" : "met";
}

function isTrue(reading: Reading<boolean>): Holds {
  if (reading.quality !== "good") return "unknown";
  return reading.value ? "met" : "unmet";
}

const wheels = ({ speedKmh, limits }: CarFacts): Holds => above(speedKmh, limits.standstillKmhMax);
const gnss = ({ gnssSpeedKmh }: CarFacts): Holds => above(gnssSpeedKmh, GNSS_MOTION_KMH_MIN);

/** Motion seen by either witness is motion; stillness must be seen by the wheels. */
function stillness(facts: CarFacts): Holds {
  return gnss(facts) === "unmet" ? "unmet" : wheels(facts);
}

function rentalIs(facts: CarFacts, is: (booking: string | undefined) => boolean): Holds {
  const { openRental } = facts;
  if (openRental.quality !== "good") return "unknown";
  return is(openRental.value) ? "met" : "unmet";
}

export type ConditionName =
  | "not_moving"
  | "speed_sources_agree"
  | "standstill"
  | "ignition_off"
  | "ignition_off_after_standstill"
  | "doors_closed"
  | "no_open_rental"
  | "no_other_rental"
  | "rental_open"
  | "command_armed"
  | "operators_to_cancel"
  | "storage";

export const CONDITIONS: Readonly<Record<ConditionName, Condition>> = {
  not_moving: { words: "The car must not be moving.", judge: stillness, comes: true },
  speed_sources_agree: {
    words: "Wheels and satellite position must not contradict each other about motion.",
    // Wheels that turn while GNSS stands (a ramp, a tunnel) are motion, and that is what `standstill` says.
    judge: (facts) => (wheels(facts) === "met" && gnss(facts) === "unmet" ? "unmet" : "met"),
    comes: true,
  },
  standstill: {
    words: "The car must be seen standing still for long enough.",
    judge: (facts) => {
      const still = stillness(facts);
      const needed = Math.max(STANDSTILL_MS_MIN, facts.limits.standstillMs);
      return still !== "met" || facts.standstillMs >= needed ? still : "unmet";
    },
    comes: true,
  },
  ignition_off: {
    words: "The ignition must be off.",
    judge: (facts) => isTrue(facts.ignitionOff),
    comes: true,
  },
  ignition_off_after_standstill: {
    words:
      "The ignition must have been seen going off after the car stood still, and no motion since.",
    judge: (facts) => (facts.ignitionOffSeenAfterStandstill ? "met" : "unmet"),
    comes: true,
  },
  doors_closed: {
    words: "All doors and the trunk must be closed.",
    judge: (facts) => isTrue(facts.doorsClosed),
    comes: true,
  },
  no_open_rental: {
    words: "No rental may be open.",
    judge: (facts) => rentalIs(facts, (open) => open === undefined),
  },
  no_other_rental: {
    words: "No rental of another booking may be open.",
    judge: (facts, { booking }) =>
      booking === undefined ? "met" : rentalIs(facts, (open) => (open ?? booking) === booking),
  },
  rental_open: {
    words: "The rental of this booking must be open in the car.",
    judge: (facts, { booking }) =>
      booking === undefined ? "unmet" : rentalIs(facts, (open) => open === booking),
  },
  command_armed: {
    words: "The command to take back must be armed.",
    judge: (facts, { target }) =>
      target !== undefined && facts.armed?.id === target ? "met" : "unmet",
  },
  operators_to_cancel: {
    words: "Only the operator's own people, who name no booking, take back the end of a rental.",
    // Who may ask for a customer must name a booking, which is signed: without one it is the operator's.
    judge: ({ armed }, { booking }) =>
      armed?.action === "terminate" && booking !== undefined ? "unmet" : "met",
  },
  storage: {
    words: "The car's own record of the immobiliser must be writable.",
    judge: (facts) => (facts.storageWorks ? "met" : "unmet"),
  },
};

/** What a tenant may ask of a car that is given back. */
export const END_CONDITION_WORDS: Readonly<Record<EndCondition, string>> = {
  doors_closed: "All doors, the trunk and the hood must be closed.",
  windows_closed: "All windows must be closed.",
  lights_off: "The lights must be off.",
  key_in_holder: "The key must be in its holder.",
  fuel_card_in_holder: "The fuel card must be in its holder.",
  parking_brake: "The parking brake must be on.",
  in_zone: "The car must be parked where a rental may end.",
  plugged_in: "The charging cable must be plugged in.",
};

/** Whether a condition of the end of a rental holds. */
export function judgeEnd(condition: EndCondition, facts: CarFacts): Holds {
  return isTrue(facts.end[condition]);
}
