import { bookingScript } from "@kerbside/sim";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HandWorld } from "./world.ts";

const SEED = 3;

test("the booking's script reaches its end, on the road and in the right order, and leaves the car shut and off", () => {
  const world = new HandWorld(SEED);
  world.actuate(1, "unlock");
  const from = world.world.car.motion.odometerM;
  const seen: string[] = [];
  const end = world.runs(bookingScript(20_000, 50), ({ car }) => {
    const now = `${car.ignition}${car.open.driver ? " open" : ""}${car.motion.speedMps > 0 ? " moving" : ""}`;
    if (seen.at(-1) !== now) seen.push(now);
  });
  assert.equal(end, { value: "finished" });
  assert.equal(seen, [
    "LOCK",
    "LOCK open",
    "LOCK",
    "ON",
    "START",
    "ON",
    "ON moving",
    "ON",
    "OFF",
    "LOCK open",
    "LOCK",
  ]);
  const { car } = world.world;
  const gone = car.motion.odometerM - from;
  assert.ok(gone > 80 && gone < 300, `${gone} m`);
  assert.is(car.driver, "outside");
  assert.is(car.parkingBrake, true);
  assert.is(car.engine.value, "off");
  assert.ok(Object.values(car.open).every((leaf) => !leaf));
});

test("the driver keeps to the limits and takes bends slowly, all the way round", () => {
  const world = new HandWorld(SEED);
  world.actuate(1, "unlock");
  const from = world.world.car.motion.odometerM;
  const end = world.runs(bookingScript(420_000, 130), ({ car }) => {
    assert.ok(car.motion.speedMps < 71 / 3.6, `${car.motion.speedMps * 3.6} km/h`);
    assert.ok(Math.abs(car.motion.lateralMps2) < 3.5, `${car.motion.lateralMps2} m/s² aside`);
    assert.ok(car.motion.accelerationMps2 > -4, `${car.motion.accelerationMps2} m/s²`);
  });
  assert.is(end.value, "finished");
  assert.ok(world.world.car.motion.odometerM - from > 3500, "more than one round");
});

test("a car that stays locked ends the script with the step and the reason", () => {
  const world = new HandWorld(SEED);
  const end = world.runs(bookingScript(1000, 50));
  assert.is(end.value, "failed");
  if (end.value === "failed") {
    assert.is(end.step, 0);
    assert.match(end.why, /too long/);
  }
});

test("a start that is inhibited ends the script at the ignition", () => {
  const world = new HandWorld(SEED);
  world.actuate(1, "unlock");
  world.actuate(2, "inhibit_start");
  const end = world.runs(bookingScript(1000, 50));
  assert.ok(end.value === "failed" && /inhibited/.test(end.why));
  assert.ok(end.value === "failed" && /starts the engine/.test(end.words));
});

test.run();
