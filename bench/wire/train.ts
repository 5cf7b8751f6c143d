/**
 * How the codes of `shared/protocol/column-trained.ts` were made: the simulated car drives, its signals are read as
 * sensors of several resolutions would, and each residual that the columns leave is counted by the code it falls to.
 * Prints that file's table. The codes are part of the format: a later training would be another form.
 *
 *     node bench/wire/train.ts
 *
 * The drives that `bench/drive.ts` measures with have no part in it.
 */
import { LOOK_BITS, traceSeries, VALUE_CODES } from "@kerbside/protocol";
import {
  type Car,
  MODEL,
  makeRoute,
  NO_INPUTS,
  newCar,
  pedalsFor,
  placeOn,
  type Route,
  step,
  toWgs84,
} from "@kerbside/sim";

type Random = {
  /** From 0 to below `below`. */
  readonly int: (below: number) => number;
  readonly pick: <T>(from: readonly T[]) => T;
};

/** Numbers that a seed gives again: mulberry32. */
function randomOf(seed: number): Random {
  let state = seed;
  const int = (below: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
  return { int, pick: <T>(from: readonly T[]): T => from[int(from.length)] as T };
}

const CARS = 40;
const DRIVE_S = 1800;
const SEGMENTS_S = [20, 60, 60, 120, 600] as const;
const VALUE_SYMBOLS = 43;
const RUN_SYMBOLS = 27;

type Reading = readonly [step: number, read: (car: Car, route: Route) => number];
/** What is sampled, with the step of a usual sensor. */
const READINGS: readonly Reading[] = [
  [0.01, (car) => car.motion.speedMps * 3.6],
  [1e-6, (car, route) => whereOf(car, route).latitude],
  [1e-6, (car, route) => whereOf(car, route).longitude],
  [0.1, (car, route) => placeOn(route, car.motion.routeM).headingDegrees],
  [1, (car) => car.motion.odometerM],
  [0.5, (car) => (car.fuelL / MODEL.tankL) * 100],
  [1, (car) => car.rpm],
  [1, (car) => car.coolantC],
  [0.1, (car) => car.motion.accelerationMps2],
  [0.1, (car) => car.motion.lateralMps2],
  [1, (car) => car.accelerator * 100],
  [1, (car) => car.brake * 100],
  [1, (car) => car.gear],
  [0.1, (car) => car.batteryV],
  [0.5, () => 15],
  [1, (car) => car.timeMs],
];

function whereOf(
  car: Car,
  route: Route,
): { readonly latitude: number; readonly longitude: number } {
  const place = placeOn(route, car.motion.routeM);
  return toWgs84(place.eastM, place.northM);
}

/** A drive as columns of whole steps. Sensors are coarser or finer than usual, and more or less noisy. */
function columnsOf(random: Random, seed: number, route: Route): readonly number[][] {
  const sensors = READINGS.map(([size]) => ({
    size: size * random.pick([0.2, 0.5, 1, 1, 2, 5]),
    noise: random.pick([0, 0, 0.3, 1, 3]),
  }));
  const kmhMax = random.pick([30, 50, 70, 100]);
  const columns: number[][] = READINGS.map(() => []);
  let car: Car = {
    ...newCar(seed),
    engine: { value: "running" },
    ignition: "ON",
    selector: "D",
    parkingBrake: false,
  };
  let standsUntilMs = 0;
  for (let second = 0; second < DRIVE_S; second += 1) {
    for (const [i, [, read]] of READINGS.entries()) {
      const { size, noise } = sensors[i] ?? { size: 1, noise: 0 };
      const error = (random.int(1000) + random.int(1000) + random.int(1000) - 1498.5) / 500;
      columns[i]?.push(Math.round(read(car, route) / size + error * noise));
    }
    if (random.int(90) === 0) standsUntilMs = car.timeMs + 1000 * random.int(60);
    const stands = car.timeMs < standsUntilMs;
    for (let part = 0; part < 10; part += 1) {
      const pedals = stands ? { accelerator: 0, brake: 0.3 } : pedalsFor(car, route, kmhMax);
      car = step(car, 100, { ...NO_INPUTS, ...pedals }, route);
    }
  }
  return columns;
}

/** Code lengths of at most LOOK_BITS that make the counted symbols shortest (package-merge, Larmore and Hirschberg 1990). */
function lengthsOf(counts: readonly number[]): readonly number[] {
  type Pack = { readonly weight: number; readonly symbols: readonly number[] };
  const byWeight = (a: Pack, b: Pack): number => a.weight - b.weight;
  const single = counts
    .map((count, symbol) => ({ weight: count + 0.5, symbols: [symbol] }))
    .sort(byWeight);
  let packs: Pack[] = [];
  for (let length = 0; length < LOOK_BITS; length += 1) {
    const all = [...single, ...packs].sort(byWeight);
    packs = [];
    for (let i = 0; i + 1 < all.length; i += 2) {
      const [a, b] = [all[i], all[i + 1]];
      if (a && b)
        packs.push({ weight: a.weight + b.weight, symbols: [...a.symbols, ...b.symbols] });
    }
  }
  const lengths = counts.map(() => 0);
  for (const { symbols } of packs.slice(0, counts.length - 1))
    for (const symbol of symbols) lengths[symbol] = (lengths[symbol] ?? 0) + 1;
  return lengths;
}

function train(): void {
  const random = randomOf(20_261_121);
  const route = makeRoute();
  const counts = Array.from({ length: VALUE_CODES + 1 }, (_, code) =>
    Array.from({ length: code === VALUE_CODES ? RUN_SYMBOLS : VALUE_SYMBOLS }, () => 0),
  );
  const count = (code: number, symbol: number): void => {
    const row = counts[code] ?? [];
    row[symbol] = (row[symbol] ?? 0) + 1;
  };
  for (let seed = 1; seed <= CARS; seed += 1) {
    for (const column of columnsOf(random, seed, route)) {
      for (let at = 0; at < DRIVE_S; ) {
        const part = column.slice(at, at + random.pick(SEGMENTS_S));
        at += part.length;
        traceSeries(part, count);
      }
    }
  }
  for (const row of counts)
    process.stdout.write(
      `  "${lengthsOf(row)
        .map((n) => n.toString(16))
        .join("")}",\n`,
    );
}

train();
