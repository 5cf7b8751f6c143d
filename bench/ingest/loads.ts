/** What the cars of the benchmark report: the same for both sides, and for both processes. */
import type { CarEvent, Lane } from "@kerbside/protocol";
import { drive } from "../drive.ts";

/** How many cars there are, each with one connection. */
export const CARS = 16;

export type Load = {
  readonly lane: Lane;
  /** Events in a segment, and segments of each car in one round. */
  readonly events: number;
  readonly segments: number;
};

/** The events of one car, without end. */
export function streamOf({ lane }: Load, car: number): Iterator<CarEvent, never> {
  return lane === "track" ? drive(car) : stateOf(car);
}

/** The car's next segment. */
export function nextEvents(stream: Iterator<CarEvent, never>, count: number): readonly CarEvent[] {
  return Array.from({ length: count }, () => stream.next().value);
}

/** Doors, trips, positions where it was parked: what the state lane carries of a working day. */
function* stateOf(car: number): Generator<CarEvent, never, undefined> {
  for (let i = 0; ; i += 1) {
    const time = { bootMs: 60_000 * i + 17 * car, wallOffsetMs: 1_790_000_000_000, doubtMs: 40 };
    const odometerM = 48_000_000 + 731 * i;
    yield { kind: "door.changed", data: { door: "driver", open: true }, ...time };
    yield { kind: "ignition.changed", data: { state: "ON" }, ...time };
    yield { kind: "trip.started", data: { odometerM, fuelPercent: 71.5 }, ...time };
    yield { kind: "energy.changed", data: { fuelPercent: 71, low: false }, ...time };
    yield {
      kind: "vehicle.parked",
      data: { latitude: 52.5 + i / 1e4, longitude: 13.4 - i / 1e4, odometerM },
      ...time,
    };
    yield { kind: "battery.low", data: { voltageV: 11.9 }, ...time };
  }
}
