/** Light cars: their segments against a cloud that shares nothing with them, their days, their figures. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cryptoReady, LANES, sealAck, verifyKey } from "@kerbside/protocol";
import {
  type DAYS,
  Delays,
  drives,
  isCut,
  LIGHT_SEGMENTS_MAX,
  LightBuffer,
  readTokens,
  runFleet,
} from "@kerbside/sim";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ADDRESS, type CarCloud, carCloud } from "../support/car-cloud.ts";
import { realClock, realRandom, silentLog } from "../support/runtime.ts";

await cryptoReady();
const ALL = { skip: new Set<number>(), newestStateFirst: false, lanes: LANES };
const AT_ONCE = { critical: 0, state: 0, track: 0 };

type Light = {
  readonly cloud: CarCloud;
  readonly buffer: LightBuffer;
  readonly stored: number[];
  readonly pass: (ms: number) => void;
  readonly say: (count: number) => void;
};

function light(): Light {
  const cloud = carCloud(new Uint8Array(32).fill(7));
  const stored: number[] = [];
  let nowMs = 1000;
  const { signingKey, ingestKey } = cloud;
  const buffer = new LightBuffer({
    ...{ address: ADDRESS, signingKey, ingestKey, agentVersion: "light", random: realRandom },
    nowMs: () => nowMs,
    onStored: (ageMs) => stored.push(ageMs),
  });
  return {
    cloud,
    buffer,
    stored,
    pass: (ms) => {
      nowMs += ms;
    },
    say: (count) => {
      for (let number = 0; number < count; number += 1) {
        const time = { bootMs: nowMs, wallOffsetMs: 0, doubtMs: 1 };
        const data = { latitude: 53, longitude: 12 + number / 1e6 };
        buffer.append("track", { kind: "position.sampled", data, ...time });
      }
    },
  };
}

/** Sends everything; the acknowledgement of the log. */
function sendAll({ buffer, cloud }: Light): Uint8Array {
  const skip = new Set<number>();
  for (let next = buffer.next(ALL); next !== undefined; next = buffer.next({ ...ALL, skip })) {
    cloud.take(next.message);
    skip.add(next.key);
  }
  return cloud.ackOf(cloud.logs()[0] ?? "");
}

test("its segments verify, open and chain as those of the agent do, and every event is there once", () => {
  const car = light();
  for (let round = 0; round < 5; round += 1) {
    car.say(20);
    car.pass(10_000);
    car.buffer.closeOlder(AT_ONCE);
  }
  sendAll(car);
  assert.is(car.cloud.events().size, 100);
  car.cloud.checkChains();
});

test("a segment is closed by its age, and an event counts as stored when it is acknowledged", () => {
  const car = light();
  car.say(3);
  car.buffer.closeOlder({ ...AT_ONCE, track: 5000 });
  assert.is(car.buffer.next(ALL), undefined);
  car.pass(5000);
  car.buffer.closeOlder({ ...AT_ONCE, track: 5000 });
  const ack = sendAll(car);
  assert.is(car.buffer.waiting(), 3);
  car.pass(250);
  const outcome = car.buffer.acknowledge(ack);
  assert.ok(outcome.kind === "taken" && outcome.forgotten.length === 1);
  assert.equal(car.stored, [5250, 5250, 5250]);
  assert.is(car.buffer.waiting(), 0);
});

test("nothing is let go by an acknowledgement that is forged, names another hash, or another log", () => {
  const car = light();
  car.say(3);
  car.buffer.closeOlder(AT_ONCE);
  const ack = sendAll(car);
  const log = car.cloud.logs()[0] ?? "";
  const forged = ack.map((byte, i) => (i === ack.length - 1 ? byte ^ 1 : byte));
  assert.equal(car.buffer.acknowledge(forged), { kind: "ignored", reason: "forged" });
  const wrongHash = car.cloud.ackOf(log, (one) => ({
    ...one,
    lanes: one.lanes.map((lane) => ({ ...lane, hash: new Uint8Array(32).fill(9) })),
  }));
  assert.equal(car.buffer.acknowledge(wrongHash), { kind: "taken", forgotten: [] });
  const other = sealAck(new Uint8Array(32), { ...ADDRESS, log: new Uint8Array(16), lanes: [] });
  assert.equal(car.buffer.acknowledge(other), { kind: "ignored", reason: "no_such_log" });
  assert.equal(car.buffer.acknowledge(Uint8Array.of(1, 2)), {
    kind: "ignored",
    reason: "malformed",
  });
  assert.is(car.buffer.waiting(), 3);
});

test("a car that holds too much says nothing new, and counts it", () => {
  const car = light();
  for (let number = 0; number < LIGHT_SEGMENTS_MAX + 5; number += 1) {
    car.say(1);
    car.buffer.closeOlder(AT_ONCE);
  }
  assert.is(car.buffer.refused, 5);
  assert.is(car.buffer.waiting(), LIGHT_SEGMENTS_MAX);
});

test("days: the same seed the same day; about as many drive as the hour says", () => {
  const at = (hour: number) => hour * 3_600_000;
  const part = (day: (typeof DAYS)[number], hour: number): number => {
    let driven = 0;
    for (let seed = 0; seed < 2000; seed += 1) if (drives(day, seed, at(hour))) driven += 1;
    return driven / 2000;
  };
  assert.is(part("always", 3), 1);
  assert.ok(part("workday", 3) < 0.05);
  assert.ok(Math.abs(part("workday", 8) - 0.3) < 0.06, `${part("workday", 8)}`);
  assert.is(drives("workday", 5, at(8)), drives("workday", 5, at(8)));
  let cut = 0;
  for (let seed = 0; seed < 2000; seed += 1) if (isCut(0.1, seed, at(1))) cut += 1;
  assert.ok(Math.abs(cut / 2000 - 0.1) < 0.03, `${cut / 2000}`);
});

test("delays: within a tenth, at any size", () => {
  const delays = new Delays();
  for (let ms = 1; ms <= 1000; ms += 1) delays.add(ms);
  assert.ok(Math.abs(delays.within(0.5) - 500) <= 50, `${delays.within(0.5)}`);
  assert.ok(Math.abs(delays.within(0.99) - 990) <= 99, `${delays.within(0.99)}`);
  assert.is(new Delays().within(0.5), 0);
});

test("a run too short to begin all cars tells how many it began", async () => {
  const { signingKey, ingestKey } = carCloud(new Uint8Array(32).fill(7));
  const tls = { ca: "", cert: "", key: "" };
  const commandKey = verifyKey(signingKey.publicKey);
  const one = { address: ADDRESS, signingKey, tls, commandKey, ingestKey };
  const figures = await runFleet({
    identities: Array.from({ length: 1000 }, () => one),
    // Nobody listens there.
    broker: { host: "127.0.0.1", port: 1 },
    ...{ seed: 1, day: "always", dayStartMs: 0, daySpeed: 1, hz: 1, outages: 0, trackS: 10 },
    ...{ durationMs: 1, settleMs: 0, everyMs: 1000, clock: realClock, random: realRandom },
    log: silentLog,
    signal: new AbortController().signal,
    onFigures: () => undefined,
  });
  assert.ok(figures.cars > 0 && figures.cars < 1000, `${figures.cars}`);
});

test("a line of tokens that is none is named", () => {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-tokens-"));
  const file = join(dir, "tokens");
  writeFileSync(file, '{"vehicle":"a","token":"t"}\n\n{"vehicle":"b"}\n');
  assert.throws(() => readTokens(file), /tokens:3: expected a JSON object with vehicle and token/);
  rmSync(dir, { recursive: true });
});

test.run();
