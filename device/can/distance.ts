/** Distance on the ground. */

export type Place = { readonly latitude: number; readonly longitude: number };

/** WGS 84 semi-major axis; the error of a sphere and a flat piece of it does not matter below 10 km. */
const EARTH_RADIUS_M = 6_378_137;
const RADIANS = Math.PI / 180;

export function distanceM(a: Place, b: Place): number {
  const turn = ((((b.longitude - a.longitude + 180) % 360) + 360) % 360) - 180;
  const east = turn * RADIANS * Math.cos(a.latitude * RADIANS);
  const north = (b.latitude - a.latitude) * RADIANS;
  return EARTH_RADIUS_M * Math.hypot(east, north);
}
