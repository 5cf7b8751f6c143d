import {
  type Action,
  act,
  type Car,
  MODEL,
  makeRoute,
  newCar,
  parseAction,
  placeOn,
  STEP_MS_MAX,
  toWgs84,
} from "@kerbside/sim";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { seeded } from "../support/seeded.ts";
import { HandWorld, readyToDrive } from "./world.ts";

const seed = Math.floor(Math.random() * 2 ** 31);
process.stdout.write(`# car.test.ts: seed ${seed}\n`);

/** Feet of somebody who has never driven: new pedals every half second. */
function wildDrive(
  world: HandWorld,
  seconds: number,
  watch: (car: Car) => void,
  stepMs?: number,
): void {
  const random = seeded(seed);
  for (let half = 0; half < 2 * seconds; half += 1) {
    const brakes = random() < 0.3;
    world.pedals(brakes ? 0 : random(), brakes ? random() : 0);
    world.pass(500, ({ car }) => watch(car), stepMs);
  }
}

for (const stepMs of [10, STEP_MS_MAX]) {
  test(`in steps of ${stepMs} ms the odometer is the integral of the speed within 0.1 %`, () => {
    const world = readyToDrive(seed);
    const before = world.world.car.motion.odometerM;
    let integralM = 0;
    const add = (car: Car): void => {
      integralM += (car.motion.speedMps * stepMs) / 1000;
    };
    wildDrive(world, 300, add, stepMs);
    const gone = world.world.car.motion.odometerM - before;
    assert.ok(gone > 300, `went ${gone} m`);
    assert.ok(Math.abs(gone - integralM) / gone < 0.001, `odometer ${gone}, by speed ${integralM}`);
  });
}

test("whatever the pedals do, acceleration, speed, fuel and revolutions stay within the model", () => {
  const world = readyToDrive(seed);
  let { fuelL } = world.world.car;
  wildDrive(world, 300, (car) => {
    const { speedMps, accelerationMps2 } = car.motion;
    assert.ok(speedMps >= 0 && speedMps < 60, `speed ${speedMps}`);
    assert.ok(accelerationMps2 <= MODEL.tractionMps2Max, `acceleration ${accelerationMps2}`);
    // Brakes, and besides them air, tyres and engine.
    assert.ok(accelerationMps2 >= -MODEL.brakeMps2Max - 3, `deceleration ${accelerationMps2}`);
    assert.ok(car.fuelL <= fuelL && fuelL - car.fuelL < 0.0002, "burns, and not in gulps");
    assert.ok(car.rpm <= MODEL.rpmMax + 1 && car.rpm >= 0, `rpm ${car.rpm}`);
    assert.ok(car.batteryV > 9 && car.batteryV < 15, `battery ${car.batteryV}`);
    fuelL = car.fuelL;
  });
});

test("the same seed and the same feet give the same car", () => {
  const drives = [0, 1].map(() => {
    const world = readyToDrive(seed);
    wildDrive(world, 20, () => undefined);
    return world.world;
  });
  assert.equal(drives[0], drives[1]);
});

test("100 km at a steady 50 km/h burn what such a car burns", () => {
  const world = readyToDrive(seed);
  world.pedals(0.5, 0);
  world.pass(4000);
  const from = world.world.car;
  world.pass(120_000, ({ car }) =>
    world.pedals(Math.max(0, Math.min(1, 0.1 + (50 - car.motion.speedMps * 3.6) * 0.05)), 0),
  );
  const to = world.world.car;
  const wayM = to.motion.odometerM - from.motion.odometerM;
  const litres = ((from.fuelL - to.fuelL) / wayM) * 100_000;
  assert.ok(litres > 3 && litres < 7, `${litres} l/100 km`);
});

test("a full stop from 50 km/h takes the way that the brakes need", () => {
  const world = readyToDrive(seed);
  while (world.world.car.motion.speedMps < 50 / 3.6) {
    world.pedals(1, 0);
    world.pass(10);
  }
  const from = world.world.car.motion.odometerM;
  world.pedals(0, 1);
  world.pass(6000);
  const wayM = world.world.car.motion.odometerM - from;
  assert.is(world.world.car.motion.speedMps, 0);
  assert.ok(wayM > 8 && wayM < 14, `${wayM} m`);
});

