/** A car by any profile: what the agent's own decoder makes of its frames is what the car is. Petrol and electric. */
import { createSignalStore, readShippedProfile, shippedProfiles } from "@kerbside/can";
import type { SignalName, SignalValue } from "@kerbside/protocol";
import {
  actIn,
  type Car,
  createControlUnits,
  ELECTRIC_MODEL,
  isCharging,
  makeRoute,
  newCar,
  newWorld,
  rest,
  stepWorld,
  TRAVEL,
  VSS,
  type World,
} from "@kerbside/sim";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { manualClock } from "../support/runtime.ts";

const AROUND = { route: makeRoute(), travel: TRAVEL };
const STEP_MS = 10;
/** What buses round: a step of the coarsest of their signals. */
const RESOLUTION: Readonly<Partial<Record<string, number>>> = {
  "Vehicle.TraveledDistance": 1000,
  "Vehicle.Powertrain.FuelSystem.RelativeLevel": 2.1,
  "Vehicle.Powertrain.CombustionEngine.Speed": 40,
  "Vehicle.Powertrain.Range": 1000,
  "Vehicle.CurrentLocation.Heading": 8,
  // Some say it once a second, and it speeds up meanwhile.
  "Vehicle.CurrentLocation.Speed": 5,
  "Vehicle.CurrentLocation.Latitude": 0.0005,
  "Vehicle.CurrentLocation.Longitude": 0.0005,
};
/** Profiles have their own words for these, and fewer. */
const COARSE: ReadonlySet<string> = new Set([
  "Vehicle.LowVoltageSystemState",
  "Vehicle.Powertrain.Transmission.CurrentGear",
]);

/** Somebody gets in and drives for a while. */
function driven(drive: Car["drive"], ms: number, watch: (world: World) => void): World {
  let world = newWorld({ ...newCar(3, drive), bolts: { ...newCar(3).bolts, driver: 0 } });
  const does = (action: Parameters<typeof actIn>[1]): void => {
    const outcome = actIn(world, action);
    assert.ok(outcome.done, outcome.done ? "" : outcome.why);
    world = outcome.world;
  };
  const pass = (passMs: number, accelerator: number, brake: number): void => {
    world = { ...world, pedals: { accelerator, brake } };
    for (let at = 0; at < passMs; at += STEP_MS) {
      world = stepWorld(world, STEP_MS, AROUND).world;
      watch(world);
    }
  };
  pass(1000, 0, 0);
  does({ type: "door", leaf: "driver", open: true });
  does({ type: "driver", where: "inside" });
  does({ type: "door", leaf: "driver", open: false });
  does({ type: "belt", fastened: true });
  does({ type: "ignition", position: "START" });
  pass(2000, 0, 0.4);
  does({ type: "selector", position: "D" });
  does({ type: "parkingBrake", engaged: false });
  pass(ms, 0.3, 0);
  return world;
}

function isNear(name: string, said: SignalValue, is: SignalValue): boolean {
  if (typeof said !== "number" || typeof is !== "number") return said === is;
  return Math.abs(said - is) <= (RESOLUTION[name] ?? Math.max(0.6, Math.abs(is) * 0.01));
}

for (const name of shippedProfiles()) {
  const profile = readShippedProfile(name);
  if (profile.messages.length === 0) continue;
  test(`a car that speaks by ${name} is read as it is`, () => {
    const clock = manualClock();
    const store = createSignalStore({ profile, clock });
    const units = createControlUnits(AROUND.route, name);
    const drive = units.powertrain === "electric" ? "electric" : "petrol";
    const { car } = driven(drive, 20_000, ({ car: now }) => {
      clock.pass(STEP_MS);
      const bootMs = clock.bootMs();
      const frames = units.due(now, now.timeMs - STEP_MS, now.timeMs);
      store.ingest(
        frames.map(({ id, ext, data }) => ({
          ...{ timeUs: null, bus: "sim", id, ext, kind: "data", fd: false, data, bootMs },
        })),
      );
    });
    assert.ok(car.motion.speedMps > 3, `${car.motion.speedMps} m/s`);
    const { corrupt, repeated, missed } = store.stats();
    assert.equal({ corrupt, repeated, missed }, { corrupt: 0, repeated: 0, missed: 0 });
    let compared = 0;
    for (const signal of Object.keys(VSS) as SignalName[]) {
      const is = VSS[signal]?.(car, AROUND.route);
      if (!store.provides(signal) || is === undefined || COARSE.has(signal)) continue;
      const said = store.read(signal);
      assert.is(said.quality, "good", `${signal} is ${said.quality}`);
      const text = `${signal}: the bus says ${said.value}, the car is ${String(is)}`;
      assert.ok(said.value !== undefined && isNear(signal, said.value, is), text);
      compared += 1;
    }
    assert.ok(compared >= 10, `${compared} signals compared`);
  });
}

test("an electric car: charge falls as it drives, within what such a car takes", () => {
  let fromKwh = 0;
  let fromM = 0;
  const { car } = driven("electric", 120_000, ({ car: now }) => {
    assert.ok(now.motion.accelerationMps2 <= ELECTRIC_MODEL.tractionMps2Max + 1e-9);
    assert.ok(now.chargeKwh >= 0 && now.chargeKwh <= ELECTRIC_MODEL.batteryKwh);
    assert.is(now.fuelL, 0);
    if (fromKwh === 0 && now.motion.speedMps > 10) {
      fromKwh = now.chargeKwh;
      fromM = now.motion.odometerM;
    }
  });
  const each = ((fromKwh - car.chargeKwh) / (car.motion.odometerM - fromM)) * 100_000;
  assert.ok(each > 5 && each < 60, `${each} kWh for 100 km with a third of the power all the way`);
});

test("an electric car brakes into its battery, and one whose battery is empty stops driving", () => {
  const { car } = driven("electric", 20_000, () => undefined);
  let rolling = { ...newWorld(car), pedals: { accelerator: 0, brake: 0 } };
  const before = rolling.car.chargeKwh;
  for (let at = 0; at < 2000; at += STEP_MS) rolling = stepWorld(rolling, STEP_MS, AROUND).world;
  assert.ok(rolling.car.chargeKwh > before, "it gained while it slowed down");
  let empty = newWorld({ ...car, chargeKwh: 0 });
  empty = stepWorld(empty, STEP_MS, AROUND).world;
  assert.is(empty.car.engine.value, "off");
});

test("charging: by the cable and only while it is off, to the brim and no further", () => {
  const parked = { ...newCar(1, "electric"), chargeKwh: 40 };
  const plugged = { ...parked, cableConnected: true };
  assert.is(isCharging(plugged), true);
  const hour = rest(plugged, 1_800_000);
  assert.ok(Math.abs(hour.chargeKwh - 45.5) < 0.01, `${hour.chargeKwh} kWh`);
  assert.is(rest(hour, 3_600_000).chargeKwh, ELECTRIC_MODEL.batteryKwh);
  assert.is(isCharging({ ...plugged, ignition: "ON" }), false);
  assert.is(isCharging({ ...plugged, chargeKwh: ELECTRIC_MODEL.batteryKwh }), false);
});

test("a petrol car has no cable, and an electric one no tank", () => {
  const plug = { type: "plug", connected: true } as const;
  const petrol = actIn(newWorld(newCar(1)), plug);
  assert.ok(!petrol.done && /petrol/.test(petrol.why));
  const electric = actIn(newWorld(newCar(1, "electric")), { type: "refuel" });
  assert.ok(!electric.done && /charged/.test(electric.why));
});

test.run();
