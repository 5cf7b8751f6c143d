/**
 * What the interlocks look at. Each fact is a reading with its quality; a reading that is not `good` is not a value,
 * and what that means is for the row of the action to say.
 */
import type { Quality } from "@kerbside/protocol";

export type Reading<T> =
  | { readonly quality: "good"; readonly value: T }
  | { readonly quality: Exclude<Quality, "good"> };

/** Built anew from live signals for each command. */
export type CarFacts = {
  /** km/h, from the wheels. */
  readonly speedKmh: Reading<number>;
  /** km/h, from GNSS: a second witness of motion. */
  readonly gnssSpeedKmh: Reading<number>;
  /** Vehicle.LowVoltageSystemState is LOCK or OFF. */
  readonly ignitionOff: Reading<boolean>;
  /** How long the speed has been seen at 0 without a break; 0 where it is not. */
  readonly standstillMs: number;
  /** The ignition was seen going off after that standstill had been reached. */
  readonly ignitionOffSeenAfterStandstill: boolean;
  readonly doorsClosed: Reading<boolean>;
  /** No rental is open, by the car's own record. Where there is no record, that cannot be told. */
  readonly noRentalOpen: Reading<boolean>;
  /** The two-copy store takes writes. */
  readonly storageWorks: boolean;
};
