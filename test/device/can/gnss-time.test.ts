/** Satellites and the car's trusted time: a receiver's time narrows the doubt of what the cloud signed, and nothing more. */
import {
  type ByteLine,
  createSignalStore,
  type GnssTime,
  readShippedProfile,
  startGnssReceiver,
} from "@kerbside/can";
import {
  type Address,
  randomBytes,
  signingKey,
  signTime,
  tenantId,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { type TimeReading, TrustedTime } from "@kerbside/time";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { manualClock, silentLog } from "../../support/runtime.ts";

const NOW = Date.UTC(2026, 10, 21, 12, 0, 0);
const DAY = 86_400_000;
const DOUBT_MS = 20_000;
const ADDRESS: Address = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
const KEY = signingKey(randomBytes(32));

/** RMC of a car that stands at one place, at a time of the receiver's choice. */
function rmc(unixMs: number): string {
  const iso = new Date(unixMs).toISOString();
  const time = iso.slice(11, 22).replaceAll(":", "");
  const date = `${iso.slice(8, 10)}${iso.slice(5, 7)}${iso.slice(2, 4)}`;
  const body = `GPRMC,${time},A,4806.0000,N,01130.0000,E,0,,${date},,,A`;
  const sum = [...body].reduce((x, char) => x ^ char.charCodeAt(0), 0);
  return `$${body}*${sum.toString(16).toUpperCase().padStart(2, "0")}\r\n`;
}

/** A receiver on a line that the test speaks on, and the car's time as the agent wires it to that. */
class Car {
  readonly clock = manualClock(0);
  readonly times: GnssTime[] = [];
  readonly time: TrustedTime;
  #say: Parameters<ByteLine>[0]["data"] = () => undefined;

  constructor() {
    const timeKey = (): ReturnType<typeof verifyKey> => verifyKey(KEY.publicKey);
    const file = { content: undefined, write: async () => undefined };
    const { clock } = this;
    this.time = new TrustedTime({
      ...{ address: ADDRESS, timeKey, file, bootId: "boot-1", clock, log: silentLog },
    });
    startGnssReceiver({
      line: async (events) => {
        this.#say = events.data;
        return { close: () => undefined };
      },
      store: createSignalStore({ profile: readShippedProfile("obd"), clock }),
      clock,
      random: { fraction: () => 0.5 },
      onTime: (time) => {
        this.times.push(time);
        const { unixMs, bootMs, doubtMs } = time;
        this.time.hint("gnss", unixMs + clock.bootMs() - bootMs, doubtMs);
      },
    });
  }

  async hear(unixMs: number): Promise<void> {
    await Promise.resolve();
    this.#say(new TextEncoder().encode(rmc(unixMs)));
  }

  /** The cloud signs NOW, in some doubt. */
  told(): void {
    const [nonce, epoch] = [randomBytes(16), randomBytes(16)];
    this.time.announced(nonce, epoch);
    const said = { ...ADDRESS, epoch, nonce, wallMs: NOW, doubtMs: DOUBT_MS };
    assert.is(this.time.take(signTime(KEY, said)).taken, true);
  }
}

const earliest = (reading: TimeReading): number =>
  reading.value === "known" ? reading.wallMs - reading.doubtMs : reading.floorMs;

test("satellites alone are no time: a car that the cloud never spoke to knows none", async () => {
  const car = new Car();
  await car.hear(NOW);
  assert.is(car.times.length, 1);
  assert.equal(car.time.read(), { value: "unknown", floorMs: 0 });
});

test("within what the cloud signed they narrow the doubt", async () => {
  const car = new Car();
  car.told();
  await car.hear(NOW + 7000);
  const reading = car.time.read();
  assert.ok(reading.value === "known");
  assert.ok(reading.doubtMs < 1100, `${reading.doubtMs} ms`);
  assert.ok(Math.abs(reading.wallMs - NOW - 7000) < 100);
});

const LIES: { why: string; unixMs: number }[] = [
  { why: "ten years ahead, to end every certificate", unixMs: NOW + 3650 * DAY },
  { why: "a day ahead, to end a booking", unixMs: NOW + DAY },
  { why: "a minute ahead", unixMs: NOW + 60_000 },
  { why: "a day back, to bring a grant to life again", unixMs: NOW - DAY },
  { why: "1,024 weeks back, as receivers do whose week number ran over", unixMs: NOW - 7168 * DAY },
];
for (const { why, unixMs } of LIES) {
  test(`a spoofed time moves nothing: ${why}`, async () => {
    const car = new Car();
    car.told();
    const before = car.time.read();
    await car.hear(unixMs);
    assert.is(car.times.length, 1, "it was offered");
    assert.equal(car.time.read(), before);
  });
}

test("what lies within the doubt narrows it, and yet the floor stays the cloud's", async () => {
  const car = new Car();
  car.told();
  await car.hear(NOW + DOUBT_MS - 2000);
  car.clock.pass(1000);
  car.told();
  const reading = car.time.read();
  assert.is(reading.value, "known");
  assert.ok(earliest(reading) < NOW + DOUBT_MS, "the cloud's word was still taken");
});

test("time is offered once a minute, not with each fix", async () => {
  const car = new Car();
  for (let second = 0; second < 150; second++) {
    await car.hear(NOW + second * 1000);
    car.clock.pass(1000);
  }
  assert.equal(
    car.times.map(({ unixMs }) => (unixMs - NOW) / 1000),
    [0, 60, 120],
  );
});

test.run();
