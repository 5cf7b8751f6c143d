/**
 * From events to the state of a car, as a pure function. What no event has said stays undefined: unknown is shown as
 * unknown, never as closed, locked or standing.
 */
import type { CarEvent, Told } from "./types.ts";

export type Place = { readonly latitude: number; readonly longitude: number; readonly at: string };
export type Trip = {
  readonly startedAt: string;
  /** Missing while it is under way. */
  readonly endedAt?: string;
  readonly distanceM?: number;
  readonly durationS?: number;
};
export type CarState = {
  locked?: boolean;
  ignition?: string;
  speedKmh?: number;
  odometerM?: number;
  fuelPercent?: number;
  chargePercent?: number;
  batteryLowV?: number;
  headingDeg?: number;
  place?: Place;
  seenAt?: string;
  readonly doors: Record<string, boolean>;
  readonly faults: Set<string>;
  readonly track: Place[];
  /** Unix seconds and km/h, for a plot. */
  readonly speeds: (readonly [atS: number, speedKmh: number])[];
  readonly trips: Trip[];
};

const TRACK_MAX = 2000;

type Values = Readonly<Record<string, unknown>>;
const numberIn = (values: Values, name: string): number | undefined =>
  typeof values[name] === "number" ? values[name] : undefined;

const DOOR_SIGNALS: Readonly<Record<string, string>> = {
  "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen": "driver",
  "Vehicle.Cabin.Door.Row1.PassengerSide.IsOpen": "passenger",
  "Vehicle.Cabin.Door.Row2.DriverSide.IsOpen": "rearDriver",
  "Vehicle.Cabin.Door.Row2.PassengerSide.IsOpen": "rearPassenger",
  "Vehicle.Body.Trunk.Rear.IsOpen": "trunk",
  "Vehicle.Body.Hood.IsOpen": "hood",
};

type Take = (state: CarState, data: Values, at: string) => void;

function speed(state: CarState, value: number | undefined, at: string): void {
  if (value === undefined) return;
  state.speedKmh = value;
  state.speeds.push([Date.parse(at) / 1000, value]);
}

function place(state: CarState, data: Values, at: string): void {
  const [latitude, longitude] = [numberIn(data, "latitude"), numberIn(data, "longitude")];
  if (latitude === undefined || longitude === undefined) return;
  const last = state.track.at(-1);
  state.place = { latitude, longitude, at };
  if (last?.latitude === latitude && last.longitude === longitude) return;
  state.track.push(state.place);
  if (state.track.length > TRACK_MAX) state.track.shift();
}

function totals(state: CarState, data: Values): void {
  const odometerM = numberIn(data, "odometerM");
  const fuelPercent = numberIn(data, "fuelPercent");
  const chargePercent = numberIn(data, "chargePercent");
  if (odometerM !== undefined) state.odometerM = odometerM;
  if (fuelPercent !== undefined) state.fuelPercent = fuelPercent;
  if (chargePercent !== undefined) state.chargePercent = chargePercent;
}

const signals: Take = (state, data, at) => {
  const values = (data["values"] ?? {}) as Values;
  speed(state, numberIn(values, "Vehicle.Speed"), at);
  for (const [name, door] of Object.entries(DOOR_SIGNALS)) {
    if (typeof values[name] === "boolean") state.doors[door] = values[name];
  }
  const ignition = values["Vehicle.LowVoltageSystemState"];
  if (typeof ignition === "string") state.ignition = ignition;
  const odometerM = numberIn(values, "Vehicle.TraveledDistance");
  if (odometerM !== undefined) state.odometerM = odometerM;
  const latitude = values["Vehicle.CurrentLocation.Latitude"];
  const longitude = values["Vehicle.CurrentLocation.Longitude"];
  place(state, { latitude, longitude }, at);
};

const TAKES: Readonly<Record<string, Take>> = {
  // What was wrong before is raised anew if it still is.
  "agent.started": (state) => state.faults.clear(),
  "lock.changed": (state, data) => {
    state.locked = data["locked"] === true;
  },
  "door.changed": (state, data) => {
    state.doors[String(data["door"])] = data["open"] === true;
  },
  "ignition.changed": (state, data) => {
    state.ignition = String(data["state"]);
    if (state.ignition !== "ON" && state.ignition !== "START") state.speedKmh = 0;
  },
  "fault.raised": (state, data) => {
    state.faults.add(String(data["code"]));
  },
  "fault.cleared": (state, data) => {
    state.faults.delete(String(data["code"]));
  },
  "battery.low": (state, data) => {
    const voltageV = numberIn(data, "voltageV");
    if (voltageV !== undefined) state.batteryLowV = voltageV;
  },
  "position.sampled": (state, data, at) => {
    place(state, data, at);
    speed(state, numberIn(data, "speedKmh"), at);
    const headingDeg = numberIn(data, "headingDeg");
    if (headingDeg !== undefined) state.headingDeg = headingDeg;
  },
  "vehicle.parked": (state, data, at) => {
    place(state, data, at);
    state.speedKmh = 0;
  },
  "trip.started": (state, _data, at) => {
    state.trips.push({ startedAt: at });
  },
  "trip.ended": (state, data, at) => {
    const durationS = numberIn(data, "durationS") ?? 0;
    const startedAt = new Date(Date.parse(at) - durationS * 1000).toISOString();
    const open = state.trips.at(-1);
    if (open !== undefined && open.endedAt === undefined) state.trips.pop();
    const distanceM = numberIn(data, "distanceM") ?? 0;
    state.trips.push({ startedAt, endedAt: at, distanceM, durationS });
  },
  "signals.changed": signals,
  "signals.sampled": signals,
};

/** Of a list of events, what is one; the rest are numbers declared as gone. */
export function isEvent(told: Told): told is CarEvent {
  const { seq, at, kind, data } = told;
  return [seq, at, kind].every((part) => part !== undefined) && typeof data === "object";
}

export function fold(events: readonly CarEvent[]): CarState {
  const state: CarState = { doors: {}, faults: new Set(), track: [], speeds: [], trips: [] };
  const inTime = [...events].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.seq - b.seq));
  for (const { kind, data, at } of inTime) {
    totals(state, data);
    TAKES[kind]?.(state, data, at);
    state.seenAt = at;
  }
  return state;
}

/** The same event may come from two lists. */
export function distinct(events: readonly CarEvent[]): readonly CarEvent[] {
  const byPlace = new Map(
    events.map((event) => [`${event.log} ${event.lane} ${event.seq}`, event]),
  );
  return [...byPlace.values()];
}
