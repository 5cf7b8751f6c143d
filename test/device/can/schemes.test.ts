import { type Collected, EVENTS_A_MINUTE_MAX, RECEPTION_MS } from "@kerbside/can";
import { encodeEvent } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SchemeCar, scheme, schemeOf, without } from "../../support/scheme-car.ts";
import { seeded } from "../../support/seeded.ts";

test("a booking as the shipped scheme tells it: unlock, doors, trip with distance, parked, lock", () => {
  const car = new SchemeCar({ cause: "command", booking: "b-1" });
  const first = car.kinds(200);
  assert.is(
    first.filter((kind) => kind === "door.changed").length,
    6,
    "the state found at the start",
  );
  assert.ok(first.includes("lock.changed") && first.includes("ignition.changed"));
  car.lock = "moving";
  assert.equal(car.kinds(300), [], "bolts under way are no news");
  car.lock = "unlocked";
  assert.equal(car.run(100)[0]?.data, { locked: false, cause: "command" });
  car.doors = { DoorDriver: "open" };
  assert.equal(car.run(100)[0]?.data, { door: "driver", open: true });
  car.doors = {};
  car.terminal = "ON";
  assert.equal(car.kinds(500), ["ignition.changed", "door.changed"]);
  const startM = Math.floor(car.odometerM);
  car.kmh = 36;
  const driving = car.run(10_000);
  assert.equal(driving[0]?.data, { odometerM: startM, fuelPercent: 50, booking: "b-1" });
  const track = driving.filter(({ kind }) => kind === "position.sampled");
  assert.is(track.length, 10, "once a second");
  car.kmh = 0;
  car.run(1000);
  car.terminal = "OFF";
  const end = without(car.run(3000), "ignition.changed");
  assert.equal(
    end.map(({ kind }) => kind),
    ["trip.ended", "vehicle.parked"],
  );
  const ended = end[0];
  if (ended?.kind !== "trip.ended") return assert.unreachable();
  assert.is(ended.data.distanceM, 100);
  assert.is(ended.data.durationS, 11);
  assert.is(ended.data.booking, "b-1");
  car.lock = "locked";
  assert.equal(car.kinds(100), ["lock.changed"]);
  assert.equal(car.kinds(60_000), [], "a parked car has nothing to tell");
  for (const { bootMs, ...event } of car.events) {
    encodeEvent({ ...event, bootMs, wallOffsetMs: 0, doubtMs: 0 });
  }
});

test("a stop of the engine shorter than the rule's is the same trip", () => {
  const car = new SchemeCar();
  car.terminal = "ON";
  car.kmh = 30;
  car.run(2000);
  car.terminal = "OFF";
  car.run(1000);
  car.terminal = "START";
  car.run(500);
  car.terminal = "ON";
  const kinds = car.kinds(5000);
  assert.not(kinds.includes("trip.ended"));
  assert.not(kinds.includes("trip.started"));
});

test("a bus that falls silent ends the trip after a minute, with what was last known", () => {
  const car = new SchemeCar();
  car.terminal = "ON";
  car.kmh = 36;
  car.run(5000);
  const before = car.events.length;
  car.clock.pass(59_000);
  assert.is(car.events.slice(before).filter(({ kind }) => kind === "trip.ended").length, 0);
  car.clock.pass(3000);
  const ended = car.events.slice(before).find(({ kind }) => kind === "trip.ended");
  if (ended?.kind !== "trip.ended") return assert.unreachable("no end of the trip");
  assert.ok(Math.abs(ended.data.distanceM - 50) <= 5, `by speed and time: ${ended.data.distanceM}`);
});

test("alarms: a door that opens while locked, a car that moves while off, an impact; not in use", () => {
  const alarms = (events: readonly Collected[]): string[] =>
    events.flatMap((event) => (event.kind === "security.alarm" ? [event.data.alarm] : []));
  const car = new SchemeCar();
  car.run(500);
  car.doors = { DoorPassenger: "open" };
  assert.equal(alarms(car.run(200)), ["breakIn"]);
  car.doors = {};
  car.run(200);
  car.kmh = 20;
  assert.equal(alarms(car.run(10_000)), ["tow"]);
  car.kmh = 0;
  car.run(1000);
  car.braking = 60;
  assert.equal(alarms(car.run(50)), ["impact"]);
  const used = new SchemeCar();
  used.run(200);
  used.lock = "unlocked";
  used.run(200);
  used.doors = { DoorDriver: "open", Trunk: "open" };
  used.run(200);
  used.lock = "locked";
  assert.equal(alarms(used.run(1000)), [], "locked with a door open: nobody broke in");
  used.doors = {};
  used.lock = "unlocked";
  used.terminal = "ON";
  used.kmh = 50;
  assert.equal(alarms(used.run(20_000)), []);
});

