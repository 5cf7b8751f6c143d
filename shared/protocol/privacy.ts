/**
 * A tenant's privacy mode: how exactly positions are kept while a car is rented and while it is free. It is applied
 * before anything is stored. Where a car was parked, and what an alarm tells, stays exact: the next rental finds the car
 * by the one, and nobody would look for a stolen car by the other's rounding.
 */
import { eventAtMs } from "./column-check.ts";
import type { CarEvent } from "./events.ts";
import type { VehicleId } from "./ids.ts";
import { isSignalName, signalRow } from "./signals.ts";
import type { AuditEntry } from "./store.ts";

/** `coarse`: within about a kilometre. `none`: that there was one, and no more. */
export const POSITION_RULES = ["exact", "coarse", "none"] as const;
export type PositionRule = (typeof POSITION_RULES)[number];
export type PositionPolicy = { readonly rented: PositionRule; readonly free: PositionRule };
export const POSITIONS_EXACT: PositionPolicy = { rented: "exact", free: "exact" };

export function isPositionRule(value: unknown): value is PositionRule {
  return POSITION_RULES.some((rule) => rule === value);
}

/** Unix time, inclusive. */
export type Span = { readonly fromMs: number; readonly toMs: number };

export type PrivacyStore = {
  /** At most `POLICY_LIFE_MS` behind what another process wrote. */
  readonly positions: () => Promise<PositionPolicy>;
  readonly setPositions: (policy: PositionPolicy, audit: AuditEntry) => Promise<void>;
  /** When the car was, or is to be, in somebody's booking within these times. One that is open has no end yet. */
  readonly rentals: (vehicle: VehicleId, within: Span) => Promise<readonly Span[]>;
  /** Whose car it is, where it is a person's (P-40). */
  readonly ownerOf: (vehicle: VehicleId) => Promise<string | undefined>;
  /** Undefined takes the owner away. */
  readonly setOwner: (
    vehicle: VehicleId,
    person: string | undefined,
    audit: AuditEntry,
  ) => Promise<void>;
  /** The cars of a person. */
  readonly carsOf: (person: string) => Promise<readonly VehicleId[]>;
};
export const POLICY_LIFE_MS = 5000;

/** Two decimals of a degree are 1.1 km from north to south. */
const STEPS_A_DEGREE = 100;
const coarse = (degrees: number): number => Math.round(degrees * STEPS_A_DEGREE) / STEPS_A_DEGREE;

/** The same event with its position as exact as the rule allows; itself where nothing of it is to change. Pure. */
export function withPosition(event: CarEvent, rule: PositionRule): CarEvent {
  if (rule === "exact") return event;
  switch (event.kind) {
    case "position.sampled": {
      if (rule === "none") return { ...timesOf(event), kind: "position.withheld", data: {} };
      const { latitude, longitude, headingDeg: _, accuracyM: _accuracy, ...data } = event.data;
      const place = { latitude: coarse(latitude), longitude: coarse(longitude) };
      return { ...event, data: { ...data, ...place } };
    }
    case "signals.changed":
    case "signals.sampled":
      return { ...event, data: { ...event.data, values: signals(event.data.values, rule) } };
    case "flow.reported": {
      // A number of an operator's own rule may be a place: the schema says so, and nothing says which.
      const values = event.data.values.map(({ number: _, ...value }) => value);
      return { ...event, data: { ...event.data, values } };
    }
    default:
      return event;
  }
}

function timesOf({ bootMs, wallOffsetMs, doubtMs }: CarEvent) {
  return { bootMs, wallOffsetMs, doubtMs };
}

const DEGREES: ReadonlySet<string> = new Set([
  "Vehicle.CurrentLocation.Latitude",
  "Vehicle.CurrentLocation.Longitude",
]);

function signals<T extends Readonly<Partial<Record<string, unknown>>>>(
  values: T,
  rule: PositionRule,
): T {
  const kept = Object.entries(values).flatMap(([name, value]) => {
    const isPlace = isSignalName(name) && signalRow(name).tag === "GEO";
    if (!isPlace) return [[name, value] as const];
    const isRounded = rule === "coarse" && DEGREES.has(name) && typeof value === "number";
    return isRounded ? [[name, coarse(value)] as const] : [];
  });
  // The same names with the same types of values, or fewer of them: all are optional.
  return Object.fromEntries(kept) as T;
}

/** All events by the tenant's policy; the list itself where nothing is to change. Pure. */
export function withPositions(
  events: readonly CarEvent[],
  { rented, free }: PositionPolicy,
  rentals: readonly Span[],
): readonly CarEvent[] {
  return events.map((event) => {
    const atMs = eventAtMs(event);
    const isRented = rentals.some(({ fromMs, toMs }) => atMs >= fromMs && atMs <= toMs);
    return withPosition(event, isRented ? rented : free);
  });
}
