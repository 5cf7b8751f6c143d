/**
 * The signals a car may report, by COVESA VSS 6.0 names and units, with the class and tag of each (P-20).
 * A signal's code is its number on the wire: rows are only ever appended.
 */
import type { DataClass, PersonalTag } from "./schema.ts";

export type SignalType = "boolean" | "float" | "uint32" | "string" | "string[]";
export type SignalRow = {
  readonly code: number;
  readonly type: SignalType;
  readonly unit?: string;
  /** Inclusive bounds of a plausible value; outside them a value is `invalid`. */
  readonly range?: readonly [number, number];
  /** For strings: the values allowed. */
  readonly values?: readonly string[];
  readonly class: DataClass;
  readonly tag?: PersonalTag;
};

const flag = (code: number): SignalRow => ({
  code,
  type: "boolean",
  class: "Confidential",
  tag: "SPI",
});
const number = (code: number, unit: string, min: number, max: number): SignalRow => ({
  code,
  type: "float",
  unit,
  range: [min, max],
  class: "Confidential",
  tag: "SPI",
});
/** Of the car alone: says nothing of who drives it where. */
const technical = (code: number, unit: string, min: number, max: number): SignalRow => ({
  code,
  type: "float",
  unit,
  range: [min, max],
  class: "Internal",
});
const place = (code: number, unit: string, min: number, max: number): SignalRow => ({
  ...number(code, unit, min, max),
  tag: "GEO",
});

export const SIGNALS = {
  "Vehicle.Speed": number(1, "km/h", 0, 400),
  "Vehicle.TraveledDistance": { ...number(2, "m", 0, 4_294_967_295), type: "uint32" },
  "Vehicle.Powertrain.FuelSystem.RelativeLevel": number(3, "percent", 0, 100),
  "Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed": number(4, "percent", 0, 100),
  "Vehicle.Powertrain.Range": { ...number(5, "m", 0, 4_294_967_295), type: "uint32" },
  "Vehicle.Powertrain.TractionBattery.Charging.ChargingPort.AnyPosition.IsChargingCableConnected":
    flag(6),
  "Vehicle.Powertrain.TractionBattery.Charging.IsCharging": flag(7),
  "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen": flag(8),
  "Vehicle.Cabin.Door.Row1.DriverSide.IsLocked": flag(9),
  "Vehicle.Cabin.Door.Row1.PassengerSide.IsOpen": flag(10),
  "Vehicle.Cabin.Door.Row1.PassengerSide.IsLocked": flag(11),
  "Vehicle.Cabin.Door.Row2.DriverSide.IsOpen": flag(12),
  "Vehicle.Cabin.Door.Row2.DriverSide.IsLocked": flag(13),
  "Vehicle.Cabin.Door.Row2.PassengerSide.IsOpen": flag(14),
  "Vehicle.Cabin.Door.Row2.PassengerSide.IsLocked": flag(15),
  "Vehicle.Body.Trunk.Rear.IsOpen": flag(16),
  "Vehicle.Body.Trunk.Rear.IsLocked": flag(17),
  "Vehicle.Body.Hood.IsOpen": flag(18),
  "Vehicle.Cabin.Seat.Row1.DriverSide.IsBelted": flag(19),
  "Vehicle.LowVoltageSystemState": {
    code: 20,
    type: "string",
    values: ["UNDEFINED", "LOCK", "OFF", "ACC", "ON", "START"],
    class: "Confidential",
    tag: "SPI",
  },
  "Vehicle.LowVoltageBattery.CurrentVoltage": technical(21, "V", 0, 60),
  "Vehicle.VehicleIdentification.VIN": {
    code: 22,
    type: "string",
    class: "Confidential",
    tag: "PPI",
  },
  "Vehicle.CurrentLocation.Latitude": place(23, "degrees", -90, 90),
  "Vehicle.CurrentLocation.Longitude": place(24, "degrees", -180, 180),
  "Vehicle.CurrentLocation.Heading": place(25, "degrees", 0, 360),
  "Vehicle.CurrentLocation.Altitude": place(26, "m", -500, 10_000),
  "Vehicle.Body.Lights.Beam.Low.IsOn": flag(27),
  "Vehicle.Chassis.ParkingBrake.IsEngaged": flag(28),
  "Vehicle.Diagnostics.DTCList": { code: 29, type: "string[]", class: "Internal" },
  "Vehicle.Powertrain.CombustionEngine.Speed": number(30, "rpm", 0, 20_000),
  "Vehicle.Powertrain.CombustionEngine.ECT": technical(31, "celsius", -50, 200),
  "Vehicle.Exterior.AirTemperature": technical(32, "celsius", -60, 80),
  "Vehicle.Acceleration.Longitudinal": number(33, "m/s^2", -100, 100),
  "Vehicle.Acceleration.Lateral": number(34, "m/s^2", -100, 100),
  "Vehicle.Chassis.Accelerator.PedalPosition": number(35, "percent", 0, 100),
  "Vehicle.Chassis.Brake.PedalPosition": number(36, "percent", 0, 100),
  "Vehicle.Powertrain.Transmission.CurrentGear": number(37, "", -1, 16),
  "Vehicle.Cabin.Door.Row1.DriverSide.Window.IsOpen": flag(38),
  "Vehicle.Cabin.Door.Row1.PassengerSide.Window.IsOpen": flag(39),
  "Vehicle.Cabin.Door.Row2.DriverSide.Window.IsOpen": flag(40),
  "Vehicle.Cabin.Door.Row2.PassengerSide.Window.IsOpen": flag(41),
  // Of no VSS leaf: the receiver's own (Doppler) speed, a witness of motion apart from the wheels.
  "Vehicle.CurrentLocation.Speed": { ...place(44, "km/h", 0, 400), tag: "SPI" },
  // Of no VSS leaf: the holders of a shared car, as an overlay under the cabin.
  "Vehicle.Cabin.Holder.Key.IsPresent": flag(42),
  "Vehicle.Cabin.Holder.FuelCard.IsPresent": flag(43),
} as const satisfies Record<string, SignalRow>;

