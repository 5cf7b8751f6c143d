import {
  type BusFrame,
  createSignalStore,
  readShippedProfile,
  type SignalStore,
} from "@kerbside/can";
import { type Car, createControlUnits, makeRoute, placeOn, toWgs84, vinOf } from "@kerbside/sim";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { manualClock } from "../support/runtime.ts";
import { AROUND, type HandWorld, readyToDrive, HandWorld as World } from "./world.ts";

const SEED = 11;
const units = createControlUnits(makeRoute());
const profile = readShippedProfile("kerbside-sim");

type Heard = { readonly store: SignalStore; readonly frames: number };

/** What the agent's own store makes of a stretch of the car's frames. */
function hear(
  world: HandWorld,
  ms: number,
  spoil: (frame: BusFrame) => void = () => undefined,
): Heard {
  const clock = manualClock();
  const store = createSignalStore({ profile, clock });
  let last = world.world.car.timeMs;
  let frames = 0;
  world.pass(ms, ({ car }) => {
    clock.pass(car.timeMs - last);
    const due = units.due(car, last, car.timeMs).map(
      ({ id, ext, data }): BusFrame => ({
        timeUs: null,
        bus: "sim",
        id,
        ext,
        kind: "data",
        fd: false,
        data,
        bootMs: clock.bootMs(),
      }),
    );
    last = car.timeMs;
    frames += due.length;
    due.forEach(spoil);
    store.ingest(due);
  });
  return { store, frames };
}

test("the agent's decoder reads the car's own state off its frames", () => {
  const world = readyToDrive(SEED);
  world.does({ type: "lowBeam", on: true });
  world.does({ type: "belt", fastened: true });
  world.pedals(0.4, 0);
  const { store } = hear(world, 8000);
  const { car } = world.world;
  const near = (name: Parameters<SignalStore["good"]>[0], value: number, step: number): void => {
    const got = store.good(name);
    assert.ok(
      typeof got === "number" && Math.abs(got - value) <= step,
      `${name}: ${got}, not ${value}`,
    );
  };
  assert.ok(car.motion.speedMps > 5, "it drives");
  near("Vehicle.Speed", car.motion.speedMps * 3.6, 0.2);
  near("Vehicle.TraveledDistance", car.motion.odometerM, 2);
  near("Vehicle.Powertrain.CombustionEngine.Speed", car.rpm, 40);
  near("Vehicle.Powertrain.FuelSystem.RelativeLevel", (car.fuelL / 42) * 100, 0.5);
  near("Vehicle.LowVoltageBattery.CurrentVoltage", car.batteryV, 0.05);
  near("Vehicle.Chassis.Accelerator.PedalPosition", 40, 0.4);
  near("Vehicle.Powertrain.Transmission.CurrentGear", car.gear, 0);
  const place = placeOn(AROUND.route, car.motion.routeM);
  const { latitude, longitude } = toWgs84(place.eastM, place.northM);
  near("Vehicle.CurrentLocation.Latitude", latitude, 0.0001);
  near("Vehicle.CurrentLocation.Longitude", longitude, 0.0002);
  near("Vehicle.CurrentLocation.Heading", place.headingDegrees, 1);
  assert.is(store.good("Vehicle.LowVoltageSystemState"), "ON");
  assert.is(store.good("Vehicle.Cabin.Door.Row1.DriverSide.IsOpen"), false);
  assert.is(store.good("Vehicle.Cabin.Door.Row1.DriverSide.IsLocked"), false);
  assert.is(store.good("Vehicle.Cabin.Seat.Row1.DriverSide.IsBelted"), true);
  assert.is(store.good("Vehicle.Body.Lights.Beam.Low.IsOn"), true);
  assert.is(store.good("Vehicle.Chassis.ParkingBrake.IsEngaged"), false);
  assert.is(store.good("Vehicle.VehicleIdentification.VIN"), vinOf(SEED));
});

