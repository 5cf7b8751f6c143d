/** Longitudinal dynamics of one short step: forces, gear, engine, and what they burn. */
import {
  AIR_KG_PER_M3,
  ELECTRIC_REST_W,
  GRAVITY_MPS2,
  type Model,
  modelOf,
  REGENERATION_EFFICIENCY,
} from "./model.ts";
import { chance, PURPOSE } from "./noise.ts";
import { placeOn, type Route } from "./route.ts";
import type { Car, Motion } from "./state.ts";

/** The pace of a truck with a car behind it, and how fast it gets there. */
const TOWED_MPS = 7;
const TOWED_MPS2 = 0.6;

const RAD_PER_S_TO_RPM = 60 / (2 * Math.PI);

function ratioOf(model: Model, gear: number): number {
  if (gear < 0) return model.reverseRatio;
  return model.gearRatios[gear - 1] ?? 0;
}

function rpmAt(model: Model, speedMps: number, gear: number): number {
  return (speedMps / model.wheelRadiusM) * ratioOf(model, gear) * RAD_PER_S_TO_RPM;
}

/** The gear that the automatic is in after this step; it shifts one at a time. */
export function nextGear(car: Car): number {
  if (car.selector === "R") return -1;
  if (car.selector !== "D") return 0;
  if (car.gear < 1) return 1;
  const model = modelOf(car);
  const [low = 0, high = 0] = model.shiftUpRpm;
  const rpm = rpmAt(model, car.motion.speedMps, car.gear);
  if (car.gear < model.gearRatios.length && rpm > low + (high - low) * car.accelerator)
    return car.gear + 1;
  return car.gear > 1 && rpm < model.shiftDownRpm ? car.gear - 1 : car.gear;
}

/** Newton at the wheels, forwards; limited by torque, power and tyres. */
function driveForce(car: Car, gear: number, accelerator: number): number {
  if (car.engine.value !== "running" || gear === 0 || car.cableConnected) return 0;
  const { speedMps } = car.motion;
  const model = modelOf(car);
  const tooFast = rpmAt(model, speedMps, gear) > model.rpmMax;
  if (tooFast || (gear < 0 && speedMps > model.reverseSpeedMpsMax)) return 0;
  const byTorque =
    (model.torqueNmMax * ratioOf(model, gear) * model.drivelineEfficiency) / model.wheelRadiusM;
  const byPower = (model.powerWMax * model.drivelineEfficiency) / Math.max(1, speedMps);
  const byTyres = model.tractionMps2Max * model.massKg;
  return accelerator * Math.min(byTorque, byPower, byTyres);
}

/** Newton against the motion; works only while the wheels turn. */
function resistance(car: Car, gear: number, accelerator: number, brake: number): number {
  const { speedMps } = car.motion;
  const model = modelOf(car);
  const air = 0.5 * AIR_KG_PER_M3 * model.dragAreaM2 * speedMps * speedMps;
  const rolling = model.rollingResistance * model.massKg * GRAVITY_MPS2;
  const dragsMps2 = model.engineBrakeMps2 + model.regenerationMps2;
  const engine = gear !== 0 && accelerator < 0.02 ? dragsMps2 * model.massKg : 0;
  const parked = car.selector === "P" ? model.brakeMps2Max : 0;
  const held = Math.min(
    model.brakeMps2Max,
    brake * model.brakeMps2Max + (car.parkingBrake ? model.parkingBrakeMps2 : 0) + parked,
  );
  return air + rolling + engine + held * model.massKg;
}

