/**
 * What rules see: the good values of signals, the profile's limits, and a few facts about the car that take
 * memory. All of it by name, so that expressions can read it.
 */
import {
  isSignalName,
  SIGNALS,
  type Signal,
  type SignalName,
  type SignalValue,
  signalRow,
} from "@kerbside/protocol";
import type { ExpressionType, ExpressionValue } from "../expression/index.ts";
import { expressionTypeOf } from "../profile/convert.ts";
import type { Limits } from "../profile/index.ts";

export const LOCKS: readonly SignalName[] = Object.keys(SIGNALS).filter(isLock);
function isLock(name: string): name is SignalName {
  return name.endsWith(".IsLocked");
}

/** What the memory of trips is made from. */
export const TRIP_SIGNALS: readonly SignalName[] = [
  "Vehicle.LowVoltageSystemState",
  "Vehicle.Speed",
  "Vehicle.CurrentLocation.Latitude",
  "Vehicle.CurrentLocation.Longitude",
];

type VariableRow = { readonly type: ExpressionType; readonly from: readonly SignalName[] };

export type CarVariable = "car.locked" | "car.ignition" | "car.onTrip" | "car.movedM";

/**
 * Variables that are no signals, and the signals that change them. Unknown until those are seen, then what was
 * seen last: `car.locked` at rest, `car.movedM` in metres from where it was parked.
 */
const CAR_VARIABLES: Readonly<Record<CarVariable, VariableRow>> = {
  "car.locked": { type: "boolean", from: LOCKS },
  "car.ignition": { type: "boolean", from: TRIP_SIGNALS },
  "car.onTrip": { type: "boolean", from: TRIP_SIGNALS },
  "car.movedM": { type: "number", from: TRIP_SIGNALS },
};

function carVariable(name: string): VariableRow | undefined {
  const rows: Readonly<Record<string, VariableRow>> = CAR_VARIABLES;
  return Object.hasOwn(rows, name) ? rows[name] : undefined;
}

/** The signals whose changes may change what an expression over these variables gives. */
export function signalsBehind(names: readonly string[]): ReadonlySet<SignalName> {
  return new Set(
    names.flatMap((name) => (isSignalName(name) ? [name] : (carVariable(name)?.from ?? []))),
  );
}

const LIMITS: readonly (keyof Limits)[] = [
  "fuelLowPercent",
  "chargeLowPercent",
  "batteryLowV",
  "harshBrakingMps2",
  "impactMps2",
];

export class View {
  readonly #limits: Limits;
  readonly #values = new Map<SignalName, SignalValue>();
  readonly #car = new Map<string, ExpressionValue>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  take({ name, value, quality }: Signal): void {
    if (quality === "good" && value !== undefined) this.#values.set(name, value);
    else this.#values.delete(name);
  }

  /** The signal's value if it is good. */
  signal(name: SignalName): SignalValue | undefined {
    return this.#values.get(name);
  }

  number(name: SignalName): number | undefined {
    const value = this.#values.get(name);
    return typeof value === "number" ? value : undefined;
  }

  setCar(name: CarVariable, value: ExpressionValue | undefined): void {
    if (value === undefined) this.#car.delete(name);
    else this.#car.set(name, value);
  }

  /** Reads any variable, for expressions. */
  readonly read = (name: string): ExpressionValue | undefined => {
    if (isSignalName(name)) {
      const value = this.#values.get(name);
      return typeof value === "object" ? undefined : value;
    }
    const limit = LIMITS.find((key) => name === `limits.${key}`);
    return limit === undefined ? this.#car.get(name) : this.#limits[limit];
  };
}

/** The type of every variable that an expression of a scheme may read. */
export function variableType(name: string): ExpressionType | undefined {
  if (isSignalName(name)) {
    const row = signalRow(name);
    return row.type === "string[]" ? undefined : expressionTypeOf(row);
  }
  if (LIMITS.some((key) => name === `limits.${key}`)) return "number";
  return carVariable(name)?.type;
}