export type SignalName = keyof typeof SIGNALS;
export type SignalValue = boolean | number | string | readonly string[];
/** `stale`: older than its own period allows. `invalid`: counter, checksum or range wrong. `unknown`: never seen, or the car says "not available". */
export const QUALITIES = ["good", "stale", "invalid", "unknown"] as const;
export type Quality = (typeof QUALITIES)[number];

/** A value as the car knows it. Where `quality` is not `good` the value is the last good one, if there was one. */
export type Signal = {
  readonly name: SignalName;
  readonly value: SignalValue | undefined;
  readonly quality: Quality;
  /** When the frame that carried it arrived, in milliseconds since the boot (a clock that counts suspend). */
  readonly bootMs: number;
};

const NAMES_BY_CODE: ReadonlyMap<number, SignalName> = new Map(
  (Object.keys(SIGNALS) as SignalName[]).map((name) => [SIGNALS[name].code, name]),
);

export function isSignalName(value: unknown): value is SignalName {
  return typeof value === "string" && Object.hasOwn(SIGNALS, value);
}

export function signalByCode(code: number): SignalName | undefined {
  return NAMES_BY_CODE.get(code);
}

/** The row of a signal, as its general type. */
export function signalRow(name: SignalName): SignalRow {
  return SIGNALS[name];
}

/** Why a value is not one this signal may have, or undefined if it is. */
export function signalValueError(name: SignalName, value: unknown): string | undefined {
  const row = signalRow(name);
  switch (row.type) {
    case "boolean":
      return typeof value === "boolean" ? undefined : `${name}: expected true or false`;
    case "string":
      if (typeof value !== "string" || value.length > STRING_CHARS_MAX)
        return `${name}: expected text`;
      return row.values === undefined || row.values.includes(value)
        ? undefined
        : `${name}: expected one of ${row.values.join(", ")}`;
    case "string[]": {
      const ok = Array.isArray(value) && value.length <= STRINGS_MAX && value.every(isShortText);
      return ok ? undefined : `${name}: expected at most ${STRINGS_MAX} short texts`;
    }
    case "uint32":
    case "float": {
      const [min, max] = row.range ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
      const whole = row.type === "float" || Number.isInteger(value);
      return typeof value === "number" && whole && value >= min && value <= max
        ? undefined
        : `${name}: expected ${row.type} from ${min} to ${max}`;
    }
  }
}

const STRING_CHARS_MAX = 64;
const STRINGS_MAX = 64;
const isShortText = (v: unknown): boolean => typeof v === "string" && v.length <= STRING_CHARS_MAX;
