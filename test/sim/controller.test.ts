import type { LockAction, LockOutcome } from "@kerbside/protocol";
import { type Action, controllerInput, newWorld } from "@kerbside/sim";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { AROUND, HandWorld } from "./world.ts";

const SEED = 5;
const fault = (name: "lockJam" | "lockDead" | "supplyLow" | "doorAjar" | "tamper"): Action => ({
  type: "fault",
  fault: name,
  on: true,
});

test("bolts travel 300 to 600 ms, and only then is it done", () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    const world = new HandWorld(seed);
    const fromMs = world.world.car.timeMs;
    let doneMs = 0;
    world.ask(1, "unlock");
    world.pass(1000, ({ car }) => {
      if (doneMs === 0 && Object.values(car.bolts).every((bolt) => bolt < 0.01))
        doneMs = car.timeMs - fromMs;
    });
    assert.ok(doneMs >= 300 && doneMs <= 610, `${doneMs} ms with seed ${seed}`);
    assert.is(world.results()[0]?.outcome, "done");
    assert.is(world.results()[0]?.boltDriver, "unlocked");
  }
});

type Row = {
  readonly why: string;
  readonly before: readonly Action[];
  readonly action: LockAction;
  readonly outcome: LockOutcome;
  readonly sensed: Readonly<Record<string, string>>;
};
const open = (leaf: "driver" | "rearDriver"): Action => ({ type: "door", leaf, open: true });
const ROWS: readonly Row[] = [
  {
    why: "all closed",
    before: [],
    action: "lock",
    outcome: "done",
    sensed: { boltDriver: "locked", boltTrunk: "locked" },
  },
  {
    why: "the driver's door is open",
    before: [open("driver")],
    action: "lock",
    outcome: "no_travel",
    sensed: { boltDriver: "unlocked", doorFrontLeft: "open", boltPassengers: "locked" },
  },
  {
    why: "a rear door is open",
    before: [open("rearDriver")],
    action: "lock",
    outcome: "no_travel",
    sensed: { doorRearLeft: "open", boltDriver: "locked", boltPassengers: "unknown" },
  },
  {
    why: "the motor jams",
    before: [fault("lockJam")],
    action: "lock",
    outcome: "jam",
    sensed: { boltDriver: "unknown" },
  },
  {
    why: "the motor is dead",
    before: [fault("lockDead")],
    action: "lock",
    outcome: "no_travel",
    sensed: { boltDriver: "unlocked" },
  },
  {
    why: "the supply is low",
    before: [fault("supplyLow")],
    action: "lock",
    outcome: "supply_low",
    sensed: { boltDriver: "unlocked" },
  },
  {
    why: "the door contact is stuck",
    before: [fault("doorAjar")],
    action: "lock",
    outcome: "done",
    sensed: { boltDriver: "locked", doorFrontLeft: "open" },
  },
  {
    why: "the lid is open",
    before: [fault("tamper")],
    action: "lock",
    outcome: "done",
    sensed: { tamper: "opened" },
  },
  {
    why: "the trunk springs open",
    before: [],
    action: "trunk",
    outcome: "done",
    sensed: { boltTrunk: "unlocked", trunk: "open" },
  },
  {
    why: "the relay latches",
    before: [],
    action: "inhibit_start",
    outcome: "done",
    sensed: { immobiliser: "inhibited" },
  },
];
for (const { why, before, action, outcome, sensed } of ROWS) {
  test(`${action}: ${why} → ${outcome}`, () => {
    const world = new HandWorld(SEED);
    world.actuate(1, "unlock");
    for (const one of before) assert.is(world.does(one), undefined);
    const result = world.actuate(2, action);
    assert.is(result?.outcome, outcome);
    for (const [name, value] of Object.entries(sensed))
      assert.is(Reflect.get(result ?? {}, name), value, name);
  });
}

test("after a jam has been cleared the same car locks again", () => {
  const world = new HandWorld(SEED);
  world.does(fault("lockJam"));
  assert.is(world.actuate(1, "unlock")?.outcome, "jam");
  world.does({ type: "fault", fault: "lockJam", on: false });
  assert.is(world.actuate(2, "unlock")?.outcome, "done");
});

test("whatever the travel time, bolts come to their end by their contacts", () => {
  for (let travelMs = 1; travelMs <= 620; travelMs += 1) {
    const world = new HandWorld(SEED, { minMs: travelMs, maxMs: travelMs });
    assert.is(world.actuate(1, "unlock")?.outcome, "done", `${travelMs} ms`);
  }
});

test("an actuation that comes again is answered from memory and moves nothing", () => {
  const world = new HandWorld(SEED);
  world.actuate(1, "unlock");
  world.actuate(2, "lock");
  const before = world.results().length;
  world.ask(1, "unlock");
  world.pass(1500, ({ car }) => assert.is(car.bolts.driver, 1));
  assert.is(world.results().length, before + 1);
  assert.is(world.results().at(-1)?.outcome, "done");
});

test("ids must rise: an old one that is not remembered is refused", () => {
  const world = new HandWorld(SEED);
  world.actuate(100, "unlock");
  assert.is(world.actuate(50, "lock")?.outcome, "refused");
  assert.ok(world.world.car.bolts.driver < 0.01);
});

test("a second actuation during a pulse is refused as busy", () => {
  const world = new HandWorld(SEED);
  world.ask(1, "unlock");
  world.pass(100);
  world.ask(2, "lock");
  assert.is(world.results()[0]?.outcome, "busy");
  world.pass(1000);
  assert.ok(world.world.car.bolts.driver < 0.01);
});

test("a reset in mid-pulse stops the motor, is remembered as interrupted, and is never gone on with", () => {
  const world = new HandWorld(SEED);
  world.ask(1, "unlock");
  world.pass(150);
  const at = world.world.car.bolts.driver;
  assert.ok(at > 0 && at < 1);
  world.world = controllerInput(world.world, { type: "reset" }, AROUND).world;
  world.pass(2000, ({ car }) => assert.is(car.bolts.driver, at));
  world.ask(1, "unlock");
  assert.is(world.results().at(-1)?.outcome, "interrupted");
  assert.is(world.world.controller.memory.resetCount, 1);
  assert.is(world.actuate(2, "unlock")?.outcome, "done");
});

test("the immobiliser's latch and the spent ids outlive the supply", () => {
  const world = new HandWorld(SEED);
  world.actuate(1, "inhibit_start");
  const again = new HandWorld(SEED);
  again.world = newWorld(world.world.car, world.world.controller.memory);
  again.pass(1000, ({ car }) => assert.ok(car.timeMs > 0));
  assert.is(again.world.car.startInhibited, true);
  again.ask(1, "inhibit_start");
  assert.is(again.results()[0]?.outcome, "done");
});

test("every change of a contact is reported unasked, the supply alone is not", () => {
  const world = new HandWorld(SEED);
  world.actuate(1, "unlock");
  world.said.length = 0;
  world.pass(3000);
  assert.is(world.said.length, 0);
  world.does(open("driver"));
  world.pass(20);
  const report = world.said.find((message) => message.type === "statusReport");
  assert.is(report?.type === "statusReport" && report.doorFrontLeft, "open");
});

test.run();
