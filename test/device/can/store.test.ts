import {
  type BusFrame,
  createSignalStore,
  readShippedProfile,
  type SignalStore,
} from "@kerbside/can";
import type { Signal } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CarFrames } from "../../support/car-frames.ts";
import { type ManualClock, manualClock } from "../../support/runtime.ts";
import { seeded } from "../../support/seeded.ts";

const profile = readShippedProfile("kerbside-sim");
const SPEED = "Vehicle.Speed";
const VIN = "Vehicle.VehicleIdentification.VIN";

type Bench = {
  readonly clock: ManualClock;
  readonly store: SignalStore;
  readonly frames: CarFrames;
  readonly changes: Signal[];
};

function bench(): Bench {
  const clock = manualClock();
  clock.pass(1000);
  const store = createSignalStore({ profile, clock });
  const changes: Signal[] = [];
  store.subscribe((some) => changes.push(...some.signals()));
  return { clock, store, frames: new CarFrames(profile, clock), changes };
}

const speed = (kmh: number): { SPEED: { VehicleSpeed: number } } => ({
  SPEED: { VehicleSpeed: kmh },
});

test("a signal is unknown until it is seen, then good, with the time of its frame", () => {
  const { store, frames, clock } = bench();
  assert.equal(store.read(SPEED), { name: SPEED, value: undefined, quality: "unknown", bootMs: 0 });
  frames.send(store, speed(50.01));
  assert.equal(store.read(SPEED), { name: SPEED, value: 50.01, quality: "good", bootMs: 1000 });
  clock.pass(40);
  frames.send(store, speed(50.01));
  assert.is(store.read(SPEED).bootMs, 1040, "an unchanged value is refreshed");
});

test("subscribers hear changes once each, in order, and not what stays the same", () => {
  const { store, frames, changes } = bench();
  for (const kmh of [10, 10, 11, 11, 10]) frames.send(store, speed(kmh));
  const speeds = changes.filter(({ name }) => name === SPEED).map(({ value }) => value);
  assert.equal(speeds, [10, 11, 10]);
});

test("a batch of any size tells all its changes, and what a listener keeps stays as it was", () => {
  const { store, frames, clock } = bench();
  const kept: (readonly Signal[])[] = [];
  store.subscribe((changes) => {
    assert.is(changes.signals().length, changes.size);
    assert.is(changes.signals(), changes.signals(), "built once");
    kept.push(changes.signals());
  });
  const many = Array.from({ length: 1000 }, (_, i) => {
    clock.pass(40);
    return frames.make("SPEED", speed(i / 10).SPEED);
  });
  store.ingest(many);
  frames.send(store, speed(120));
  assert.is(kept.length, 2);
  const speeds = kept.map((list) => list.filter(({ name }) => name === SPEED));
  assert.equal(
    speeds[0]?.map(
      ({ value, quality, bootMs }) => `${Number(value).toFixed(1)} ${quality} ${bootMs}`,
    ),
    many.map(({ bootMs }, i) => `${(i / 10).toFixed(1)} good ${bootMs}`),
  );
  assert.equal(
    speeds[1]?.map(({ value }) => value),
    [120],
  );
});

test("fault codes and what no mapping names are unknown, never values", () => {
  const rows: readonly [
    why: string,
    message: string,
    values: Record<string, number | string>,
    name: Signal["name"],
  ][] = [
    ["0xFFFF of the speed", "SPEED", { VehicleSpeed: 655.35 }, SPEED],
    [
      "a bolt under way",
      "DOORS",
      { LockDriver: "moving" },
      "Vehicle.Cabin.Door.Row1.DriverSide.IsLocked",
    ],
    [
      "a broken door contact",
      "DOORS",
      { DoorDriver: "fault" },
      "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen",
    ],
    ["a terminal that is not known", "IGNITION", { Terminal: 6 }, "Vehicle.LowVoltageSystemState"],
    ["no fix", "GNSS_POSITION", { Latitude: 219.4967295 }, "Vehicle.CurrentLocation.Latitude"],
  ];
  for (const [why, message, values, name] of rows) {
    const { store, frames } = bench();
    store.ingest([frames.make(message, values)]);
    const { quality, value } = store.read(name);
    assert.equal({ quality, value }, { quality: "unknown", value: undefined }, why);
  }
});