test("positions lie on the round, in metres as on the globe, and headings turn without a jump", () => {
  const route = makeRoute();
  for (let at = 0; at < route.lengthM; at += 1) {
    const here = placeOn(route, at);
    const next = placeOn(route, at + 1);
    const turn = Math.abs(((next.headingDegrees - here.headingDegrees + 540) % 360) - 180);
    assert.ok(turn < 8, `${turn} degrees within a metre at ${at} m`);
    const way = Math.hypot(next.eastM - here.eastM, next.northM - here.northM);
    assert.ok(way > 0.97 && way <= 1.0001, `${way} m at ${at} m`);
  }
  const origin = toWgs84(0, 0);
  // One minute of latitude is a nautical mile, 1852 m (within 0.5 % for where on the globe).
  assert.ok(Math.abs((toWgs84(0, 1852).latitude - origin.latitude) * 60 - 1) < 0.005);
  const east =
    (toWgs84(1852, 0).longitude - origin.longitude) *
    60 *
    Math.cos((origin.latitude * Math.PI) / 180);
  assert.ok(Math.abs(east - 1) < 0.005);
});

type Against = {
  readonly why: string;
  readonly car: (car: Car) => Car;
  readonly action: Action;
  readonly words: RegExp;
};
const inside = (car: Car): Car => ({ ...car, driver: "inside" });
const REFUSALS: readonly Against[] = [
  {
    why: "a locked door does not open from outside",
    car: (car) => car,
    action: { type: "door", leaf: "driver", open: true },
    words: /locked/,
  },
  {
    why: "the trunk has no handle inside",
    car: inside,
    action: { type: "door", leaf: "trunk", open: true },
    words: /locked/,
  },
  {
    why: "nobody walks through a door",
    car: (car) => car,
    action: { type: "driver", where: "inside" },
    words: /closed/,
  },
  {
    why: "ignition needs somebody",
    car: (car) => car,
    action: { type: "ignition", position: "ON" },
    words: /nobody/,
  },
  {
    why: "an inhibited start",
    car: (car) => ({ ...inside(car), startInhibited: true }),
    action: { type: "ignition", position: "START" },
    words: /inhibited/,
  },
  {
    why: "P without the brake",
    car: (car) => ({ ...inside(car), ignition: "ON" }),
    action: { type: "selector", position: "D" },
    words: /brake/,
  },
  {
    why: "R at speed",
    car: (car) => ({
      ...inside(car),
      ignition: "ON",
      selector: "D",
      motion: { ...car.motion, speedMps: 9 },
    }),
    action: { type: "selector", position: "R" },
    words: /moving/,
  },
  {
    why: "nobody gets out at speed",
    car: (car) => ({
      ...inside(car),
      open: { ...car.open, driver: true },
      motion: { ...car.motion, speedMps: 9 },
    }),
    action: { type: "driver", where: "outside" },
    words: /moving/,
  },
  {
    why: "fuel while the engine runs",
    car: (car) => ({ ...inside(car), ignition: "ON" }),
    action: { type: "refuel" },
    words: /off/,
  },
];
for (const { why, car, action, words } of REFUSALS) {
  test(`refused: ${why}`, () => {
    const outcome = act(car(newCar(seed)), action);
    assert.is(outcome.done, false);
    if (!outcome.done) assert.match(outcome.why, words);
  });
}

test("an inhibited start does not crank, and inhibiting does not stop an engine that runs", () => {
  const stopped = new HandWorld(seed);
  stopped.actuate(1, "unlock");
  stopped.actuate(2, "inhibit_start");
  stopped.world = {
    ...stopped.world,
    car: { ...stopped.world.car, driver: "inside", ignition: "START" },
  };
  stopped.pass(3000, ({ car }) => assert.is(car.engine.value, "off"));
  const running = readyToDrive(seed);
  running.actuate(2, "inhibit_start");
  assert.is(running.world.car.startInhibited, true);
  assert.is(running.world.car.engine.value, "running");
});

const ACTIONS: readonly { readonly why: string; readonly value: unknown; readonly ok: boolean }[] =
  [
    { why: "as it should be", value: { type: "belt", fastened: true }, ok: true },
    { why: "an unknown type", value: { type: "fly" }, ok: false },
    { why: "a type of the prototype", value: { type: "constructor" }, ok: false },
    { why: "a field too many", value: { type: "belt", fastened: true, extra: 1 }, ok: false },
    { why: "a field missing", value: { type: "door", leaf: "driver" }, ok: false },
    {
      why: "a number out of bounds",
      value: { type: "window", door: "driver", part: 2 },
      ok: false,
    },
    { why: "no number", value: { type: "window", door: "driver", part: Number.NaN }, ok: false },
    { why: "no object", value: [], ok: false },
  ];
for (const { why, value, ok } of ACTIONS) {
  test(`action read: ${why}`, () => assert.is(parseAction(value).ok, ok));
}

test.run();
