/**
 * Each event that car sharing needs, through the shipped scheme and nothing else: what the car does, and all that is told
 * of it. What is not on this car's bus (charging, trouble codes) comes as another source would put it.
 */
import {
  type Collected,
  createCollector,
  createSignalStore,
  readShippedProfile,
} from "@kerbside/can";
import type { SignalName, SignalValue } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { manualClock } from "../../support/runtime.ts";
import { SchemeCar } from "../../support/scheme-car.ts";

const FOR_GOOD_MS = 1e9;
const BATTERY = "Vehicle.Powertrain.TractionBattery";
const IS_CHARGING: SignalName = `${BATTERY}.Charging.IsCharging`;
const CABLE: SignalName = `${BATTERY}.Charging.ChargingPort.AnyPosition.IsChargingCableConnected`;
const CHARGE: SignalName = `${BATTERY}.StateOfCharge.Displayed`;
const CODES: SignalName = "Vehicle.Diagnostics.DTCList";

const put = (car: SchemeCar, name: SignalName, value: SignalValue): void =>
  car.store.put(name, value, car.clock.bootMs(), FOR_GOOD_MS);
const unlock = (car: SchemeCar): void => {
  car.lock = "unlocked";
  car.run(500);
};
const startDriving = (car: SchemeCar): void => {
  unlock(car);
  car.terminal = "ON";
  car.run(500);
  car.kmh = 36;
};

type Row = {
  readonly what: string;
  readonly before?: (car: SchemeCar) => void;
  readonly does: (car: SchemeCar) => void;
  /** How long the car goes on. */
  readonly ms?: number;
  /** Kinds and data, of these kinds all that there are. */
  readonly tells: readonly (readonly [kind: Collected["kind"], data: object])[];
};

const ENERGY = { fuelPercent: 50, low: false };
const ROWS: readonly Row[] = [
  ...["OFF", "ACC", "ON", "START"].map(
    (state, i, states): Row => ({
      what: `ignition ${state}`,
      before: (car) => {
        car.terminal = states[(i + 1) % states.length] ?? "";
      },
      does: (car) => {
        car.terminal = state;
      },
      tells: [["ignition.changed", { state }]],
    }),
  ),
  ...[
    ["DoorDriver", "driver"],
    ["DoorPassenger", "passenger"],
    ["DoorRearDriver", "rearDriver"],
    ["DoorRearPassenger", "rearPassenger"],
    ["Trunk", "trunk"],
    ["Hood", "hood"],
  ].map(
    ([signal = "", door]): Row => ({
      what: `door: ${door} opened and closed`,
      before: unlock,
      does: (car) => {
        car.doors = { [signal]: "open" };
        car.run(2000);
        car.doors = {};
      },
      ms: 2000,
      tells: [
        ["door.changed", { door, open: true }],
        ["door.changed", { door, open: false }],
      ],
    }),
  ),
  ...[
    ["WindowDriver", "driver"],
    ["WindowPassenger", "passenger"],
    ["WindowRearDriver", "rearDriver"],
    ["WindowRearPassenger", "rearPassenger"],
  ].map(
    ([signal = "", door]): Row => ({
      what: `window: ${door} opened a hand's breadth`,
      before: (car) => {
        car.windows = { [signal]: 0 };
      },
      does: (car) => {
        car.windows = { [signal]: 20 };
      },
      tells: [["window.changed", { door, open: true }]],
    }),
  ),
  {
    what: "lock: unlocked and locked with the key",
    does: (car) => {
      unlock(car);
      car.lock = "locked";
    },
    tells: [
      ["lock.changed", { locked: false, cause: "manual" }],
      ["lock.changed", { locked: true, cause: "manual" }],
    ],
  },
  {
    what: "a trip with its distance, and the fuel before and after; then the place it is parked at",
    does: (car) => {
      startDriving(car);
      car.run(20_000);
      car.fuel = 49;
      car.run(20_000);
      car.kmh = 0;
      car.run(1000);
      car.terminal = "OFF";
    },
    ms: 5000,
    tells: [
      ["trip.started", { odometerM: 5000, fuelPercent: 50 }],
      ["trip.ended", { odometerM: 5400, fuelPercent: 49, distanceM: 400, durationS: 41 }],
      ["vehicle.parked", { latitude: 48.1036, longitude: 11.5, odometerM: 5400 }],
    ],
  },
  {
    what: "tow: it rolls with the ignition off, told once",
    does: (car) => {
      car.kmh = 10;
    },
    ms: 60_000,
    tells: [["security.alarm", { alarm: "tow" }]],
  },
  {
    what: "tow: on a lorry, wheels still, by its position",
    does: (car) => {
      for (let i = 0; i < 40; i++) {
        car.latitude += 10 / 111_195;
        car.run(1000);
      }
    },
    tells: [["security.alarm", { alarm: "tow" }]],
  },
  {
    what: "break-in: the trunk opens while it is locked",
    does: (car) => {
      car.doors = { Trunk: "open" };
    },
    tells: [["security.alarm", { alarm: "breakIn" }]],
  },
  {
    what: "impact while parked",
    does: (car) => {
      car.braking = -40;
      car.run(50);
      car.braking = 0;
    },
    tells: [["security.alarm", { alarm: "impact" }]],
  },
  {
    what: "harsh braking",
    before: startDriving,
    does: (car) => {
      car.braking = 7;
      car.run(500);
      car.braking = 0;
    },
    tells: [["braking.harsh", { decelerationMps2: 7, speedKmh: 36 }]],
  },
  {
    what: "braking as everybody does",
    before: startDriving,
    does: (car) => {
      car.braking = 4;
    },
    tells: [],
  },
  {
    what: "low 12 V",
    does: (car) => {
      car.volts = 11.5;
    },
    ms: 20_000,
    tells: [["battery.low", { voltageV: 11.5 }]],
  },
  {
    what: "low fuel",
    before: (car) => {
      car.fuel = 12;
    },
    does: (car) => {
      car.fuel = 9.5;
    },
    ms: 20_000,
    // As a change of the level, and once it has lasted: a drop within the dead band is told of too.
    tells: [
      ["energy.changed", { fuelPercent: 9.5, low: true }],
      ["energy.changed", { fuelPercent: 9.5, low: true }],
    ],
  },
  {
    what: "charging: plugged in, and then charging",
    before: (car) => {
      put(car, CABLE, false);
      put(car, IS_CHARGING, false);
    },
    does: (car) => {
      put(car, CABLE, true);
      car.run(3000);
      put(car, IS_CHARGING, true);
    },
    ms: 3000,
    tells: [
      ["energy.changed", { ...ENERGY, charging: false, cableConnected: true }],
      ["energy.changed", { ...ENERGY, charging: true, cableConnected: true }],
    ],
  },
  {
    what: "trouble codes: another one, and all erased",
    before: (car) => put(car, CODES, ["P0301"]),
    does: (car) => {
      put(car, CODES, ["P0301", "U0100"]);
      car.run(15_000);
      put(car, CODES, []);
    },
    ms: 15_000,
    tells: [
      ["diagnostic.codes", { codes: ["P0301", "U0100"] }],
      ["diagnostic.codes", { codes: [] }],
    ],
  },
];