test("a value outside the signal's range is invalid, and the last good one is kept", () => {
  const { store, frames } = bench();
  frames.send(store, speed(399));
  frames.send(store, speed(500));
  const { quality, value } = store.read(SPEED);
  assert.equal({ quality, value }, { quality: "invalid", value: 399 });
  frames.send(store, speed(120));
  assert.is(store.good(SPEED), 120);
});

test("a value grows stale by its own period; subscribers are told, and told again when it is back", () => {
  const { store, frames, clock, changes } = bench();
  frames.send(store, { ...speed(50), COMFORT: { WindowDriver: 0 } });
  clock.pass(240);
  assert.is(store.read(SPEED).quality, "good");
  clock.pass(20);
  assert.is(store.read(SPEED).quality, "stale", "5 × 20 ms, at least 250 ms");
  assert.is(store.read("Vehicle.Cabin.Door.Row1.DriverSide.Window.IsOpen").quality, "good");
  clock.pass(1000);
  assert.is(changes.filter(({ name, quality }) => name === SPEED && quality === "stale").length, 1);
  assert.is(store.good(SPEED), undefined);
  assert.is(store.read(SPEED).value, 50, "the last good value is still shown");
  frames.send(store, speed(50));
  assert.equal(
    changes.filter(({ name }) => name === SPEED).map(({ quality }) => quality),
    ["good", "stale", "good"],
  );
});

test("any changed bit of a protected frame makes its signals invalid until a good frame comes", () => {
  for (let bit = 0; bit < 64; bit++) {
    const { store, frames } = bench();
    frames.send(store, speed(50));
    const spoiled = frames.make("SPEED", { VehicleSpeed: 50 });
    const at = bit >> 3;
    spoiled.data[at] = (spoiled.data[at] ?? 0) ^ (1 << (bit & 7));
    store.ingest([spoiled]);
    assert.is(store.read(SPEED).quality, "invalid", `bit ${bit}`);
    assert.is(store.read(SPEED).value, 50);
    frames.send(store, speed(51));
    assert.is(store.good(SPEED), 51);
    assert.is(store.stats().corrupt, 1);
  }
});

test("a protected frame that is cut short is not believed", () => {
  const { store, frames } = bench();
  frames.send(store, speed(50));
  const whole = frames.make("SPEED", { VehicleSpeed: 60 });
  for (let length = 0; length < 8; length++) {
    store.ingest([{ ...whole, data: whole.data.slice(0, length) }]);
    assert.is(store.read(SPEED).quality, "invalid", `${length} bytes`);
  }
});

test("a counter that stands still is invalid, a gap is counted, a bus that slept is not", () => {
  const { store, frames, clock } = bench();
  const first = frames.make("SPEED", { VehicleSpeed: 50 });
  store.ingest([first, first]);
  assert.is(store.read(SPEED).quality, "invalid", "a frozen sender");
  assert.is(store.stats().repeated, 1);
  store.ingest([frames.make("SPEED", { VehicleSpeed: 50 }, 3)]);
  assert.is(store.good(SPEED), 50);
  assert.is(store.stats().missed, 3);
  clock.pass(60_000);
  store.ingest([frames.make("SPEED", { VehicleSpeed: 50 }, 7)]);
  assert.is(store.stats().missed, 3, "nothing is said of the time asleep");
  assert.is(store.receptions().get("SPEED")?.missed, 3);
});

test("a counter that stands still is invalid however long the sender hangs", () => {
  const { store, frames, clock } = bench();
  const frozen = frames.make("SPEED", { VehicleSpeed: 0 });
  store.ingest([frozen]);
  // A modulus of 16 at 20 ms: by 320 ms it would be as after a sleep, were it not heard all the time.
  for (let ms = 20; ms <= 2000; ms += 20) {
    clock.pass(20);
    store.ingest([{ ...frozen, bootMs: clock.bootMs() }]);
    assert.is(store.good(SPEED), undefined, `after ${ms} ms`);
  }
  clock.pass(60_000);
  store.ingest([{ ...frozen, bootMs: clock.bootMs() }]);
  assert.is(store.good(SPEED), 0, "after a sleep any counter is the first");
});

test("a message without counter is missed by its period", () => {
  const { store, frames, clock } = bench();
  for (const ms of [100, 100, 130, 300, 5000]) {
    clock.pass(ms);
    frames.send(store, { CLUSTER: { Odometer: 1 } });
  }
  assert.is(store.stats().missed, 2);
});