test("low 12 V and low fuel are told once when they last, harsh braking with what was around it", () => {
  const car = new SchemeCar();
  car.run(500);
  car.volts = 11;
  assert.equal(car.kinds(4000), [], "a dip");
  car.volts = 12.6;
  car.run(1000);
  car.volts = 11;
  assert.equal(car.kinds(30_000), ["battery.low"]);
  car.terminal = "ON";
  car.fuel = 9.5;
  const low = car.run(30_000).filter(({ kind }) => kind === "energy.changed");
  assert.ok(low.every((event) => event.kind === "energy.changed" && event.data.low === true));
  assert.ok(low.length >= 1 && low.length <= 2, `${low.length}`);
  car.kmh = 50;
  car.run(5000);
  car.braking = 8;
  const braked = car.run(1000);
  const told = braked.flatMap(({ kind, data }) => (kind === "braking.harsh" ? [data] : []));
  assert.is(told.length, 1);
  assert.equal(told[0], { decelerationMps2: 8, speedKmh: 50 });
  const around = braked.filter(({ kind }) => kind === "signals.sampled");
  car.braking = 0;
  around.push(...car.run(5000).filter(({ kind }) => kind === "signals.sampled"));
  const times = around.map(({ bootMs }) => bootMs);
  const span = Math.max(...times) - Math.min(...times);
  assert.ok(span >= 3500 && span <= 4500, `2 s before and after, ${span} ms`);
  assert.ok(around.length >= 18 && around.length <= 22, `every 200 ms, ${around.length}`);
  assert.equal(
    times,
    [...times].sort((a, b) => a - b),
    "in order",
  );
});

test("frames that are missing or damaged are a fault, told once in ten minutes, and a few are none", () => {
  const car = new SchemeCar({ schemes: [] });
  const faults = (): unknown[] => car.events.splice(0).map(({ data }) => data);
  const spoil = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const frame = car.frame("SPEED", { VehicleSpeed: 1 });
      frame.data[0] = (frame.data[0] ?? 0) ^ 1;
      car.store.ingest([frame]);
    }
  };
  car.run(1000);
  spoil(19);
  car.clock.pass(RECEPTION_MS);
  assert.equal(faults(), []);
  car.run(1000);
  spoil(30);
  car.clock.pass(RECEPTION_MS);
  const [fault, ...more] = faults();
  assert.is(JSON.stringify(fault).includes('"code":"can.frames_corrupt"'), true);
  assert.is(JSON.stringify(fault).includes('"count":30'), true);
  assert.equal(more, []);
  car.clock.pass(3 * RECEPTION_MS);
  assert.equal(faults(), [], "it is over");
});

test("deadband, minimum interval and the newest value after it", () => {
  const car = new SchemeCar({
    schemes: [
      scheme({
        name: "speed",
        on: "change",
        signals: ["Vehicle.Speed"],
        deadband: { "Vehicle.Speed": 2 },
        minIntervalMs: 1000,
      }),
    ],
  });
  const told: number[] = [];
  for (const kmh of [10, 11, 12, 13, 20, 30]) {
    car.kmh = kmh;
    car.run(100);
  }
  car.run(2000);
  for (const event of car.events) {
    if (event.kind === "signals.changed") told.push(Number(event.data.values["Vehicle.Speed"]));
  }
  assert.equal(told, [10, 30], "10 at once, and what is newest a second later");
});

test("an expired scheme collects nothing; new schemes take the place of the old at once", () => {
  const every = { name: "all", on: "periodic", everyMs: 1000, signals: ["Vehicle.Speed"] };
  const car = new SchemeCar({
    schemes: [{ ...scheme(every), expiresAtMs: Date.UTC(2026, 0, 1) + 5500 }],
  });
  assert.is(car.kinds(10_000).length, 5);
  car.collector.apply([schemeOf(scheme({ ...every, everyMs: 100 }))]);
  assert.ok(Math.abs(car.kinds(2000).length - 20) <= 1);
  car.collector.apply([]);
  assert.equal(car.kinds(2000), []);
});

test("a scheme that asks for too much is bounded, and what was left out is counted", () => {
  const rule = (i: number): object => ({
    name: `r${i}`,
    on: "periodic",
    everyMs: 50,
    signals: ["Vehicle.Speed"],
  });
  const car = new SchemeCar({
    schemes: [scheme(...Array.from({ length: 20 }, (_, i) => rule(i)))],
  });
  car.run(30_000);
  assert.is(car.events.length, EVENTS_A_MINUTE_MAX);
  assert.ok(car.collector.stats().suppressed > 0);
});

test("events of a car that does anything at all can be stored, each by its kind's schema", () => {
  const seed = Date.now() % 1e6;
  const random = seeded(seed);
  const pick = <T>(first: T, ...more: T[]): T =>
    [first, ...more][Math.floor(random() * (more.length + 1))] ?? first;
  const car = new SchemeCar({ cause: "access", booking: "b-2" });
  for (let i = 0; i < 400; i++) {
    car.kmh = pick(0, 0, 5, 50, 200, 655.35);
    car.braking = pick(0, 0, 7, 60, -60);
    car.terminal = pick("OFF", "ON", "ACC", "START", "LOCK", "not available");
    car.lock = pick("locked", "unlocked", "moving", "not available");
    car.doors = { DoorDriver: pick("open", "closed", "fault"), Hood: pick("open", "closed") };
    car.fuel = pick(5, 50, 100, 127.5);
    car.volts = pick(0, 11, 14, 65.535);
    if (random() < 0.1) car.clock.pass(pick(300, 5000, 100_000));
    car.run(pick(50, 200, 3000));
  }
  assert.ok(car.events.length > 500);
  for (const { bootMs, ...event } of car.events) {
    encodeEvent({ ...event, bootMs, wallOffsetMs: 0, doubtMs: 0 });
  }
  const trips = car.events.filter(({ kind }) => kind === "trip.started" || kind === "trip.ended");
  for (const [i, { kind }] of trips.entries()) {
    assert.is(kind, i % 2 === 0 ? "trip.started" : "trip.ended", `seed ${seed}: they take turns`);
  }
});

test.run();
