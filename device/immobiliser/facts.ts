/**
 * What the interlocks look at. Each fact is a reading with its quality; a reading that is not `good` is not a value,
 * and what that means is for the row of the action to say.
 */
import {
  type Action,
  END_CONDITIONS,
  type EndCondition,
  type LockAction,
  type Quality,
} from "@kerbside/protocol";

export type Reading<T> =
  | { readonly quality: "good"; readonly value: T }
  | { readonly quality: Exclude<Quality, "good"> };

/** What a car model's profile says of its signals (the profile's `interlocks`). */
export type InterlockParameters = {
  /** Speed must have been at rest this long before the start may be inhibited. Never taken below 2 s. */
  readonly standstillMs: number;
  /** Wheel speeds up to this are rest: some cars report noise. */
  readonly standstillKmhMax: number;
  /** How old a reading may be while the bus is awake. */
  readonly awakeFreshMs: number;
  /** A bus without frames for this long is asleep: then age alone is no reason to distrust a reading. */
  readonly asleepAfterMs: number;
};
/** Standstill: speed 0 for this long, whatever a profile says. */
export const STANDSTILL_MS_MIN = 2000;

export type Armed = {
  /** Hexadecimal. */
  readonly id: string;
  readonly action: Action;
};

/** Built anew from live signals for each command. */
export type CarFacts = {
  /** What this car's lock can be asked to do, by its model and by how it is wired. */
  readonly abilities: ReadonlySet<LockAction>;
  /** Of this car model. */
  readonly limits: Pick<InterlockParameters, "standstillMs" | "standstillKmhMax">;
  /** km/h, from the wheels. */
  readonly speedKmh: Reading<number>;
  /** km/h, from GNSS: a second witness of motion. */
  readonly gnssSpeedKmh: Reading<number>;
  /** Vehicle.LowVoltageSystemState is LOCK or OFF. */
  readonly ignitionOff: Reading<boolean>;
  /** How long the speed has been seen at rest without a break; 0 where it is not. */
  readonly standstillMs: number;
  /** The ignition was seen going off after that standstill had been reached, and no motion since. */
  readonly ignitionOffSeenAfterStandstill: boolean;
  readonly doorsClosed: Reading<boolean>;
  /** The booking of the rental that is open by the car's own record; undefined: none is. */
  readonly openRental: Reading<string | undefined>;
  /** The command that waits for the car to stand; undefined: none does. */
  readonly armed: Armed | undefined;
  /** The two-copy store takes writes. */
  readonly storageWorks: boolean;
  /** What the end of a rental may be asked for. */
  readonly end: Readonly<Record<EndCondition, Reading<boolean>>>;
};

/** Nothing can be told of the end of a rental. */
export const END_UNKNOWN: CarFacts["end"] = Object.fromEntries(
  END_CONDITIONS.map((condition) => [condition, { quality: "unknown" }]),
) as CarFacts["end"];

/**
 * A reading too old to be believed is stale. While the bus is awake that is so after `awakeFreshMs`, even where the
 * signal's own period would allow more; a bus that sleeps says nothing of age.
 */
export function freshReading<T>(
  reading: Reading<T>,
  ageMs: number,
  isBusAsleep: boolean,
  { awakeFreshMs }: Pick<InterlockParameters, "awakeFreshMs">,
): Reading<T> {
  const tooOld = reading.quality === "good" && !isBusAsleep && ageMs > awakeFreshMs;
  return tooOld ? { quality: "stale" } : reading;
}

/** `undefined`: no frame ever came, and a bus that was never heard is not known to sleep. */
export function isBusAsleep(
  lastFrameMs: number | undefined,
  nowMs: number,
  { asleepAfterMs }: Pick<InterlockParameters, "asleepAfterMs">,
): boolean {
  return nowMs - (lastFrameMs ?? Number.POSITIVE_INFINITY) >= asleepAfterMs;
}
