/** The car as the agent sees it: what is told of its motion, by which witness, to whom it matters that somebody drives. */
import { createReplayBus, readShippedProfile } from "@kerbside/can";
import type { SignalName, SignalValue } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Car, type CarSeen, startCar } from "../../device/car.ts";
import type { Wires } from "../../device/wires.ts";
import { manualClock, realRandom, silentLog } from "../support/runtime.ts";

const FOR_GOOD_MS = 1e9;
const SPEED: SignalName = "Vehicle.Speed";

type Bench = {
  readonly car: Car;
  /** Puts a value, and gives what is told of it. */
  readonly put: (name: SignalName, value: SignalValue) => Promise<readonly CarSeen["type"][]>;
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
        car.store.put(name, value, clock.bootMs(), FOR_GOOD_MS);
        await new Promise((resolve) => setImmediate(resolve));
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

test.run();