/** The next motion, and the force at the wheels that it took. */
export function move(
  car: Car,
  route: Route,
  gear: number,
  pedals: { readonly accelerator: number; readonly brake: number },
  dtS: number,
): { readonly motion: Motion; readonly forceN: number } {
  const { motion } = car;
  if (car.faults.towed) return { forceN: 0, motion: towed(car, route, dtS) };
  const forceN = driveForce(car, gear, pedals.accelerator);
  const againstN = resistance(car, gear, pedals.accelerator, pedals.brake);
  const netN = forceN - againstN;
  // Friction holds a standing car, it does not push it back.
  const speedMps = Math.max(0, motion.speedMps + (netN / modelOf(car).massKg) * dtS);
  const stepM = ((motion.speedMps + speedMps) / 2) * dtS;
  const backwards = speedMps === 0 ? gear < 0 : motion.speedMps === 0 ? gear < 0 : motion.backwards;
  const sign = backwards ? -1 : 1;
  const routeM = (motion.routeM + sign * stepM + route.lengthM) % route.lengthM;
  const bend = stepM === 0 ? 0 : placeOn(route, routeM).curvaturePerM;
  return {
    forceN,
    motion: {
      speedMps,
      backwards,
      accelerationMps2: dtS > 0 ? (sign * (speedMps - motion.speedMps)) / dtS : 0,
      lateralMps2: speedMps * speedMps * bend,
      odometerM: motion.odometerM + stepM,
      routeM,
    },
  };
}

/** A truck pulls: up to its pace, whatever brakes and gears say. */
function towed({ motion }: Car, route: Route, dtS: number): Motion {
  const speedMps = Math.min(TOWED_MPS, motion.speedMps + TOWED_MPS2 * dtS);
  const stepM = ((motion.speedMps + speedMps) / 2) * dtS;
  return {
    speedMps,
    backwards: false,
    accelerationMps2: dtS > 0 ? (speedMps - motion.speedMps) / dtS : 0,
    lateralMps2: 0,
    odometerM: motion.odometerM + stepM,
    routeM: (motion.routeM + stepM) % route.lengthM,
  };
}

export type Work = {
  readonly rpm: number;
  readonly torqueNm: number;
  readonly burntL: number;
  /** Out of the traction battery; negative while the motor brakes into it. */
  readonly drawnKwh: number;
};

/** What engine or motor turns at, does and takes. */
export function turnEngine(
  car: Car,
  motion: Motion,
  gear: number,
  forceN: number,
  dtS: number,
): Work {
  const nothing = { torqueNm: 0, burntL: 0, drawnKwh: 0 };
  if (car.engine.value === "off") return { ...nothing, rpm: Math.max(0, car.rpm - 1800 * dtS) };
  if (car.engine.value === "cranking") return { ...nothing, rpm: 210 };
  const model = modelOf(car);
  const ratio = ratioOf(model, gear);
  const torqueNm =
    ratio === 0 ? 0 : (forceN * model.wheelRadiusM) / (ratio * model.drivelineEfficiency);
  if (model.drive === "electric") {
    const rpm = rpmAt(model, motion.speedMps, gear);
    return { rpm, torqueNm, burntL: 0, drawnKwh: drawn(car, motion, gear, forceN, dtS) };
  }
  const shake = (chance(car.seed, PURPOSE.idle, Math.floor(car.timeMs / 100)) - 0.5) * 24;
  const free =
    model.idleRpm + shake + (gear === 0 ? car.accelerator * (model.rpmMax - model.idleRpm) : 0);
  const target = Math.min(model.rpmMax, Math.max(free, rpmAt(model, motion.speedMps, gear)));
  const rpm = car.rpm + (target - car.rpm) * Math.min(1, dtS / 0.12);
  const powerW = (forceN * motion.speedMps) / model.drivelineEfficiency;
  const idleL = (model.idleBurnLPerH / 3600) * dtS;
  const burntL = idleL + (powerW * dtS) / (model.engineEfficiency * model.fuelJoulePerL);
  return { rpm, torqueNm, burntL, drawnKwh: 0 };
}

function drawn(car: Car, motion: Motion, gear: number, forceN: number, dtS: number): number {
  const model = modelOf(car);
  const byMotor = (forceN * motion.speedMps) / (model.drivelineEfficiency * model.engineEfficiency);
  const brakes = gear !== 0 && forceN === 0 && car.accelerator < 0.02;
  const back = brakes
    ? model.regenerationMps2 * model.massKg * motion.speedMps * REGENERATION_EFFICIENCY
    : 0;
  return ((byMotor - back + ELECTRIC_REST_W) * dtS) / 3_600_000;
}
