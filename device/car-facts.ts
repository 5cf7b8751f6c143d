/** From the car's signals to what interlocks, rental and lock look at. Pure functions over a reader of signals. */
import { type CarFacts, insideAny, type Reading } from "@kerbside/immobiliser";
import type { LockSensed, Signal, SignalName, ZonePoint } from "@kerbside/protocol";

/** What the signal store is asked for here. */
export type Signals = {
  readonly read: (name: SignalName) => Signal;
  readonly provides: (name: SignalName) => boolean;
};

const door = (
  row: 1 | 2,
  side: "Driver" | "Passenger",
): `Vehicle.Cabin.Door.Row${1 | 2}.${"Driver" | "Passenger"}Side` =>
  `Vehicle.Cabin.Door.Row${row}.${side}Side`;
const SIDES = [door(1, "Driver"), door(1, "Passenger"), door(2, "Driver"), door(2, "Passenger")];
export const DOOR_SIGNALS: readonly SignalName[] = [
  ...SIDES.map((side): SignalName => `${side}.IsOpen`),
  "Vehicle.Body.Trunk.Rear.IsOpen",
];
const WINDOWS: readonly SignalName[] = SIDES.map((side): SignalName => `${side}.Window.IsOpen`);
const PASSENGER_LOCKS: readonly SignalName[] = SIDES.slice(1).map(
  (side): SignalName => `${side}.IsLocked`,
);
const IGNITION_OFF: ReadonlySet<unknown> = new Set(["LOCK", "OFF"]);

export function numberOf({ value, quality }: Signal): Reading<number> {
  if (quality !== "good") return { quality };
  return typeof value === "number" ? { quality, value } : { quality: "invalid" };
}

export function ignitionOffOf({ value, quality }: Signal): Reading<boolean> {
  return quality === "good" ? { quality, value: IGNITION_OFF.has(value) } : { quality };
}

/** Whether none of the signals that this car has is true; one that is true decides, one not known leaves it unknown. */
export function noneIsTrue(signals: Signals, names: readonly SignalName[]): Reading<boolean> {
  const all = names.filter((name) => signals.provides(name)).map((name) => signals.read(name));
  if (all.some(({ quality, value }) => quality === "good" && value === true))
    return { quality: "good", value: false };
  const known = all.length > 0 && all.every(({ quality }) => quality === "good");
  return known ? { quality: "good", value: true } : { quality: "unknown" };
}

function isTrue(signals: Signals, name: SignalName): Reading<boolean> {
  const { value, quality } = signals.read(name);
  return quality === "good" ? { quality, value: value === true } : { quality };
}

/** What the end of a rental may be asked for. No zone at all: that cannot be told. */
export function endFacts(
  signals: Signals,
  zones: readonly (readonly ZonePoint[])[],
): CarFacts["end"] {
  const latitude = numberOf(signals.read("Vehicle.CurrentLocation.Latitude"));
  const longitude = numberOf(signals.read("Vehicle.CurrentLocation.Longitude"));
  const isPlaced = latitude.quality === "good" && longitude.quality === "good" && zones.length > 0;
  return {
    doors_closed: noneIsTrue(signals, [...DOOR_SIGNALS, "Vehicle.Body.Hood.IsOpen"]),
    windows_closed: noneIsTrue(signals, WINDOWS),
    lights_off: noneIsTrue(signals, ["Vehicle.Body.Lights.Beam.Low.IsOn"]),
    key_in_holder: isTrue(signals, "Vehicle.Cabin.Holder.Key.IsPresent"),
    fuel_card_in_holder: isTrue(signals, "Vehicle.Cabin.Holder.FuelCard.IsPresent"),
    parking_brake: isTrue(signals, "Vehicle.Chassis.ParkingBrake.IsEngaged"),
    in_zone: isPlaced
      ? {
          quality: "good",
          value: insideAny(zones, { latitude: latitude.value, longitude: longitude.value }),
        }
      : { quality: "unknown" },
    plugged_in: isTrue(
      signals,
      "Vehicle.Powertrain.TractionBattery.Charging.ChargingPort.AnyPosition.IsChargingCableConnected",
    ),
  };
}

type Bolt = LockSensed["boltDriver"];
type Leaf = LockSensed["trunk"];

/**
 * The contacts of a car whose body computer locks it, by its own signals. The immobiliser is not seen there, and a bolt
 * only where it was heard of after `heardSinceMs` of the boot clock.
 */
export function sensedBySignals(
  signals: Signals,
  heardSinceMs: number = Number.NEGATIVE_INFINITY,
): LockSensed {
  const bolt = (name: SignalName): Bolt => {
    const { quality, value, bootMs } = signals.read(name);
    if (quality !== "good" || bootMs <= heardSinceMs) return "unknown";
    return value === true ? "locked" : "unlocked";
  };
  const leaf = (name: SignalName): Leaf => {
    const { quality, value } = signals.read(name);
    return quality === "good" ? (value === true ? "open" : "closed") : "unknown";
  };
  const passengers = PASSENGER_LOCKS.filter((name) => signals.provides(name)).map(bolt);
  const first = passengers[0] ?? "unknown";
  const voltage = numberOf(signals.read("Vehicle.LowVoltageBattery.CurrentVoltage"));
  return {
    boltDriver: bolt(`${door(1, "Driver")}.IsLocked`),
    boltPassengers: passengers.every((one) => one === first) ? first : "unknown",
    boltTrunk: bolt("Vehicle.Body.Trunk.Rear.IsLocked"),
    doorFrontLeft: leaf(`${door(1, "Driver")}.IsOpen`),
    doorFrontRight: leaf(`${door(1, "Passenger")}.IsOpen`),
    doorRearLeft: leaf(`${door(2, "Driver")}.IsOpen`),
    doorRearRight: leaf(`${door(2, "Passenger")}.IsOpen`),
    trunk: leaf("Vehicle.Body.Trunk.Rear.IsOpen"),
    immobiliser: "unknown",
    supplyMv: voltage.quality === "good" ? Math.round(voltage.value * 1000) : 0,
    tamper: "unknown",
  };
}
