/** Rules with a memory of the car: its trips, its locks, and how far it was moved. */
import type { SignalName } from "@kerbside/protocol";
import { distanceM, type Place } from "../distance.ts";
import { eventOf } from "./emit.ts";
import type { LockRule, TripRule } from "./model.ts";
import type { Out, RunningRule } from "./rule.ts";
import { LOCKS, TRIP_SIGNALS, type View } from "./view.ts";

const NEVER = Number.POSITIVE_INFINITY;
/** Above this the car drives: a trip has begun. */
const DRIVING_KMH = 3;
const M_PER_MS_KMH = 1 / 3600;

/** What moved the bolts, as far as the agent knows. Undefined: nothing that it did. */
export type LockCause = () =>
  | { readonly cause: "command" | "access"; readonly booking?: string }
  | undefined;

/** Keeps `car.locked`. A bolt under way is unknown, and changes nothing. */
export function lockRule(
  rule: LockRule,
  provided: (name: SignalName) => boolean,
  cause: LockCause | undefined,
): RunningRule {
  const bolts = LOCKS.filter(provided);
  let told: boolean | undefined;
  return {
    name: rule.name,
    keepsCar: true,
    wants: bolts,
    change: (view, { bootMs }, out) => {
      const states = bolts.map((name) => view.signal(name));
      if (states.some((state) => state === undefined)) return;
      const locked = states.every((state) => state === true);
      view.setCar("car.locked", locked);
      if (locked === told) return;
      const first = told === undefined;
      told = locked;
      const by = cause?.();
      const what = by ?? { cause: first || cause === undefined ? "unknown" : "manual" };
      const event = eventOf("lock.changed", { locked, ...what }, bootMs);
      if (event !== undefined) out(event);
    },
    dueMs: () => NEVER,
    due: () => {},
  };
}

/** A trip under way, as it outlives the agent. Times are of the boot clock at hand, so they may lie before its zero. */
export type KnownTrip = {
  readonly startMs: number;
  readonly startOdometerM?: number;
  /** Driven by speed and time, as far as it was known when this was written. */
  readonly integralM: number;
};

/** Where the trip under way is kept; undefined: there is none. Must not throw. */
export type TripMemory = {
  readonly read: () => KnownTrip | undefined;
  readonly write: (trip: KnownTrip | undefined) => void;
};

type Trip =
  | { readonly value: "parked" }
  /** The agent ended during a trip: whether that goes on is not yet known. */
  | (Begun & { readonly value: "resumed" })
  | (Begun & { readonly value: "driving" })
  | (Begun & { readonly value: "ending"; readonly offMs: number; readonly endsAtMs: number });
type Begun = { readonly startMs: number; readonly startOdometerM: number | undefined };

/** A car whose ignition cannot be seen any more has been parked; its bus sleeps. */
const UNSEEN_END_MS = 60_000;

const OFF: ReadonlySet<unknown> = new Set(["OFF", "LOCK", "ACC"]);

/** Keeps `car.ignition`, `car.onTrip` and `car.movedM`. */
export function tripRule(
  rule: TripRule,
  booking: (() => string | undefined) | undefined,
  memory: TripMemory | undefined,
): RunningRule {
  const tracker = new TripTracker(rule.endMs, booking, memory);
  return {
    name: rule.name,
    keepsCar: true,
    wants: TRIP_SIGNALS,
    change: (view, { bootMs }, out) => tracker.change(view, bootMs, out),
    dueMs: () => tracker.dueMs(),
    due: (view, nowMs, out) => tracker.due(view, nowMs, out),
  };
}

class TripTracker {
  readonly #endMs: number;
  readonly #booking: (() => string | undefined) | undefined;
  #trip: Trip = { value: "parked" };
  /** By speed and time, for cars whose odometer is not known. */
  #integralM = 0;
  #lastSpeed: { readonly kmh: number; readonly bootMs: number } | undefined;
  #parkedAt: Place | undefined;

  readonly #memory: TripMemory | undefined;

  constructor(
    endMs: number,
    booking: (() => string | undefined) | undefined,
    memory: TripMemory | undefined,
  ) {
    this.#endMs = endMs;
    this.#booking = booking;
    this.#memory = memory;
    const known = memory?.read();
    if (known === undefined) return;
    const { startMs, startOdometerM, integralM } = known;
    this.#trip = { value: "resumed", startMs, startOdometerM };
    this.#integralM = integralM;
  }

