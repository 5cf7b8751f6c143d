import {
  type ByteLine,
  createSignalStore,
  type Fix,
  type GnssReceiver,
  type GnssTime,
  readShippedProfile,
  SentenceSplitter,
  type SignalStore,
  startGnssReceiver,
} from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type ManualClock, manualClock } from "../../support/runtime.ts";
import { seeded } from "../../support/seeded.ts";

const LATITUDE = "Vehicle.CurrentLocation.Latitude";

function sentence(body: string): string {
  const sum = [...body].reduce((x, char) => x ^ char.charCodeAt(0), 0);
  return `$${body}*${sum.toString(16).toUpperCase().padStart(2, "0")}\r\n`;
}

const degrees = (value: number, digits: number): string => {
  const whole = Math.floor(value);
  return String(whole).padStart(digits, "0") + ((value - whole) * 60).toFixed(4).padStart(7, "0");
};
type Rmc = { status?: string; mode?: string; knots?: number; longitude?: number };
const rmc = (
  latitude: number,
  { status = "A", mode = "A", knots = 20, longitude = 11.5 }: Rmc = {},
): string =>
  sentence(
    `GPRMC,120000.00,${status},${degrees(latitude, 2)},N,${degrees(longitude, 3)},E,${knots},90.0,211126,,,${mode}`,
  );
const gga = (hdop: number, quality = 1): string =>
  sentence(`GPGGA,120000.00,4806.0000,N,01130.0000,E,${quality},08,${hdop},520.5,M,47.0,M,,`);

/** A receiver on a line that the test speaks on. */
class Bench {
  readonly clock: ManualClock = manualClock();
  readonly store: SignalStore = createSignalStore({
    profile: readShippedProfile("obd"),
    clock: this.clock,
  });
  readonly fixes: Fix[] = [];
  readonly times: GnssTime[] = [];
  readonly states: string[] = [];
  readonly receiver: GnssReceiver;
  opened = 0;
  refuse = false;
  data: Parameters<ByteLine>[0]["data"] = () => undefined;
  closed: Parameters<ByteLine>[0]["closed"] = () => undefined;

  constructor() {
    this.receiver = startGnssReceiver({
      line: async (events) => {
        this.opened += 1;
        if (this.refuse) throw new Error("no such device");
        this.data = events.data;
        this.closed = events.closed;
        return { close: () => events.closed("asked to") };
      },
      store: this.store,
      clock: this.clock,
      random: { fraction: () => 0.5 },
      onFix: (fix) => this.fixes.push(fix),
      onTime: (time) => this.times.push(time),
      onState: (state) => this.states.push(state),
    });
  }

  say(...sentences: readonly string[]): void {
    for (const text of sentences) this.data(new TextEncoder().encode(text));
  }

