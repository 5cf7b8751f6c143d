/** Columns give back the same bytes, are short where events are alike, and refuse what is hostile. */
import { deflateRawSync } from "node:zlib";
import {
  type CarEvent,
  decodeColumns,
  encodeColumns,
  encodeEvent,
  ProtocolError,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Random, randomOf } from "../../fuzz/random.ts";

const seed = Date.now() % 1e9;

function anyNumber(random: Random, min: number, max: number): number {
  const value = min + (random.int(2 ** 31) / 2 ** 31) * (max - min);
  return random.pick([value, Math.round(value), Math.round(value * 100) / 100, min, max]);
}

function anyEvent(random: Random): CarEvent {
  const time = {
    bootMs: random.int(1e9),
    wallOffsetMs: random.bool() ? 1.79e12 : anyNumber(random, -1e12, 1e12),
    doubtMs: random.int(1e5),
  };
  switch (random.int(5)) {
    case 0:
      return {
        ...time,
        kind: "position.sampled",
        data: {
          latitude: anyNumber(random, -90, 90),
          longitude: anyNumber(random, -180, 180),
          ...(random.bool() ? { speedKmh: anyNumber(random, 0, 400) } : {}),
        },
      };
    case 1:
      return { ...time, kind: "door.changed", data: { door: "driver", open: random.bool() } };
    case 2:
      return {
        ...time,
        kind: "diagnostic.note",
        data: { note: random.pick(["", "é", "note".repeat(random.int(50))]) },
      };
    case 3:
      return {
        ...time,
        kind: "command.completed",
        data: {
          id: random.bytes(16),
          action: "lock",
          status: "refused",
          unmet: random.pick([[], ["a", "b"]]),
        },
      };
    default:
      return { ...time, kind: "fault.raised", data: { code: "x", count: random.int(9) } };
  }
}

test(`any events come back byte for byte (seed ${seed})`, () => {
  const random = randomOf(seed);
  for (let round = 0; round < 300; round += 1) {
    const events = Array.from({ length: 1 + random.int(40) }, () => encodeEvent(anyEvent(random)));
    assert.equal(decodeColumns(encodeColumns(events), events.length), events);
  }
});

const numbers: readonly { why: string; values: readonly number[] }[] = [
  { why: "the smallest float", values: [5e-324, 0, 1] },
  { why: "floats beyond integers", values: [1e15, -1e15, 0.1] },
  { why: "the largest there are, far apart", values: [1e15, -1e15, 2 ** 49] },
  { why: "decimals that do not come back when divided", values: [0.1 + 0.2, 0.3] },
];
for (const { why, values } of numbers) {
  test(`numbers come back exactly: ${why}`, () => {
    const events = values.map((wallOffsetMs) =>
      encodeEvent({
        kind: "agent.stopping",
        data: { reason: "x" },
        bootMs: 1,
        wallOffsetMs,
        doubtMs: 0,
      }),
    );
    assert.equal(decodeColumns(encodeColumns(events), events.length), events);
  });
}

