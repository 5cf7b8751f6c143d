/** Longitudinal dynamics of one short step: forces, gear, engine, and what they burn. */
import { AIR_KG_PER_M3, GRAVITY_MPS2, MODEL } from "./model.ts";
import { chance, PURPOSE } from "./noise.ts";
import { placeOn, type Route } from "./route.ts";
import type { Car, Motion } from "./state.ts";

/** The pace of a truck with a car behind it, and how fast it gets there. */
const TOWED_MPS = 7;
const TOWED_MPS2 = 0.6;

const RAD_PER_S_TO_RPM = 60 / (2 * Math.PI);

function ratioOf(gear: number): number {
  if (gear < 0) return MODEL.reverseRatio;
  return MODEL.gearRatios[gear - 1] ?? 0;
}

function rpmAt(speedMps: number, gear: number): number {
  return (speedMps / MODEL.wheelRadiusM) * ratioOf(gear) * RAD_PER_S_TO_RPM;
}

/** The gear that the automatic is in after this step; it shifts one at a time. */
export function nextGear(car: Car): number {
  if (car.selector === "R") return -1;
  if (car.selector !== "D") return 0;
  if (car.gear < 1) return 1;
  const [low, high] = MODEL.shiftUpRpm;
  const rpm = rpmAt(car.motion.speedMps, car.gear);
  if (car.gear < MODEL.gearRatios.length && rpm > low + (high - low) * car.accelerator)
    return car.gear + 1;
  return car.gear > 1 && rpm < MODEL.shiftDownRpm ? car.gear - 1 : car.gear;
}

/** Newton at the wheels, forwards; limited by torque, power and tyres. */
function driveForce(car: Car, gear: number, accelerator: number): number {
  if (car.engine.value !== "running" || gear === 0) return 0;
  const { speedMps } = car.motion;
  if (rpmAt(speedMps, gear) > MODEL.rpmMax || (gear < 0 && speedMps > MODEL.reverseSpeedMpsMax))
    return 0;
  const byTorque =
    (MODEL.torqueNmMax * ratioOf(gear) * MODEL.drivelineEfficiency) / MODEL.wheelRadiusM;
  const byPower = (MODEL.powerWMax * MODEL.drivelineEfficiency) / Math.max(1, speedMps);
  const byTyres = MODEL.tractionMps2Max * MODEL.massKg;
  return accelerator * Math.min(byTorque, byPower, byTyres);
}

/** Newton against the motion; works only while the wheels turn. */
function resistance(car: Car, gear: number, accelerator: number, brake: number): number {
  const { speedMps } = car.motion;
  const air = 0.5 * AIR_KG_PER_M3 * MODEL.dragAreaM2 * speedMps * speedMps;
  const rolling = MODEL.rollingResistance * MODEL.massKg * GRAVITY_MPS2;
  const engine = gear !== 0 && accelerator < 0.02 ? MODEL.engineBrakeMps2 * MODEL.massKg : 0;
  const parked = car.selector === "P" ? MODEL.brakeMps2Max : 0;
  const held = Math.min(
    MODEL.brakeMps2Max,
    brake * MODEL.brakeMps2Max + (car.parkingBrake ? MODEL.parkingBrakeMps2 : 0) + parked,
  );
  return air + rolling + engine + held * MODEL.massKg;
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
  const speedMps = Math.max(0, motion.speedMps + (netN / MODEL.massKg) * dtS);
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

/** What the engine turns at, does and burns. `crankedMs`: how long the starter has turned it. */
export function turnEngine(
  car: Car,
  motion: Motion,
  gear: number,
  forceN: number,
  dtS: number,
): { readonly rpm: number; readonly torqueNm: number; readonly burntL: number } {
  if (car.engine.value === "off")
    return { rpm: Math.max(0, car.rpm - 1800 * dtS), torqueNm: 0, burntL: 0 };
  if (car.engine.value === "cranking") return { rpm: 210, torqueNm: 0, burntL: 0 };
  const shake = (chance(car.seed, PURPOSE.idle, Math.floor(car.timeMs / 100)) - 0.5) * 24;
  const free =
    MODEL.idleRpm + shake + (gear === 0 ? car.accelerator * (MODEL.rpmMax - MODEL.idleRpm) : 0);
  const target = Math.min(MODEL.rpmMax, Math.max(free, rpmAt(motion.speedMps, gear)));
  const rpm = car.rpm + (target - car.rpm) * Math.min(1, dtS / 0.12);
  const ratio = ratioOf(gear);
  const torqueNm =
    ratio === 0 ? 0 : (forceN * MODEL.wheelRadiusM) / (ratio * MODEL.drivelineEfficiency);
  const powerW = (forceN * motion.speedMps) / MODEL.drivelineEfficiency;
  const idleL = (MODEL.idleBurnLPerH / 3600) * dtS;
  return {
    rpm,
    torqueNm,
    burntL: idleL + (powerW * dtS) / (MODEL.engineEfficiency * MODEL.fuelJoulePerL),
  };
}
