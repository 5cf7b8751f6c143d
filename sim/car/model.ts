/** The cars that the simulator drives, as data. Made up; every figure is of its class. The petrol one is a small hatchback. */
export const MODEL = {
  drive: "petrol",
  /** With a driver, kilograms. */
  massKg: 1180,
  /** Drag coefficient times frontal area, m². */
  dragAreaM2: 0.66,
  rollingResistance: 0.011,
  wheelRadiusM: 0.291,
  /** Engine to wheel for gears 1 to 5, final drive included. */
  gearRatios: [14.4, 7.9, 5.2, 3.9, 3.15],
  reverseRatio: 13.8,
  drivelineEfficiency: 0.92,
  torqueNmMax: 118,
  powerWMax: 61_000,
  idleRpm: 820,
  rpmMax: 6300,
  /** The automatic shifts up above the first and down below the second figure; the first rises with the pedal. */
  shiftUpRpm: [2300, 5200],
  shiftDownRpm: 1350,
  /** What the tyres carry over to the road, m/s², and what the brakes reach at most. */
  tractionMps2Max: 4.2,
  brakeMps2Max: 8.5,
  /** Half the service brake, on the rear wheels. */
  parkingBrakeMps2: 3.4,
  engineBrakeMps2: 0.45,
  reverseSpeedMpsMax: 7,

  tankL: 42,
  idleBurnLPerH: 0.75,
  /** Petrol with 10 % ethanol: 31.4 MJ a litre; a small engine turns 27 % of it into work. */
  fuelJoulePerL: 31_400_000,
  engineEfficiency: 0.27,
  /** For the range display, litres for 100 km. */
  averageBurnLPer100Km: 5.8,

  crankMs: 700,
  coolantWarmC: 90,
  /** Time constants of warming up and of cooling down. */
  coolantWarmMs: 240_000,
  coolantCoolMs: 2_700_000,

  batteryAh: 44,
  /** Ampere drawn by each consumer, and given by the generator with the engine running. */
  restA: 0.02,
  ignitionA: 6,
  lowBeamA: 9,
  crankA: 160,
  generatorA: 40,

  /** Of the traction battery; a petrol car has none. */
  batteryKwh: 0,
  chargerW: 0,
  regenerationMps2: 0,
} as const;

/** Its electric sister: one gear, and a motor that brakes into the battery. */
export const ELECTRIC_MODEL: Model = {
  ...MODEL,
  drive: "electric",
  massKg: 1530,
  dragAreaM2: 0.63,
  rollingResistance: 0.0095,
  gearRatios: [9.3],
  reverseRatio: 9.3,
  torqueNmMax: 210,
  powerWMax: 85_000,
  idleRpm: 0,
  rpmMax: 12_500,
  engineBrakeMps2: 0,
  tankL: 0,
  idleBurnLPerH: 0,
  /** Battery to wheel, inverter and motor. */
  engineEfficiency: 0.88,
  crankMs: 0,
  coolantWarmC: 45,
  batteryKwh: 46,
  /** Alternating current, three phases of 16 A. */
  chargerW: 11_000,
  regenerationMps2: 1.1,
};
export type Model = {
  readonly [K in keyof typeof MODEL]: K extends "drive"
    ? Drive
    : K extends "gearRatios" | "shiftUpRpm"
      ? readonly number[]
      : number;
};
export const DRIVES = ["petrol", "electric"] as const;
export type Drive = (typeof DRIVES)[number];

export function modelOf({ drive }: { readonly drive: Drive }): Model {
  return drive === "electric" ? ELECTRIC_MODEL : MODEL;
}

/** For the range display of an electric car, kWh for 100 km. */
export const AVERAGE_KWH_PER_100_KM = 15.5;
/** Lights, heating, computers, while it is on, W. */
export const ELECTRIC_REST_W = 350;
/** What of the braking comes back. */
export const REGENERATION_EFFICIENCY = 0.68;

export const GRAVITY_MPS2 = 9.81;
export const AIR_KG_PER_M3 = 1.2;
