/** Where a car is that has gone so many metres along a round of streets. Corners become arcs, so headings turn, not jump. */
import { ROUND, type Sky, TOWN_ORIGIN } from "./town.ts";

export type Place = {
  readonly eastM: number;
  readonly northM: number;
  /** Clockwise from north, 0 to below 360. */
  readonly headingDegrees: number;
  /** Of the bend, 1/m; positive to the left. */
  readonly curvaturePerM: number;
  readonly street: string;
  readonly limitKmh: number;
  readonly sky: Sky;
};

type Corner = (typeof ROUND)[number];
type Point = {
  readonly eastM: number;
  readonly northM: number;
  readonly alongM: number;
  /** Not cut to a circle, so that it can be interpolated. */
  readonly headingRad: number;
  readonly corner: Corner;
};
export type Route = { readonly lengthM: number; readonly points: readonly Point[] };

/** Between points on an arc: at 50 km/h four to a second's way, and headings are interpolated between them. */
const ARC_STEP_M = 2;
/** A bend may use this much of the straights beside it. */
const STRAIGHT_PART_MAX = 0.48;

type Vector = readonly [number, number];
const minus = (a: Vector, b: Vector): Vector => [a[0] - b[0], a[1] - b[1]];
const along = (from: Vector, direction: Vector, by: number): Vector => [
  from[0] + direction[0] * by,
  from[1] + direction[1] * by,
];
function unit(v: Vector): { readonly direction: Vector; readonly length: number } {
  const length = Math.hypot(v[0], v[1]);
  return { direction: [v[0] / length, v[1] / length], length };
}

/** The points of one bend, from where it leaves the straight to where it joins the next. */
function bend(before: Corner, corner: Corner, after: Corner): readonly Vector[] {
  const into = unit(minus(corner.at, before.at));
  const out = unit(minus(after.at, corner.at));
  const cross = into.direction[0] * out.direction[1] - into.direction[1] * out.direction[0];
  const dot = into.direction[0] * out.direction[0] + into.direction[1] * out.direction[1];
  const turn = Math.atan2(cross, dot);
  if (corner.radiusM === 0 || Math.abs(turn) < 0.02) return [corner.at];
  const half = Math.tan(Math.abs(turn) / 2);
  const room = STRAIGHT_PART_MAX * Math.min(into.length, out.length);
  const tangent = Math.min(corner.radiusM * half, room);
  const radius = tangent / half;
  const start = along(corner.at, into.direction, -tangent);
  const side = Math.sign(turn);
  const centre: Vector = [
    start[0] - into.direction[1] * side * radius,
    start[1] + into.direction[0] * side * radius,
  ];
  const steps = Math.max(2, Math.ceil((radius * Math.abs(turn)) / ARC_STEP_M));
  const first = Math.atan2(start[1] - centre[1], start[0] - centre[0]);
  return Array.from({ length: steps + 1 }, (_, index): Vector => {
    const angle = first + (turn * index) / steps;
    return [centre[0] + radius * Math.cos(angle), centre[1] + radius * Math.sin(angle)];
  });
}

export function makeRoute(corners: readonly Corner[] = ROUND): Route {
  const outline: { readonly at: Vector; readonly corner: Corner }[] = [];
  for (const [index, corner] of corners.entries()) {
    const before = corners.at(index - 1) ?? corner;
    const after = corners[(index + 1) % corners.length] ?? corner;
    for (const at of bend(before, corner, after)) outline.push({ at, corner });
  }
  const first = outline[0];
  if (first === undefined) throw new RangeError("a route has corners");
  const points: Point[] = [];
  let alongM = 0;
  let headingRad = 0;
  for (const [index, { at, corner }] of outline.entries()) {
    const next = (outline[index + 1] ?? first).at;
    const step = unit(minus(next, at));
    const raw = Math.atan2(step.direction[0], step.direction[1]);
    const turned = index === 0 ? raw : raw - headingRad;
    headingRad =
      index === 0 ? raw : headingRad + turned - 2 * Math.PI * Math.round(turned / (2 * Math.PI));
    points.push({ eastM: at[0], northM: at[1], alongM, headingRad, corner });
    alongM += step.length;
  }
  return { lengthM: alongM, points };
}

/** Which stretch, from one point to the next, `distanceM` is on: any number, the round is gone again and again. */
export function stretchAt({ points, lengthM }: Route, distanceM: number): number {
  const at = ((distanceM % lengthM) + lengthM) % lengthM;
  let low = 0;
  let high = points.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((points[middle]?.alongM ?? 0) <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** `distanceM` may be any number. */
export function placeOn(route: Route, distanceM: number): Place {
  const { points, lengthM } = route;
  const at = ((distanceM % lengthM) + lengthM) % lengthM;
  const low = stretchAt(route, distanceM);
  const here = points[low];
  const start = points[0];
  if (here === undefined || start === undefined) throw new RangeError("a route has points");
  const next = points[low + 1];
  const stretchM = (next?.alongM ?? lengthM) - here.alongM;
  const part = stretchM > 0 ? (at - here.alongM) / stretchM : 0;
  const to = next ?? start;
  const turn = next === undefined ? 0 : next.headingRad - here.headingRad;
  // Straights hold their heading to the end; only the short steps of an arc turn.
  const turning = stretchM <= 1.5 * ARC_STEP_M ? turn : 0;
  const heading = ((here.headingRad + turning * part) * 180) / Math.PI;
  return {
    eastM: here.eastM + (to.eastM - here.eastM) * part,
    northM: here.northM + (to.northM - here.northM) * part,
    headingDegrees: ((heading % 360) + 360) % 360,
    curvaturePerM: stretchM > 0 ? -turning / stretchM : 0,
    street: here.corner.street,
    limitKmh: here.corner.limitKmh,
    sky: here.corner.sky ?? "open",
  };
}

/** WGS 84: semi-major axis in metres and first eccentricity squared (NIMA TR8350.2, table 3.1). */
const WGS84_A = 6_378_137;
const WGS84_E2 = 0.006_694_379_990_14;

const sinOrigin = Math.sin((TOWN_ORIGIN.latitude * Math.PI) / 180);
const curvature = 1 - WGS84_E2 * sinOrigin * sinOrigin;
const METRES_PER_LATITUDE = ((Math.PI / 180) * WGS84_A * (1 - WGS84_E2)) / curvature ** 1.5;
const METRES_PER_LONGITUDE =
  ((Math.PI / 180) * WGS84_A * Math.cos((TOWN_ORIGIN.latitude * Math.PI) / 180)) /
  Math.sqrt(curvature);

/** Good to a few centimetres within the kilometre of the town. */
export function toWgs84(
  eastM: number,
  northM: number,
): { readonly latitude: number; readonly longitude: number } {
  return {
    latitude: TOWN_ORIGIN.latitude + northM / METRES_PER_LATITUDE,
    longitude: TOWN_ORIGIN.longitude + eastM / METRES_PER_LONGITUDE,
  };
}