test("multiplexed signals refresh with their page only, and a VIN is put together", () => {
  const { store, frames, clock } = bench();
  const window = "Vehicle.Cabin.Door.Row1.DriverSide.Window.IsOpen";
  frames.send(store, { COMFORT: { WindowDriver: 30 } });
  const seen = store.read(window).bootMs;
  clock.pass(100);
  store.ingest([frames.make("COMFORT", { LowBeam: "on" })]);
  assert.is(store.read(window).bootMs, seen);
  assert.is(store.good(window), true);
  assert.is(store.good("Vehicle.Body.Lights.Beam.Low.IsOn"), true);
  const vin = "WKSDE00000C000042";
  const ascii = (from: number, to: number): bigint =>
    BigInt(`0x${Buffer.from(vin.slice(from, to), "latin1").toString("hex")}`);
  store.ingest([frames.make("VEHICLE_ID", { Vin01To07: ascii(0, 7) })]);
  assert.is(store.read(VIN).quality, "unknown", "only a third of it");
  store.ingest([
    frames.make("VEHICLE_ID", { Vin08To14: ascii(7, 14) }),
    frames.make("VEHICLE_ID", { Vin15To17: ascii(14, 17) }),
  ]);
  assert.is(store.good(VIN), vin, "56 bits, exact");
  store.ingest([frames.make("VEHICLE_ID", { Vin01To07: 0n })]);
  assert.is(store.read(VIN).quality, "unknown", "a car without its number");
});

test("values from elsewhere are held to the same rules", () => {
  const { store, clock, changes } = bench();
  store.put("Vehicle.CurrentLocation.Altitude", 512, clock.bootMs(), 1000);
  assert.is(store.good("Vehicle.CurrentLocation.Altitude"), 512);
  store.put("Vehicle.CurrentLocation.Altitude", 99_999, clock.bootMs(), 1000);
  assert.is(store.read("Vehicle.CurrentLocation.Altitude").quality, "invalid");
  store.put("Vehicle.CurrentLocation.Altitude", undefined, clock.bootMs(), 1000);
  assert.is(store.read("Vehicle.CurrentLocation.Altitude").quality, "unknown");
  assert.equal(
    changes.map(({ quality }) => quality),
    ["good", "invalid", "unknown"],
  );
  assert.is(store.provides("Vehicle.Diagnostics.DTCList"), false);
  store.put("Vehicle.Diagnostics.DTCList", ["P0420"], clock.bootMs(), 1000);
  assert.equal(store.good("Vehicle.Diagnostics.DTCList"), ["P0420"]);
  assert.is(store.provides("Vehicle.Diagnostics.DTCList"), true);
});

test("with every value stale the store asks for no more timers", () => {
  const { store, frames, clock } = bench();
  let timers = 0;
  const counting = {
    ...clock,
    after: (ms: number, run: () => void) => {
      timers += 1;
      return clock.after(ms, run);
    },
  };
  const quiet = createSignalStore({ profile, clock: counting });
  frames.send(quiet, speed(1));
  clock.pass(10_000);
  const before = timers;
  clock.pass(3_600_000);
  assert.is(timers, before);
  store.close();
});

test("frames at random never throw, and what they make is valid or said not to be", () => {
  const seed = Date.now() % 1e6;
  const random = seeded(seed);
  const { store, clock, changes } = bench();
  const ids = profile.messages.map(({ compiled }) => compiled.message);
  for (let i = 0; i < 20_000; i++) {
    const message = ids[Math.floor(random() * ids.length)];
    const length = Math.floor(random() * 9);
    const frame: BusFrame = {
      timeUs: null,
      bus: "test",
      id: random() < 0.9 ? (message?.id ?? 0) : Math.floor(random() * 0x800),
      ext: message?.ext ?? false,
      kind: "data",
      fd: false,
      data: Uint8Array.from({ length }, () => Math.floor(random() * 256)),
      bootMs: clock.bootMs(),
    };
    store.ingest([frame]);
    clock.pass(1);
  }
  for (const { name, value, quality } of changes) {
    if (quality === "good") assert.ok(value !== undefined, `seed ${seed}: ${name}`);
    if (typeof value === "number") assert.ok(Number.isFinite(value), `seed ${seed}: ${name}`);
  }
  const { frames, ignored } = store.stats();
  assert.is(frames + ignored, 20_000);
});

test.run();
