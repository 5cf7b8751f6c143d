/** When cars drive: profiles of a day, and each car's own hours by chance from a seed. Pure. */
import { chance } from "../car/noise.ts";

export const DAYS = ["always", "workday", "weekend", "night"] as const;
export type Day = (typeof DAYS)[number];

/** The part of all cars that is driven in each hour of the day. */
const DRIVEN: Readonly<Record<Day, readonly number[]>> = {
  always: Array.from({ length: 24 }, () => 1),
  workday: [
    0.02, 0.01, 0.01, 0.01, 0.02, 0.06, 0.15, 0.28, 0.3, 0.18, 0.14, 0.15, 0.18, 0.16, 0.16, 0.2,
    0.27, 0.32, 0.28, 0.2, 0.14, 0.1, 0.07, 0.04,
  ],
  weekend: [
    0.08, 0.06, 0.04, 0.03, 0.02, 0.02, 0.03, 0.05, 0.09, 0.15, 0.22, 0.26, 0.27, 0.27, 0.28, 0.28,
    0.27, 0.26, 0.24, 0.22, 0.2, 0.17, 0.14, 0.11,
  ],
  night: Array.from({ length: 24 }, () => 0.02),
};
/** A rental lasts this long before a car is asked again whether it is driven. */
const SPAN_MS = 900_000;
const PURPOSE_DRIVES = 20;
const PURPOSE_OUTAGE = 21;

/** Whether a car is driven at a moment of the day; `timeMs` since midnight of the first day. */
export function drives(day: Day, seed: number, timeMs: number): boolean {
  // Not all cars begin on the quarter of an hour.
  const own = timeMs + chance(seed, PURPOSE_DRIVES, -1) * SPAN_MS;
  const hour = Math.floor(own / 3_600_000) % 24;
  return chance(seed, PURPOSE_DRIVES, Math.floor(own / SPAN_MS)) < (DRIVEN[day][hour] ?? 0);
}

/** Without coverage it is for about a minute, and so often that `part` of the time is without. */
const OUTAGE_MS = 60_000;

export function isCut(part: number, seed: number, timeMs: number): boolean {
  const own = timeMs + chance(seed, PURPOSE_OUTAGE, -1) * OUTAGE_MS;
  return chance(seed, PURPOSE_OUTAGE, Math.floor(own / OUTAGE_MS)) < part;
}
