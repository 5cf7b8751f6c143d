// @ts-check
/**
 * From events to the state of a car, as a pure function. What no event has said stays undefined: unknown is shown as
 * unknown, never as closed, locked or standing.
 */

/**
 * @typedef {{ vehicle: string, lane: string, log: string, seq: number, at: string, kind: string, data: any, gap?: [number, number] }} CarEvent
 * @typedef {{ latitude: number, longitude: number, at: string }} Place
 * @typedef {{
 *   locked?: boolean, lockedAt?: string, ignition?: string, speedKmh?: number, odometerM?: number,
 *   fuelPercent?: number, chargePercent?: number, headingDeg?: number, place?: Place, seenAt?: string,
 *   doors: Record<string, boolean>, faults: Record<string, boolean>, track: Place[],
 * }} CarState
 */

const TRACK_MAX = 500;

/** VSS name → what it says of the state. */
/** @type {Record<string, (state: CarState, value: any) => void>} */
const SIGNALS = {
  "Vehicle.Speed": (s, v) => {
    s.speedKmh = v;
  },
  "Vehicle.TraveledDistance": (s, v) => {
    s.odometerM = v;
  },
  "Vehicle.Powertrain.FuelSystem.RelativeLevel": (s, v) => {
    s.fuelPercent = v;
  },
  "Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed": (s, v) => {
    s.chargePercent = v;
  },
  "Vehicle.LowVoltageSystemState": (s, v) => {
    s.ignition = v;
  },
  "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen": (s, v) => {
    s.doors["driver"] = v;
  },
  "Vehicle.Cabin.Door.Row1.PassengerSide.IsOpen": (s, v) => {
    s.doors["passenger"] = v;
  },
  "Vehicle.Cabin.Door.Row2.DriverSide.IsOpen": (s, v) => {
    s.doors["rearDriver"] = v;
  },
  "Vehicle.Cabin.Door.Row2.PassengerSide.IsOpen": (s, v) => {
    s.doors["rearPassenger"] = v;
  },
  "Vehicle.Body.Trunk.Rear.IsOpen": (s, v) => {
    s.doors["trunk"] = v;
  },
  "Vehicle.Body.Hood.IsOpen": (s, v) => {
    s.doors["hood"] = v;
  },
};

/**
 * @param {CarState} state
 * @param {any} data
 */
function common(state, data) {
  for (const name of ["odometerM", "fuelPercent", "chargePercent"]) {
    if (typeof data[name] === "number") Object.assign(state, { [name]: data[name] });
  }
}

/**
 * @param {CarState} state
 * @param {CarEvent} event
 */
function places(state, { data, at }) {
  const { latitude, longitude } = data;
  const place = { latitude, longitude, at };
  const last = state.track.at(-1);
  state.place = place;
  if (last?.latitude === latitude && last?.longitude === longitude) return;
  state.track.push(place);
  if (state.track.length > TRACK_MAX) state.track.shift();
}

/**
 * @param {CarState} state
 * @param {CarEvent} event
 */
function signals(state, event) {
  const { values = {} } = event.data;
  for (const [name, value] of Object.entries(values)) SIGNALS[name]?.(state, value);
  const latitude = values["Vehicle.CurrentLocation.Latitude"];
  const longitude = values["Vehicle.CurrentLocation.Longitude"];
  if (latitude !== undefined && longitude !== undefined) {
    places(state, { ...event, data: { latitude, longitude } });
  }
}

/** @type {Record<string, (state: CarState, event: CarEvent) => void>} */
const KINDS = {
  // What was wrong before is raised anew if it still is.
  "agent.started": (s) => {
    s.faults = {};
  },
  "lock.changed": (s, { data, at }) => {
    s.locked = data.locked;
    s.lockedAt = at;
  },
  "door.changed": (s, { data }) => {
    s.doors[data.door] = data.open;
  },
  "ignition.changed": (s, { data }) => {
    s.ignition = data.state;
    if (data.state !== "ON" && data.state !== "START") s.speedKmh = 0;
  },
  "position.sampled": (s, event) => {
    places(s, event);
    if (event.data.speedKmh !== undefined) s.speedKmh = event.data.speedKmh;
    if (event.data.headingDeg !== undefined) s.headingDeg = event.data.headingDeg;
  },
  "vehicle.parked": (s, event) => {
    places(s, event);
    s.speedKmh = 0;
  },
  "signals.changed": signals,
  "signals.sampled": signals,
  "fault.raised": (s, { data }) => {
    s.faults[data.code] = true;
  },
  "fault.cleared": (s, { data }) => {
    delete s.faults[data.code];
  },
};

/**
 * @param {readonly CarEvent[]} events in any order
 * @returns {CarState}
 */
export function fold(events) {
  /** @type {CarState} */
  const state = { doors: {}, faults: {}, track: [] };
  const inOrder = events
    .filter((event) => event.gap === undefined)
    .toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.seq - b.seq));
  for (const event of inOrder) {
    common(state, event.data);
    KINDS[event.kind]?.(state, event);
    state.seenAt = event.at;
  }
  return state;
}

/**
 * The same event may come from two lists.
 * @param {readonly CarEvent[]} events
 */
export function distinct(events) {
  const seen = new Map();
  for (const event of events) seen.set(`${event.log} ${event.lane} ${event.seq}`, event);
  return [...seen.values()];
}
