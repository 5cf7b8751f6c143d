/** A careful driver: which pedals bring a car along its round, below the limits and no faster than bends allow. */
import { placeOn, type Route, stretchAt } from "../car/route.ts";
import type { Car } from "../car/state.ts";

export type Pedals = { readonly accelerator: number; readonly brake: number };

const LATERAL_MPS2_MAX = 2.4;
const BRAKING_MPS2 = 1.8;
/** Feet follow eyes by this much. */
const REACTION_S = 0.7;
const AHEAD_M_MAX = 90;
const AHEAD_STEP_M = 3;
const ACCELERATION_MPS2_MAX = 1.6;
const DECELERATION_MPS2_MAX = 3;
const FULL_BRAKE_MPS2 = 8.5;

/** The speed that each stretch of a route allows by its limit and its bend, m/s: neither changes on the way along it. */
const ALLOWED = new WeakMap<Route, Float64Array>();

function allowedOn(route: Route): Float64Array {
  const known = ALLOWED.get(route);
  if (known !== undefined) return known;
  const allowed = Float64Array.from(route.points, ({ alongM }) => {
    const { limitKmh, curvaturePerM } = placeOn(route, alongM);
    const bend = Math.sqrt(LATERAL_MPS2_MAX / Math.max(1e-4, Math.abs(curvaturePerM)));
    return Math.min(limitKmh / 3.6, bend);
  });
  ALLOWED.set(route, allowed);
  return allowed;
}

/** The speed that the way ahead allows here, m/s. */
export function allowedMps(car: Car, route: Route, kmhMax: number): number {
  const stretches = allowedOn(route);
  let allowed = kmhMax / 3.6;
  for (let aheadM = 0; aheadM <= AHEAD_M_MAX; aheadM += AHEAD_STEP_M) {
    const there = stretches[stretchAt(route, car.motion.routeM + aheadM)] ?? 0;
    const brakingM = Math.max(0, aheadM - REACTION_S * car.motion.speedMps);
    allowed = Math.min(allowed, Math.sqrt(there * there + 2 * BRAKING_MPS2 * brakingM));
  }
  return allowed;
}

export function pedalsFor(car: Car, route: Route, kmhMax: number): Pedals {
  const missing = allowedMps(car, route, kmhMax) - car.motion.speedMps;
  const wanted = Math.max(-DECELERATION_MPS2_MAX, Math.min(ACCELERATION_MPS2_MAX, 0.9 * missing));
  if (wanted < -0.4) return { accelerator: 0, brake: -wanted / FULL_BRAKE_MPS2 };
  return { accelerator: Math.max(0, Math.min(1, 0.06 + wanted * 0.3)), brake: 0 };
}

/** To a stop, gently, and held there. */
export function pedalsToStop(car: Car): Pedals {
  return { accelerator: 0, brake: car.motion.speedMps > 0.05 ? 0.26 : 0.4 };
}