  async pass(ms: number): Promise<void> {
    for (let t = 0; t < ms; t += 50) {
      this.clock.pass(50);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

async function open(): Promise<Bench> {
  const bench = new Bench();
  await bench.pass(50);
  return bench;
}

test("a fix gives position, course, altitude, error and time", async () => {
  const bench = await open();
  bench.say(gga(0.9), rmc(48.1));
  const { store } = bench;
  assert.ok(Math.abs(Number(store.good(LATITUDE)) - 48.1) < 1e-6);
  assert.is(store.good("Vehicle.CurrentLocation.Longitude"), 11.5);
  assert.is(store.good("Vehicle.CurrentLocation.Heading"), 90);
  assert.is(store.good("Vehicle.CurrentLocation.Altitude"), 520.5);
  assert.ok(Math.abs(Number(store.good("Vehicle.CurrentLocation.Speed")) - 37.04) < 0.01);
  assert.ok(Math.abs((bench.fixes[0]?.accuracyM ?? 0) - 4.5) < 1e-9);
  assert.ok(Math.abs((bench.fixes[0]?.speedKmh ?? 0) - 37.04) < 0.01, "knots");
  assert.is(bench.times[0]?.unixMs, Date.UTC(2026, 10, 21, 12, 0, 0));
  assert.equal(bench.states, ["searching", "fix"]);
  bench.receiver.stop();
});

test("what is no measured fix is none", async () => {
  const rows: readonly [why: string, sentences: string[]][] = [
    ["void", [rmc(48.1, { status: "V" })]],
    ["computed, not measured", [rmc(48.1, { mode: "E" })]],
    ["simulated", [rmc(48.1, { mode: "S" })]],
    ["not valid", [rmc(48.1, { mode: "N" })]],
    ["far too uncertain", [gga(50), rmc(48.1)]],
    ["no coordinates", [sentence("GPRMC,120000.00,A,,,,,,,211126,,,A")]],
    ["a wrong checksum", [rmc(48.1).replace("*", "*0")]],
    ["one digit changed", [rmc(48.1).replace("4806", "4906")]],
    ["no checksum", ["$GPRMC,120000.00,A,4806.0000,N,01130.0000,E,0,0,211126,,,A\r\n"]],
    ["beyond the pole", [sentence("GPRMC,120000.00,A,9906.0000,N,01130.0000,E,0,0,211126,,,A")]],
  ];
  for (const [why, sentences] of rows) {
    const bench = await open();
    bench.say(...sentences);
    assert.equal(bench.fixes, [], why);
    assert.is(bench.store.read(LATITUDE).quality, "unknown", why);
    bench.receiver.stop();
  }
});

test("a car that stands has no course, and one that lost its fix no position", async () => {
  const bench = await open();
  bench.say(rmc(48.1, { knots: 0.5 }));
  assert.is(bench.store.read("Vehicle.CurrentLocation.Heading").quality, "unknown");
  bench.say(rmc(48.1, { status: "V" }));
  assert.is(bench.store.read(LATITUDE).quality, "unknown");
  assert.is(bench.receiver.state(), "searching");
  bench.say(rmc(48.1));
  assert.is(bench.store.read(LATITUDE).quality, "good");
  await bench.pass(3200);
  assert.is(bench.store.read(LATITUDE).quality, "stale", "no sentence for 3 s");
  bench.receiver.stop();
});

test("a jump is not believed, until five in a row agree about the new place", async () => {
  const bench = await open();
  bench.say(rmc(48.1));
  await bench.pass(1000);
  bench.say(rmc(48.9));
  assert.is(bench.fixes.length, 1, "89 km in a second");
  assert.is(bench.receiver.stats().jumps, 1);
  await bench.pass(1000);
  bench.say(rmc(48.1002));
  assert.is(bench.fixes.length, 2, "where it was expected");
  for (let i = 0; i < 5; i++) {
    assert.is(bench.fixes.length, 2, `${i}`);
    await bench.pass(1000);
    bench.say(rmc(52.5 + i * 1e-4));
  }
  assert.is(bench.fixes.length, 3, "the old place was wrong");
  await bench.pass(60_000);
  bench.say(rmc(52.53));
  bench.receiver.stop();
});

test("a receiver that hangs, is unplugged or is not there is opened again, with growing pauses", async () => {
  const bench = await open();
  bench.say(rmc(48.1));
  await bench.pass(5100);
  assert.ok(bench.states.includes("silent"));
  await bench.pass(300);
  assert.is(bench.opened, 2, "once for the silence, and not twice");
  bench.closed("unplugged");
  await bench.pass(300);
  assert.is(bench.opened, 3);
  bench.refuse = true;
  bench.closed("unplugged again");
  await bench.pass(20_000);
  assert.ok(bench.opened > 8 && bench.opened < 40, `${bench.opened}`);
  bench.refuse = false;
  await bench.pass(2500);
  bench.say(rmc(48.1));
  assert.is(bench.receiver.state(), "fix");
  const { opened } = bench;
  bench.receiver.stop();
  bench.closed("after the end");
  await bench.pass(10_000);
  assert.is(bench.opened, opened, "nothing goes on after stop");
});

test("sentences survive any cutting and any noise, and damage is counted", () => {
  const seed = Date.now() % 1e6;
  const random = seeded(seed);
  const splitter = new SentenceSplitter();
  const good = rmc(48.1);
  let expected = 0;
  for (let i = 0; i < 2000; i++) {
    const noise = Uint8Array.from({ length: Math.floor(random() * 300) }, () =>
      Math.floor(random() * 256),
    );
    splitter.push(noise);
    splitter.push(Uint8Array.of(10));
    const cut = Math.floor(random() * good.length);
    const got = [
      ...splitter.push(new TextEncoder().encode(good.slice(0, cut))),
      ...splitter.push(new TextEncoder().encode(good.slice(cut))),
    ];
    assert.equal(got, [good.trimEnd()], `seed ${seed}`);
    expected += 1;
  }
  assert.is(splitter.counts.sentences, expected);
  assert.ok(splitter.counts.refused > 0);
});

test("any sentence with a right checksum is read or passed over, and never throws", async () => {
  const seed = Date.now() % 1e6;
  const random = seeded(seed);
  const bench = await open();
  const parts = [
    "GPRMC",
    "GPGGA",
    "120000",
    "A",
    "V",
    "4806.0",
    "N",
    "-1",
    "",
    "1e999",
    "999999999",
    "é",
    "NaN",
    "S",
  ];
  for (let i = 0; i < 5000; i++) {
    const fields = Array.from(
      { length: Math.floor(random() * 16) },
      () => parts[Math.floor(random() * parts.length)],
    );
    bench.say(sentence([i % 2 === 0 ? "GPRMC" : "GPGGA", ...fields].join(",")));
  }
  for (const { latitude, longitude, accuracyM } of bench.fixes) {
    assert.ok(Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180, `seed ${seed}`);
    assert.ok(Number.isFinite(accuracyM), `seed ${seed}`);
  }
  bench.receiver.stop();
});

test.run();
