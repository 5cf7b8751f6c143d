/** The car through time: a pure function of the car before, the time that passes, and what works on it. */
import { move, nextGear, turnEngine } from "./dynamics.ts";
import { MODEL, modelOf } from "./model.ts";
import { PURPOSE, wander } from "./noise.ts";
import type { Route } from "./route.ts";
import {
  BOLTS,
  boltContact,
  type Car,
  type Engine,
  isOn,
  type LockMotor,
  NO_INPUTS,
  type StepInputs,
} from "./state.ts";

/** Longer steps are cut into steps of at most this: the odometer then follows the speed within 0.1 %. */
export const STEP_MS_MAX = 20;

/** Deterministic: the same car, time and inputs give the same car. `dtMs` from 0 up. */
export function step(car: Car, dtMs: number, inputs: StepInputs, route: Route): Car {
  let after = car;
  for (let left = dtMs; left > 0; left -= STEP_MS_MAX) {
    after = shortStep(after, Math.min(left, STEP_MS_MAX), inputs, route);
  }
  return after;
}

/**
 * A car that stands with its engine off and nobody at it, through any time at once: batteries and temperatures go on as
 * in many short steps, and nothing else does.
 */
export function rest(car: Car, dtMs: number): Car {
  const currentA = current(car, NO_INPUTS);
  return {
    ...car,
    timeMs: car.timeMs + dtMs,
    chargeKwh: nextCharge(car, 0, dtMs),
    accelerator: 0,
    brake: 0,
    coolantC: nextCoolant(car, dtMs),
    batteryAh: clamp(car.batteryAh + (currentA * dtMs) / 3_600_000, MODEL.batteryAh),
    batteryV: nextVoltage(car, currentA, dtMs),
  };
}

function shortStep(car: Car, dtMs: number, inputs: StepInputs, route: Route): Car {
  const dtS = dtMs / 1000;
  const accelerator = clamp(inputs.accelerator);
  const brake = clamp(inputs.brake);
  const gear = nextGear(car);
  const { motion, forceN } = move(car, route, gear, { accelerator, brake }, dtS);
  const { rpm, torqueNm, burntL, drawnKwh } = turnEngine(car, motion, gear, forceN, dtS);
  const fuelL = Math.max(0, car.fuelL - burntL);
  const timeMs = car.timeMs + dtMs;
  const chargeKwh = nextCharge(car, drawnKwh, dtMs);
  const hasEnergy = (car.drive === "electric" ? chargeKwh : fuelL) > 0;
  const engine = nextEngine(car, timeMs, hasEnergy, inputs);
  const currentA = current(car, inputs);
  const batteryAh = clamp(car.batteryAh + (currentA * dtS) / 3600, MODEL.batteryAh);
  return {
    ...car,
    timeMs,
    motion,
    engine,
    rpm,
    torqueNm,
    gear,
    fuelL,
    chargeKwh,
    accelerator,
    brake,
    coolantC: nextCoolant(car, dtMs),
    batteryAh,
    batteryV: nextVoltage(car, currentA, dtMs),
    ignition: car.ignition === "START" && engine.value !== "cranking" ? "ON" : car.ignition,
    bolts: moveBolts(car, inputs.lockMotor, dtMs),
    calling: inputs.calling,
    startInhibited: inputs.startInhibited,
  };
}

/** Whether energy comes in by the cable now. */
export function isCharging(car: Car): boolean {
  return car.cableConnected && !isOn(car) && car.chargeKwh < modelOf(car).batteryKwh;
}

function nextCharge(car: Car, drawnKwh: number, dtMs: number): number {
  const { chargerW, batteryKwh } = modelOf(car);
  const inKwh = isCharging(car) ? (chargerW * dtMs) / 3.6e9 : 0;
  return clamp(car.chargeKwh - drawnKwh + inKwh, batteryKwh);
}

function clamp(value: number, max = 1): number {
  return Math.min(max, Math.max(0, value));
}