/** What the row is not about: a door is told of with its lock, a trip with its ignition. */
const ABOUT: Readonly<Record<string, readonly Collected["kind"][]>> = {
  "a trip": ["trip.started", "trip.ended", "vehicle.parked"],
  lock: ["lock.changed"],
  tow: ["security.alarm", "trip.started", "trip.ended", "battery.low"],
  impact: ["security.alarm", "braking.harsh", "door.changed"],
  "harsh braking": ["braking.harsh", "security.alarm"],
  "break-in": ["security.alarm"],
};

const NOT_THE_POINT: ReadonlySet<Collected["kind"]> = new Set<Collected["kind"]>([
  "position.sampled",
  "signals.sampled",
]);

/** Degrees as a map shows them. */
function rounded(data: object): object {
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => [
      name,
      name === "latitude" ? Math.round(value * 1e4) / 1e4 : value,
    ]),
  );
}

for (const { what, before, does, ms = 1500, tells } of ROWS) {
  test(what, () => {
    const car = new SchemeCar();
    before?.(car);
    car.run(12_000);
    const seen = car.events.length;
    does(car);
    car.run(ms);
    const about = Object.entries(ABOUT).find(([start]) => what.startsWith(start))?.[1];
    const told = car.events
      .slice(seen)
      .filter(({ kind }) => about?.includes(kind) ?? !NOT_THE_POINT.has(kind));
    assert.equal(
      told.map(({ kind, data }) => [kind, rounded(data)]),
      tells.map(([kind, data]) => [kind, data]),
    );
  });
}

test("low charge, of a car whose profile says what that is", () => {
  const profile = readShippedProfile("tesla-model3");
  const clock = manualClock();
  const store = createSignalStore({ profile, clock });
  const told: object[] = [];
  const collector = createCollector({
    ...{ profile, store, clock },
    emit: ({ kind, data }) => {
      if (kind === "energy.changed") told.push(data);
    },
  });
  for (const percent of [50, 12]) {
    store.put(CHARGE, percent, clock.bootMs(), FOR_GOOD_MS);
    clock.pass(20_000);
  }
  assert.equal(told, [
    { chargePercent: 50, low: false },
    { chargePercent: 12, low: true },
    { chargePercent: 12, low: true },
  ]);
  collector.close();
  store.close();
});

test.run();