const columns: readonly {
  why: string;
  at: (i: number, random: Random) => number;
  bytesMax: number;
}[] = [
  { why: "constant", at: () => 48.25, bytesMax: 30 },
  { why: "a straight line", at: (i) => 1000 * i, bytesMax: 40 },
  { why: "a line that trembles", at: (i, r) => 1000 * i + r.int(3), bytesMax: 180 },
  { why: "steps of 0.0625", at: (i, r) => 0.0625 * (i + r.int(3)), bytesMax: 190 },
  {
    why: "a factor and an offset as of a DBC",
    at: (i, r) => (i + r.int(3)) * 0.1 - 40,
    bytesMax: 190,
  },
  { why: "calm, then lively", at: (i, r) => (i < 300 ? 7 : r.int(1e6)), bytesMax: 900 },
  {
    why: "small, then beyond what is shifted",
    at: (i, r) => (i < 10 ? i : r.int(2 ** 31) * 2 ** 16 + r.int(2 ** 16)),
    bytesMax: 4500,
  },
  {
    why: "beyond all integers of a column",
    at: (i) => (i % 2 === 0 ? 1e15 : -1e15),
    bytesMax: 6000,
  },
  { why: "no decimals at all", at: (i) => Math.sqrt(2 + (i >> 4)), bytesMax: 700 },
];
for (const { why, at, bytesMax } of columns) {
  test(`a column of 600 numbers comes back, and is short: ${why}`, () => {
    const random = randomOf(7);
    const events = Array.from({ length: 600 }, (_, i) =>
      encodeEvent({
        kind: "agent.stopping",
        data: { reason: "x" },
        bootMs: 1,
        wallOffsetMs: at(i, random),
        doubtMs: 0,
      }),
    );
    const body = encodeColumns(events);
    assert.equal(decodeColumns(body, 600), events);
    assert.ok(body.length <= bytesMax, `${body.length} bytes`);
    const before = encodeColumns(events, "deflated");
    assert.equal(decodeColumns(before, 600), events);
    // Numbers of 47 bits without a pattern are the only ones here that it writes a little longer.
    assert.ok(body.length <= 1.15 * before.length, `${body.length}, deflated ${before.length}`);
  });
}

test("a minute of driving takes less than a sixth of its rows", () => {
  const random = randomOf(1);
  let latitude = 52.52;
  const events = Array.from({ length: 60 }, (_, i) => {
    latitude = Math.round((latitude + 1.1e-4 + random.int(20) * 1e-6) * 1e6) / 1e6;
    return encodeEvent({
      kind: "position.sampled",
      bootMs: 5_000_000 + i * 1000 + random.int(3),
      wallOffsetMs: 1_790_000_000_000,
      doubtMs: 60_000,
      data: {
        latitude,
        longitude: 13.4,
        speedKmh: 48 + random.int(20) / 10,
        odometerM: 48_211_000 + 13 * i,
      },
    });
  });
  const rows = events.reduce((sum, event) => sum + event.length, 0);
  assert.ok(encodeColumns(events).length * 6 < rows, `${encodeColumns(events).length} of ${rows}`);
});

const HOSTILE: readonly { why: string; body: Uint8Array }[] = [
  { why: "nothing", body: new Uint8Array() },
  { why: "no deflate", body: Uint8Array.of(0xff, 0xff) },
  { why: "a bomb", body: deflateRawSync(new Uint8Array(64 * 1024 * 1024)) },
  { why: "the packed form and nothing else", body: Uint8Array.of(0x16) },
  { why: "packed zeros: floats that never end", body: Uint8Array.of(0x16, ...new Uint8Array(9)) },
  { why: "packed ones", body: new Uint8Array(64).fill(0xff).with(0, 0x16) },
  { why: "another form", body: deflateRawSync(Uint8Array.of(2)) },
  { why: "ends early", body: deflateRawSync(Uint8Array.of(1, 0, 2)) },
  {
    why: "a length beyond the end",
    body: deflateRawSync(Uint8Array.of(1, 0, 2, 0, 2, 0, 2, 1, 255, 255, 127)),
  },
];
for (const { why, body } of HOSTILE) {
  test(`hostile input is refused: ${why}`, () => {
    assert.throws(
      () => decodeColumns(body, 1),
      (e: unknown) => e instanceof ProtocolError && e.code === "malformed",
    );
  });
}

test(`a body that was altered is refused or gives as many events (seed ${seed})`, () => {
  const random = randomOf(seed);
  const events = Array.from({ length: 20 }, () => encodeEvent(anyEvent(random)));
  const good = encodeColumns(events);
  for (let round = 0; round < 500; round += 1) {
    const bent = Uint8Array.from(good);
    const at = random.int(bent.length);
    bent[at] = (bent[at] ?? 0) ^ (1 << random.int(8));
    try {
      assert.is(decodeColumns(bent, 20).length, 20);
    } catch (error) {
      assert.ok(error instanceof ProtocolError, String(error));
    }
  }
});

test.run();