/** An inhibited start never cranks; an engine that runs is not stopped by it. */
function nextEngine(car: Car, timeMs: number, hasEnergy: boolean, inputs: StepInputs): Engine {
  const { engine } = car;
  if (!isOn(car)) return { value: "off" };
  switch (engine.value) {
    case "off":
      return car.ignition === "START" && !inputs.startInhibited && car.batteryV > 8
        ? { value: "cranking", sinceMs: timeMs }
        : engine;
    case "cranking":
      if (timeMs - engine.sinceMs < modelOf(car).crankMs) return engine;
      return hasEnergy ? { value: "running" } : { value: "off" };
    case "running":
      return hasEnergy ? engine : { value: "off" };
  }
}

/** Ampere into the battery; negative out of it. */
function current(car: Car, inputs: StepInputs): number {
  const drawn =
    MODEL.restA +
    (car.ignition === "LOCK" || car.ignition === "OFF" ? 0 : MODEL.ignitionA) +
    (car.lowBeam ? MODEL.lowBeamA : 0) +
    (inputs.calling ? 8 : 0) +
    (inputs.lockMotor.value === "turning" ? 7 : 0) +
    (car.engine.value === "cranking" && car.drive === "petrol" ? MODEL.crankA : 0);
  if (!isFed(car)) return -drawn;
  const missing = 1 - car.batteryAh / MODEL.batteryAh;
  return Math.min(MODEL.generatorA - drawn, 1 + missing * 60);
}

/** By the generator, or from the traction battery. */
function isFed(car: Car): boolean {
  return car.engine.value === "running" || isCharging(car);
}

/** A lead battery: at rest by its charge, above it while charged, below it under load. */
function nextVoltage(car: Car, currentA: number, dtMs: number): number {
  const charge = car.batteryAh / MODEL.batteryAh;
  const target = isFed(car)
    ? 14.3 - (car.lowBeam ? 0.1 : 0)
    : 11.6 + 1.1 * charge + currentA * 0.014;
  const tauMs = car.engine.value === "cranking" ? 20 : 400;
  return car.batteryV + (target - car.batteryV) * (1 - Math.exp(-dtMs / tauMs));
}

export function airTemperatureC(car: Car): number {
  return 15 + 4 * wander(car.seed, PURPOSE.airTemperature, car.timeMs, 3_600_000);
}

function nextCoolant(car: Car, dtMs: number): number {
  const running = car.engine.value === "running";
  const target = running ? modelOf(car).coolantWarmC : airTemperatureC(car);
  const tauMs = running ? MODEL.coolantWarmMs : MODEL.coolantCoolMs;
  return car.coolantC + (target - car.coolantC) * (1 - Math.exp(-dtMs / tauMs));
}

/** The bolt of an open door finds no striker and stays where it is; a jam stops bolts half-way. */
function moveBolts(car: Car, motor: LockMotor, dtMs: number): Car["bolts"] {
  if (motor.value === "still" || car.faults.lockDead) return car.bolts;
  const way = dtMs / Math.max(1, motor.travelMs);
  const bolts = { ...car.bolts };
  for (const bolt of BOLTS) {
    if (!motor.bolts.includes(bolt) || (motor.to === 1 && car.open[bolt])) continue;
    const position = bolts[bolt] + (motor.to === 1 ? way : -way);
    bolts[bolt] = car.faults.lockJam ? blocked(bolts[bolt], position) : clamp(position);
  }
  return bolts;
}

/** What jams sits at the middle of the way; a bolt that has not reached it stops there. */
function blocked(from: number, to: number): number {
  if (from === 0.5 || (from < 0.5 && to >= 0.5) || (from > 0.5 && to <= 0.5)) return 0.5;
  return clamp(to);
}

export function allLocked(car: Car): boolean {
  return BOLTS.every((bolt) => boltContact(car, bolt) === "locked");
}
