/** The small petrol hatchback that the simulator drives, as data. Made up; every figure is of its class. */
export const MODEL = {
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
} as const;

export const GRAVITY_MPS2 = 9.81;
export const AIR_KG_PER_M3 = 1.2;
