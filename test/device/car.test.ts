/** The car as the agent sees it: what is told of its motion, by which witness, to whom it matters that somebody drives. */
import { createReplayBus, readShippedProfile } from "@kerbside/can";
import { isSignalName, type SignalName, type SignalValue } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Car, type CarSeen, startCar } from "../../device/car.ts";
import { sensedBySignals } from "../../device/car-facts.ts";
import type { Wires } from "../../device/wires.ts";
import { manualClock, realRandom, silentLog } from "../support/runtime.ts";

const FOR_GOOD_MS = 1e9;
const SPEED: SignalName = "Vehicle.Speed";
const IGNITION: SignalName = "Vehicle.LowVoltageSystemState";

type Bench = {
  readonly car: Car;
  /** Puts a value, and gives what is told of it. */
  readonly put: (name: SignalName, value: SignalValue) => Promise<readonly CarSeen["type"][]>;
  /** The bus says nothing for a second; what is told of that. */
  readonly silence: () => readonly CarSeen["type"][];
};

async function withCar(work: (bench: Bench) => Promise<void>): Promise<void> {
  const clock = manualClock();
  const notWired = (): never => {
    throw new Error("this car has a bus and nothing else");
  };
  const wires: Wires = {
    bus: () => createReplayBus({ frames: [], speed: 1, clock }),
    line: notWired,
    transport: notWired,
    bootId: "test",
  };
  const car = startCar({
    config: { bus: { driver: "socket", path: "/nowhere" } },
    profile: readShippedProfile("kerbside-sim"),
    ...{ wires, clock, random: realRandom, log: silentLog },
    onBusEvent: () => undefined,
    onGnssTime: () => undefined,
  });
  const seen: CarSeen["type"][] = [];
  car.watch(({ type }) => seen.push(type));
  try {
    await work({
      car,
      put: async (name, value) => {
        clock.pass(100);
        seen.length = 0;
        car.store.put(name, value, clock.bootMs(), name === IGNITION ? 500 : FOR_GOOD_MS);
        await new Promise((resolve) => setImmediate(resolve));
        return [...seen];
      },
      silence: () => {
        seen.length = 0;
        clock.pass(1000);
        return [...seen];
      },
    });
  } finally {
    await car.stop();
  }
}

test("wheels that turn faster than at rest are motion, also where no satellite is in view", () =>
  withCar(async ({ car, put }) => {
    const { standstillKmhMax } = car.profile.profile.interlocks;
    assert.equal(await put(SPEED, 0), ["signals"]);
    assert.equal(await put(SPEED, standstillKmhMax), ["signals"], "the noise of a car at rest");
    assert.equal(await put(SPEED, standstillKmhMax + 1), ["moved", "signals"]);
    assert.equal(await put(SPEED, 50), ["moved", "signals"]);
    assert.equal(await put(SPEED, 0), ["signals"]);
  }));

test("an ignition that is seen no more is told, once; it has not gone off by that", () =>
  withCar(async ({ put, silence }) => {
    assert.equal(silence(), [], "it never was seen");
    assert.equal(await put(IGNITION, "ON"), ["ignition", "signals"]);
    assert.equal(silence(), ["ignition_unseen"]);
    assert.equal(silence(), []);
    assert.equal(await put(IGNITION, "ON"), ["ignition", "signals"], "the same again is news");
  }));

test("whether a rental may end where the car stands cannot be told without a zone, nor without a place", () =>
  withCar(async ({ car, put }) => {
    const square = [
      { latitude: 52, longitude: 13 },
      { latitude: 52, longitude: 14 },
      { latitude: 53, longitude: 14 },
      { latitude: 53, longitude: 13 },
    ];
    const inZone = (...zones: (typeof square)[]) => car.facts(zones).end.in_zone;
    assert.is(inZone(square).quality, "unknown");
    await put("Vehicle.CurrentLocation.Latitude", 52.5);
    assert.is(inZone(square).quality, "unknown", "half a place");
    await put("Vehicle.CurrentLocation.Longitude", 13.5);
    assert.equal(inZone(square), { quality: "good", value: true });
    assert.is(inZone().quality, "unknown", "a tenant without zones asks for none");
    await put("Vehicle.CurrentLocation.Longitude", 12.5);
    assert.equal(inZone(square), { quality: "good", value: false });
  }));

test("locked by its bus, a bolt counts as seen only where the car spoke of it since", () =>
  withCar(async ({ car, put }) => {
    const driver: SignalName = "Vehicle.Cabin.Door.Row1.DriverSide.IsLocked";
    const doors = [
      "Row1.DriverSide",
      "Row1.PassengerSide",
      "Row2.DriverSide",
      "Row2.PassengerSide",
    ];
    for (const name of doors.map((one) => `Vehicle.Cabin.Door.${one}.IsLocked`)) {
      assert.ok(isSignalName(name), name);
      await put(name, true);
    }
    const saidMs = car.store.read(driver).bootMs;
    assert.is(sensedBySignals(car.store).boltDriver, "locked");
    assert.is(sensedBySignals(car.store, saidMs - 1).boltDriver, "locked");
    assert.is(sensedBySignals(car.store, saidMs).boltDriver, "unknown");
    await put(driver, true);
    const since = sensedBySignals(car.store, saidMs);
    assert.is(since.boltDriver, "locked", "the same again is news");
    assert.is(since.boltPassengers, "locked", "they were put after the driver's");
  }));

test.run();
