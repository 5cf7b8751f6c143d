/** Which cars somebody looks for, which need somebody, and how they are marked on a map. Pure. */
import type { FleetCar, Marker } from "./types.ts";

const MOVING_KMH = 3;

export const isMoving = ({ speedKmh }: FleetCar): boolean => (speedKmh ?? 0) > MOVING_KMH;
export const hasTrouble = ({ fault, alarm, batteryLowV }: FleetCar): boolean =>
  fault !== undefined || alarm !== undefined || batteryLowV !== undefined;

/** Every word of the question must be somewhere in what is known of the car. */
export function matches(car: FleetCar, question: string): boolean {
  const text = `${car.vehicle} ${car.profile} ${car.fault ?? ""} ${car.alarm ?? ""}`.toLowerCase();
  return question
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

export function markerOf(car: FleetCar): Marker | undefined {
  const { vehicle: id, latitude, longitude } = car;
  if (latitude === undefined || longitude === undefined) return undefined;
  const tone = hasTrouble(car) ? "bad" : isMoving(car) ? "moving" : car.online ? "good" : "off";
  return { id, latitude, longitude, tone };
}

/** The newest alarm first, then by name. */
export function inTrouble(cars: Iterable<FleetCar>): readonly FleetCar[] {
  return [...cars].filter(hasTrouble).sort((a, b) => {
    const byAlarm = (b.alarmAt ?? "").localeCompare(a.alarmAt ?? "");
    return byAlarm === 0 ? a.vehicle.localeCompare(b.vehicle) : byAlarm;
  });
}