  change(view: View, bootMs: number, out: Out): void {
    const state = view.signal("Vehicle.LowVoltageSystemState");
    const on = state === undefined ? undefined : !OFF.has(state);
    const kmh = view.number("Vehicle.Speed");
    if (on !== undefined) view.setCar("car.ignition", on);
    this.#integrate(kmh, bootMs);
    this.#place(view);
    const trip = this.#trip;
    switch (trip.value) {
      case "resumed":
        view.setCar("car.onTrip", true);
        if (on === true) this.#trip = { ...trip, value: "driving" };
        else this.#end(trip, bootMs, on === false ? this.#endMs : UNSEEN_END_MS);
        return;
      case "parked":
        if (on === true && kmh !== undefined && kmh > DRIVING_KMH) this.#start(view, bootMs, out);
        return;
      case "driving":
        if (on === true) return;
        this.#end(trip, bootMs, on === false ? this.#endMs : UNSEEN_END_MS);
        return;
      case "ending":
        if (on === true) this.#trip = { ...trip, value: "driving" };
        else if (on === false && trip.endsAtMs > bootMs + this.#endMs) {
          this.#end(trip, bootMs, this.#endMs);
        }
        return;
    }
  }

  #end({ startMs, startOdometerM }: Begun, offMs: number, waitMs: number): void {
    this.#trip = { value: "ending", startMs, startOdometerM, offMs, endsAtMs: offMs + waitMs };
    this.#remember({ startMs, startOdometerM });
  }

  #remember({ startMs, startOdometerM }: Begun): void {
    const integralM = Math.round(this.#integralM);
    const odometer = startOdometerM === undefined ? {} : { startOdometerM };
    this.#memory?.write({ startMs, ...odometer, integralM });
  }

  dueMs(): number {
    switch (this.#trip.value) {
      case "resumed":
        return Number.NEGATIVE_INFINITY;
      case "ending":
        return this.#trip.endsAtMs;
      default:
        return NEVER;
    }
  }

  due(view: View, nowMs: number, out: Out): void {
    const trip = this.#trip;
    if (trip.value === "resumed") this.change(view, nowMs, out);
    if (trip.value !== "ending" || nowMs < trip.endsAtMs) return;
    this.#trip = { value: "parked" };
    this.#memory?.write(undefined);
    view.setCar("car.onTrip", false);
    const odometerM = view.number("Vehicle.TraveledDistance");
    const known = odometerM !== undefined && trip.startOdometerM !== undefined;
    const byOdometer = known ? odometerM - trip.startOdometerM : -1;
    const data = {
      distanceM: byOdometer >= 0 ? byOdometer : Math.round(this.#integralM),
      durationS: Math.max(0, Math.round((trip.offMs - trip.startMs) / 1000)),
      ...this.#common(view),
    };
    emit(out, "trip.ended", data, nowMs);
    const here = placeOf(view);
    this.#parkedAt = here;
    view.setCar("car.movedM", here === undefined ? undefined : 0);
    if (here === undefined) return;
    emit(out, "vehicle.parked", { ...here, ...defined({ odometerM }) }, nowMs);
  }

  #start(view: View, bootMs: number, out: Out): void {
    const startOdometerM = view.number("Vehicle.TraveledDistance");
    this.#trip = { value: "driving", startMs: bootMs, startOdometerM };
    this.#integralM = 0;
    this.#remember({ startMs: bootMs, startOdometerM });
    this.#parkedAt = undefined;
    view.setCar("car.onTrip", true);
    view.setCar("car.movedM", undefined);
    emit(out, "trip.started", this.#common(view), bootMs);
  }

  #common(view: View): Readonly<Record<string, unknown>> {
    return defined({
      odometerM: view.number("Vehicle.TraveledDistance"),
      fuelPercent: view.number("Vehicle.Powertrain.FuelSystem.RelativeLevel"),
      chargePercent: view.number("Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed"),
      booking: this.#booking?.(),
    });
  }

  /** Speed holds until the next one is told. */
  #integrate(kmh: number | undefined, bootMs: number): void {
    const last = this.#lastSpeed;
    if (last !== undefined) this.#integralM += last.kmh * M_PER_MS_KMH * (bootMs - last.bootMs);
    this.#lastSpeed = kmh === undefined ? undefined : { kmh, bootMs };
  }

  /** How far from where it was parked, by position: what nobody drives should not move. */
  #place(view: View): void {
    if (this.#trip.value !== "parked") return;
    const here = placeOf(view);
    if (here === undefined) return;
    this.#parkedAt ??= here;
    view.setCar("car.movedM", distanceM(this.#parkedAt, here));
  }
}

function placeOf(view: View): Place | undefined {
  const latitude = view.number("Vehicle.CurrentLocation.Latitude");
  const longitude = view.number("Vehicle.CurrentLocation.Longitude");
  return latitude === undefined || longitude === undefined ? undefined : { latitude, longitude };
}

function defined(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function emit(out: Out, kind: Parameters<typeof eventOf>[0], data: unknown, bootMs: number): void {
  const event = eventOf(kind, data, bootMs);
  if (event !== undefined) out(event);
}
