/** Columns are checked as a whole, and the answer is the one that each event by itself would get. */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import {
  type CarEvent,
  type CborValue,
  checkColumns,
  columnEvents,
  decodeColumns,
  decodeEvent,
  EVENT_KINDS,
  encodeCbor,
  encodeColumns,
  encodeEvent,
  eventAtMs,
  eventDataCodec,
  ProtocolError,
  rowData,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { freshSeed, type Random, randomOf } from "../../fuzz/random.ts";

const seed = freshSeed();
const POWER = ["OFF", "ON", "START"] as const;

function anyEvent(random: Random, i: number): CarEvent {
  const time = {
    bootMs: 1000 * i + random.int(2500),
    wallOffsetMs: 1_790_000_000_000 + random.int(2) / 2,
    doubtMs: random.int(5),
  };
  switch (random.int(4)) {
    case 0:
      return {
        ...time,
        kind: "position.sampled",
        data: { latitude: random.int(900) / 10, longitude: -0.5, speedKmh: random.int(400) },
      };
    case 1:
      return { ...time, kind: "signals.sampled", data: { values: signals(random) } };
    case 2:
      return { ...time, kind: "signals.changed", data: { values: signals(random) } };
    default:
      return {
        ...time,
        kind: "diagnostic.note",
        data: {
          note: `${random.int(9)}`,
          number: random.pick([0, 23, 24, 255, 256, 65_536, 2 ** 32, 2 ** 40]),
        },
      };
  }
}

function signals(random: Random) {
  return {
    "Vehicle.Speed": random.pick([random.int(2000) / 8, random.int(400)]),
    "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen": random.int(2) === 1,
    "Vehicle.LowVoltageSystemState": random.pick(POWER),
  };
}

function batch(random: Random): readonly CarEvent[] {
  return Array.from({ length: 1 + random.int(30) }, (_, i) => anyEvent(random, i));
}

test(`columns say of their events what the events say (seed ${seed})`, () => {
  const random = randomOf(seed);
  for (let round = 0; round < 200; round += 1) {
    const events = batch(random);
    const body = encodeColumns(events.map((event) => encodeEvent(event)));
    assert.equal(columnEvents(body, events.length), events);
    const checked = checkColumns(body, events.length);
    const rows = checked.rows();
    assert.equal(
      checked.kinds.map((kind, i) => ({ atMs: rows.atMs[i], kind, data: rowData(rows, i) })),
      events.map((event) => ({
        atMs: eventAtMs(event),
        kind: EVENT_KINDS[event.kind].code,
        data: encodeCbor(eventDataCodec(event.kind).toCbor(event.data, event.kind)),
      })),
    );
    const times = events.map(eventAtMs);
    assert.is(checked.firstAtMs, Math.min(...times));
    assert.is(checked.lastAtMs, Math.max(...times));
    assert.equal(
      checked.kinds,
      events.map(({ kind }) => EVENT_KINDS[kind].code),
    );
    const newest = new Map<string, number>();
    for (const [place, event] of events.entries()) {
      const before = events[newest.get(event.kind) ?? -1];
      if (before === undefined || event.bootMs >= before.bootMs) newest.set(event.kind, place);
    }
    assert.equal(
      checked.newest.toSorted((a, b) => a.place - b.place),
      [...newest.values()].sort((a, b) => a - b).map((place) => ({ place, event: events[place] })),
    );
  }
});

/** Whether each event by itself would be taken; the slow way. */
function isTaken(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    assert.ok(error instanceof ProtocolError && error.code === "malformed", String(error));
    return false;
  }
}

test(`columns are refused just where one of their events is (seed ${seed})`, () => {
  const random = randomOf(seed);
  let [taken, refused] = [0, 0];
  for (let round = 0; round < 1500; round += 1) {
    const events = batch(random);
    const { length } = events;
    const raw = Uint8Array.from(
      inflateRawSync(
        encodeColumns(
          events.map((event) => encodeEvent(event)),
          "deflated",
        ),
      ),
    );
    for (let flips = 1 + random.int(2); flips > 0; flips -= 1) {
      const at = random.int(raw.length);
      raw[at] = (raw[at] ?? 0) ^ (1 << random.int(8));
    }
    const body = deflateRawSync(raw);
    const bySingle = isTaken(() => decodeColumns(body, length).map((event) => decodeEvent(event)));
    assert.is(
      isTaken(() => checkColumns(body, length)),
      bySingle,
      `round ${round}`,
    );
    assert.is(
      isTaken(() => columnEvents(body, length)),
      bySingle,
      `round ${round}`,
    );
    if (bySingle) taken += 1;
    else refused += 1;
  }
  assert.ok(taken > 100 && refused > 100, `${taken} taken, ${refused} refused`);
});

/** An event as a car might encode it that keeps to no schema. */
function loose(i: number, data: ReadonlyMap<number, number | string>): Uint8Array {
  return encodeCbor(
    new Map<number, CborValue>([
      [0, i],
      [1, 0],
      [2, 0],
      [3, EVENT_KINDS["position.sampled"].code],
      [4, data],
    ]),
  );
}

const BAD: readonly { why: string; at: number; value: number | string }[] = [
  { why: "below the least", at: 0, value: -90.1 },
  { why: "above the greatest", at: 0, value: 90.1 },
  { why: "no number", at: 0, value: "52" },
  { why: "not a number at all", at: 0, value: Number.NaN },
  { why: "infinite", at: 0, value: Number.POSITIVE_INFINITY },
  { why: "broken where whole ones are asked for", at: 8, value: 17.5 },
  { why: "negative where none is asked for", at: 8, value: -1 },
];
for (const { why, at, value } of BAD) {
  test(`one bad value among a hundred is found: ${why}`, () => {
    const good = (): Map<number, number | string> =>
      new Map([
        [0, 52.5],
        [1, 13.4],
        [8, 1000],
      ]);
    const events = Array.from({ length: 100 }, (_, i) =>
      loose(i, i === 40 ? good().set(at, value) : good()),
    );
    const body = encodeColumns(events);
    assert.not.ok(
      isTaken(() => checkColumns(body, 100)),
      why,
    );
    assert.not.ok(
      isTaken(() => columnEvents(body, 100)),
      why,
    );
  });
}

test.run();
