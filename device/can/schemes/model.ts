/** What a collection scheme says: which signals become events, and when. */
import type { EventKind, SignalName } from "@kerbside/protocol";

/**
 * The event a rule gives rise to. Each field is an expression, or the name of a signal for types that expressions
 * don't know. A field that is unknown is left out; where the kind needs it, the event is not sent.
 */
export type Emit = {
  readonly kind: EventKind;
  readonly data: Readonly<Record<string, string>>;
};

/** `values` of signals at one moment, as `signals.changed` or `signals.sampled`. */
export type Sample = {
  readonly signals: readonly SignalName[];
  readonly everyMs: number;
  readonly beforeMs: number;
  readonly afterMs: number;
};

type Named = { readonly name: string };

/** When one of the signals has a new good value; the first one after the start counts as new. */
export type ChangeRule = Named & {
  readonly on: "change";
  readonly signals: readonly SignalName[];
  /** Numbers that differ by no more than this from what was last sent are not new. */
  readonly deadband?: Readonly<Partial<Record<SignalName, number>>>;
  /** What comes sooner waits, and the newest is sent then. */
  readonly minIntervalMs?: number;
  /** Absent: `signals.changed` with those of the signals that are known. */
  readonly emit?: Emit;
};

/** Every so often, while a condition holds (always, if there is none). */
export type PeriodicRule = Named & {
  readonly on: "periodic";
  readonly everyMs: number;
  readonly while?: string;
  /** For `signals.sampled`, where `emit` is absent. */
  readonly signals?: readonly SignalName[];
  readonly emit?: Emit;
};

/** Once when a condition becomes true, and again only after it was false. Unknown changes nothing. */
export type ConditionRule = Named & {
  readonly on: "condition";
  readonly when: string;
  /** Must hold, and have held before the condition became true: "a door opens while the car is locked". */
  readonly while?: string;
  /** It must have held this long. */
  readonly forMs?: number;
  /** Not again within this. */
  readonly minIntervalMs?: number;
  readonly emit?: Emit;
  readonly sample?: Sample;
};

/** Start and end of trips, and where the car was parked. */
export type TripRule = Named & {
  readonly on: "trip";
  /** The ignition must have been off this long for the trip to be over. */
  readonly endMs: number;
};

/** All bolts seen locked, or one seen unlocked. */
export type LockRule = Named & { readonly on: "lock" };

export type Rule = ChangeRule | PeriodicRule | ConditionRule | TripRule | LockRule;

export type Scheme = {
  readonly $schema?: string;
  readonly format: 1;
  readonly name: string;
  readonly version: number;
  /** Schemes of higher priority are heard first; beyond the bounds of the collector the lowest give way. */
  readonly priority: number;
  /** Unix milliseconds; from then on it collects nothing. Judged by the car's wall clock. */
  readonly expiresAtMs?: number;
  readonly rules: readonly Rule[];
};
