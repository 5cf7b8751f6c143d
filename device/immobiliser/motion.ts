/**
 * Whether the car stands, as a pure machine fed with each change of speed and ignition. A parked car's bus sleeps, so
 * age alone is no reason to doubt: once it was seen standing, and then its ignition seen going off, it counts as parked
 * until a sign of motion or of the ignition.
 */
import { type CarFacts, type Reading, STANDSTILL_MS_MIN } from "./facts.ts";

export type Motion =
  | { readonly value: "unknown" }
  | { readonly value: "moving" }
  | {
      readonly value: "standing";
      readonly sinceMs: number;
      readonly ignition: "on" | "off" | "unknown";
    }
  | { readonly value: "parked"; readonly sinceMs: number };

export type MotionInput =
  | { readonly type: "speed"; readonly reading: Reading<number> }
  | { readonly type: "ignition"; readonly off: Reading<boolean> }
  /** Another witness of motion: GNSS, accelerometer, a tow alarm. */
  | { readonly type: "moved" };

export const MOTION_UNKNOWN: Motion = { value: "unknown" };

/** Steps the machine. `nowMs` is the boot clock; `limits` are those of the car model. */
export function nextMotion(
  state: Motion,
  input: MotionInput,
  nowMs: number,
  limits: CarFacts["limits"],
): Motion {
  switch (input.type) {
    case "moved":
      return { value: "moving" };
    case "speed":
      return nextBySpeed(state, input.reading, nowMs, limits);
    case "ignition":
      return nextByIgnition(state, input.off, nowMs, limits);
  }
}

function nextBySpeed(
  state: Motion,
  reading: Reading<number>,
  nowMs: number,
  limits: CarFacts["limits"],
): Motion {
  if (reading.quality === "good") {
    if (reading.value > limits.standstillKmhMax) return { value: "moving" };
    if (state.value === "standing" || state.value === "parked") return state;
    return { value: "standing", sinceMs: nowMs, ignition: "unknown" };
  }
  // The bus of a parked car sleeps: its speed grows stale. A value that is wrong is another matter.
  if (state.value === "parked" && reading.quality === "stale") return state;
  return MOTION_UNKNOWN;
}

function nextByIgnition(
  state: Motion,
  off: Reading<boolean>,
  nowMs: number,
  limits: CarFacts["limits"],
): Motion {
  const known = off.quality === "good" ? off.value : undefined;
  const ignition = known === undefined ? "unknown" : known ? "off" : "on";
  if (state.value === "parked") {
    return ignition === "on" ? { value: "standing", sinceMs: state.sinceMs, ignition } : state;
  }
  if (state.value !== "standing") return state;
  const neededMs = Math.max(STANDSTILL_MS_MIN, limits.standstillMs);
  const isLongEnough = nowMs - state.sinceMs >= neededMs;
  const wentOff = ignition === "off" && state.ignition === "on" && isLongEnough;
  return wentOff ? { value: "parked", sinceMs: state.sinceMs } : { ...state, ignition };
}

/**
 * The facts that follow from motion. `speedKmh` and `ignitionOff` are the live readings; stale ones stand for what was
 * last seen only where the car is parked and its whole bus sleeps: on a bus that is awake a stale signal is a fault.
 */
export function motionFacts(
  state: Motion,
  speedKmh: Reading<number>,
  ignitionOff: Reading<boolean>,
  nowMs: number,
  isBusAsleep: boolean,
): Pick<CarFacts, "speedKmh" | "ignitionOff" | "standstillMs" | "ignitionOffSeenAfterStandstill"> {
  if (state.value === "parked") {
    return {
      speedKmh: isBusAsleep ? asleep(speedKmh, 0) : speedKmh,
      ignitionOff: isBusAsleep ? asleep(ignitionOff, true) : ignitionOff,
      standstillMs: nowMs - state.sinceMs,
      ignitionOffSeenAfterStandstill: true,
    };
  }
  const standstillMs = state.value === "standing" ? nowMs - state.sinceMs : 0;
  return { speedKmh, ignitionOff, standstillMs, ignitionOffSeenAfterStandstill: false };
}

/** What a parked car last said stands while its bus sleeps. */
function asleep<T>(reading: Reading<T>, parkedValue: T): Reading<T> {
  return reading.quality === "stale" ? { quality: "good", value: parkedValue } : reading;
}