test("counters and checksums hold on every frame, each message comes at its period", () => {
  const { store, frames } = hear(new World(SEED), 10_000);
  const { corrupt, missed, repeated } = store.stats();
  assert.equal({ corrupt, missed, repeated }, { corrupt: 0, missed: 0, repeated: 0 });
  // The sum of the periods in profile and DBC: 292 frames a second.
  assert.ok(Math.abs(frames - 2920) <= 12, `${frames} frames`);
});

test("a frame changed on the way is found", () => {
  const { store } = hear(new World(SEED), 1000, (frame) => {
    if (frame.id === 0x100) frame.data[0] = (frame.data[0] ?? 0) ^ 0x01;
  });
  assert.ok(store.stats().corrupt > 0);
  assert.is(store.read("Vehicle.Speed").quality === "good", false);
});

const LOST: readonly {
  readonly fault: keyof Car["faults"];
  readonly signal: Parameters<SignalStore["read"]>[0];
}[] = [
  { fault: "speedLost", signal: "Vehicle.Speed" },
  { fault: "gnssLost", signal: "Vehicle.CurrentLocation.Latitude" },
];
for (const { fault, signal } of LOST) {
  test(`with ${fault} the bus says “not available”, which is no value`, () => {
    const world = new World(SEED);
    world.does({ type: "fault", fault, on: true });
    const { store } = hear(world, 500);
    assert.is(store.read(signal).quality, "unknown");
  });
}

test("between high houses satellites lie by metres, under the railway there are none, elsewhere they are good", () => {
  const { car } = new World(SEED).world;
  const errorsM: Record<string, number[]> = { open: [], canyon: [], covered: [] };
  for (let routeM = 0; routeM < AROUND.route.lengthM; routeM += 5) {
    const place = placeOn(AROUND.route, routeM);
    const here = { ...car, motion: { ...car.motion, routeM, odometerM: routeM } };
    const frame = units.due(here, 0, 1000).find(({ message }) => message === "GNSS_POSITION");
    assert.ok(frame !== undefined);
    const said = new Map(units.read(frame).map(({ name, value }) => [name, value]));
    const [latitude, longitude] = [said.get("Latitude"), said.get("Longitude")];
    if (typeof latitude !== "number" || typeof longitude !== "number") {
      assert.is(place.sky, "covered", `no satellites at ${routeM} m`);
      errorsM["covered"]?.push(Number.NaN);
      continue;
    }
    const real = toWgs84(place.eastM, place.northM);
    // Metres of a degree of latitude, and of longitude there (WGS 84, to a thousandth).
    const northM = (latitude - real.latitude) * 111_300;
    const eastM = (longitude - real.longitude) * 111_300 * Math.cos((latitude * Math.PI) / 180);
    errorsM[place.sky]?.push(Math.hypot(northM, eastM));
  }
  const { open = [], canyon = [], covered = [] } = errorsM;
  const typical = (errors: readonly number[]): number =>
    errors.toSorted((a, b) => a - b)[errors.length >> 1] ?? Number.NaN;
  assert.ok(covered.length > 0 && covered.every(Number.isNaN), "nothing under the railway");
  assert.ok(Math.max(...open) < 5, `in the open ${Math.max(...open)} m`);
  assert.ok(typical(canyon) > 3 * typical(open), `${typical(canyon)} and ${typical(open)} m`);
  assert.ok(Math.max(...canyon) > 5 && Math.max(...canyon) < 40, `${Math.max(...canyon)} m`);
});

test("a door that opens and bolts that move show on the bus", () => {
  const world = new World(SEED);
  world.ask(1, "unlock");
  world.pass(150);
  assert.is(
    hear(world, 100).store.read("Vehicle.Cabin.Door.Row1.DriverSide.IsLocked").quality,
    "unknown",
  );
  world.pass(1000);
  world.does({ type: "door", leaf: "rearPassenger", open: true });
  const { store } = hear(world, 200);
  assert.is(store.good("Vehicle.Cabin.Door.Row1.DriverSide.IsLocked"), false);
  assert.is(store.good("Vehicle.Cabin.Door.Row2.PassengerSide.IsOpen"), true);
});

test.run();
