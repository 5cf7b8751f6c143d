/**
 * The rental as the car itself keeps it, a pure machine with effects as data. Who may open or end one is decided
 * elsewhere; here is what it is in: begun and not yet used, driving, or parked. Nothing in it locks, unlocks or
 * inhibits anything, and neither time nor silence ends a rental in which somebody has been in the car.
 */
import type { RENTAL_OPENERS, RentalPolicy } from "@kerbside/protocol";

export type RentalOpener = (typeof RENTAL_OPENERS)[number];
export type RentalPhase = "unstarted" | "driving" | "parked";
export type RentalEnd = "ended" | "terminated" | "unstarted";

export type OpenRental = {
  readonly value: "open";
  readonly booking: string;
  readonly openedBy: RentalOpener;
  /** Which card or phone, as the access list names it; none for a command. */
  readonly credential?: string;
  readonly phase: RentalPhase;
};
export type Rental =
  | { readonly value: "none" }
  /** The car's record of it is lost: there may be one. */
  | { readonly value: "unknown" }
  | OpenRental;

export type RentalInput =
  | {
      readonly type: "opened";
      readonly booking: string;
      readonly by: RentalOpener;
      readonly credential?: string | undefined;
      /** The ignition is seen on as it opens: whoever opens it is under way already. */
      readonly ignitionOn: boolean;
    }
  | { readonly type: "ignition"; readonly on: boolean }
  | { readonly type: "door_opened" }
  | { readonly type: "moved" }
  /** `idleMs`: since it was opened or, if that is later, since the module's start. */
  | { readonly type: "tick"; readonly idleMs: number }
  | {
      readonly type: "closed";
      readonly how: RentalEnd;
      readonly booking: string;
      readonly flagged: readonly string[];
    };

export type RentalEffect =
  | { readonly type: "record" }
  | { readonly type: "started"; readonly booking: string; readonly openedBy: RentalOpener }
  | {
      readonly type: "ended";
      readonly booking: string;
      readonly how: RentalEnd;
      readonly flagged: readonly string[];
    };
export type RentalStep = { readonly rental: Rental; readonly effects: readonly RentalEffect[] };

const NONE: Rental = { value: "none" };
const RECORD: RentalEffect = { type: "record" };

/** Steps the machine. What changes nothing has no effects. */
export function nextRental(rental: Rental, input: RentalInput, policy: RentalPolicy): RentalStep {
  switch (input.type) {
    case "opened":
      return open(rental, input);
    case "closed":
      return close(rental, input);
    case "tick":
      return tick(rental, input.idleMs, policy);
    case "ignition":
      if (input.on) return toPhase(rental, "driving", ["unstarted", "parked"]);
      // An ignition that goes off before anybody used the car begins no trip.
      return toPhase(rental, "parked", ["driving"]);
    case "moved":
      return toPhase(rental, "driving", ["unstarted", "parked"]);
    case "door_opened":
      return toPhase(rental, "parked", ["unstarted"]);
  }
}

/** The same booking opens it once; another one's does not take it over (the interlocks refuse that before). */
function open(rental: Rental, input: Extract<RentalInput, { type: "opened" }>): RentalStep {
  if (rental.value === "open") return { rental, effects: [] };
  const { booking, by, credential, ignitionOn } = input;
  const opened: OpenRental = {
    value: "open",
    booking,
    openedBy: by,
    ...(credential === undefined ? {} : { credential }),
    phase: ignitionOn ? "driving" : "unstarted",
  };
  return { rental: opened, effects: [RECORD, { type: "started", booking, openedBy: by }] };
}

function close(rental: Rental, input: Extract<RentalInput, { type: "closed" }>): RentalStep {
  const { booking, how, flagged } = input;
  const isOther = rental.value === "open" && rental.booking !== booking;
  if (rental.value === "none" || isOther) return { rental, effects: [] };
  return { rental: NONE, effects: [RECORD, { type: "ended", booking, how, flagged }] };
}

function tick(rental: Rental, idleMs: number, { unstartedMs }: RentalPolicy): RentalStep {
  const isIdle = rental.value === "open" && rental.phase === "unstarted";
  if (!isIdle || unstartedMs === 0 || idleMs < unstartedMs) return { rental, effects: [] };
  const { booking } = rental;
  return {
    rental: NONE,
    effects: [RECORD, { type: "ended", booking, how: "unstarted", flagged: [] }],
  };
}

function toPhase(
  rental: Rental,
  phase: "driving" | "parked",
  from: readonly RentalPhase[],
): RentalStep {
  if (rental.value !== "open" || !from.includes(rental.phase)) return { rental, effects: [] };
  return { rental: { ...rental, phase }, effects: [RECORD] };
}
