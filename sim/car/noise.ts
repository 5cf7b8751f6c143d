/**
 * Chance without state: every random number of the car is a hash of the seed, of what it is for, and of an index
 * (a time, an actuation). So the same seed gives the same car however time is cut into steps.
 */

/** In [0, 1): the finaliser of MurmurHash3 over the three numbers. */
export function chance(seed: number, purpose: number, index: number): number {
  let hash = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) ^ Math.imul(purpose + 1, 0xc2b2_ae35);
  hash ^= Math.imul(index ^ (hash >>> 15), 0x27d4_eb2f);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000;
}

/** Smooth noise in [-1, 1] that wanders over about `periodMs`. */
export function wander(seed: number, purpose: number, timeMs: number, periodMs: number): number {
  const position = timeMs / periodMs;
  const index = Math.floor(position);
  const part = position - index;
  const from = chance(seed, purpose, index);
  const to = chance(seed, purpose, index + 1);
  const eased = part * part * (3 - 2 * part);
  return 2 * (from + (to - from) * eased) - 1;
}

/** What the numbers are for, so that no two uses see the same ones. */
export const PURPOSE = {
  gnssEast: 1,
  gnssNorth: 2,
  gnssHeight: 3,
  boltTravel: 4,
  airTemperature: 5,
  idle: 6,
  odometer: 7,
  fuel: 8,
  vin: 9,
} as const;
