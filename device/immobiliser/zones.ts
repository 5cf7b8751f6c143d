/** Whether a position is inside a polygon on the map. Pure. */
import type { ZonePoint } from "@kerbside/protocol";

/** Degrees from `b` to `a` the short way round, so that a zone may lie across the 180th meridian. */
function eastOf(a: number, b: number): number {
  return ((((a - b + 180) % 360) + 360) % 360) - 180;
}

/** By crossings of a ray to the north (zones are cities, not hemispheres). A zone of under three corners holds nothing. */
function inside(zone: readonly ZonePoint[], at: ZonePoint): boolean {
  let odd = false;
  for (const [i, corner] of zone.entries()) {
    const [before = corner] = zone.slice(i - 1);
    const x1 = eastOf(before.longitude, at.longitude);
    const x2 = eastOf(corner.longitude, at.longitude);
    // An edge on the far side of the world crosses no meridian here.
    if (x1 > 0 === x2 > 0 || Math.abs(x1 - x2) > 180) continue;
    const latitude = before.latitude + (x1 / (x1 - x2)) * (corner.latitude - before.latitude);
    if (latitude > at.latitude) odd = !odd;
  }
  return odd;
}

/** Whether it is inside at least one of the zones. */
export function insideAny(zones: readonly (readonly ZonePoint[])[], at: ZonePoint): boolean {
  return zones.some((zone) => inside(zone, at));
}
