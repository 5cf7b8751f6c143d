/** The contracts that are more than a schema: topics and ids, events and signals, bodies, envelopes. */
import {
  type CarEvent,
  CHANNELS,
  clientIdOf,
  decodeEvent,
  decodeRows,
  EVENT_KINDS,
  encodeCbor,
  encodeEvent,
  encodeRows,
  isEventKind,
  isPersonalKind,
  laneOf,
  parseClientId,
  parseSegmentMessage,
  parseSign1,
  parseTopic,
  SEGMENT_BODY_BYTES_MAX,
  SIGNALS,
  signalValueError,
  signingKey,
  tenantId,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { vector } from "./vectors.ts";

const malformed = (run: () => unknown): void =>
  assert.throws(run, (error: { code?: string }) => error.code === "malformed");

const BAD_TOPICS: readonly { why: string; topic: string }[] = [
  { why: "empty", topic: "" },
  { why: "another root", topic: "kc/v1/demo/car-7/ack" },
  { why: "another version", topic: "kb/v2/demo/car-7/ack" },
  { why: "no channel", topic: "kb/v1/demo/car-7" },
  { why: "an unknown channel", topic: "kb/v1/demo/car-7/down" },
  { why: "a channel that every object has", topic: "kb/v1/demo/car-7/constructor" },
  { why: "a level too many", topic: "kb/v1/demo/car-7/ack/state" },
  { why: "no lane", topic: "kb/v1/demo/car-7/up" },
  { why: "an unknown lane", topic: "kb/v1/demo/car-7/up/fast" },
  { why: "a leading slash", topic: "/kb/v1/demo/car-7/ack" },
  { why: "a trailing slash", topic: "kb/v1/demo/car-7/ack/" },
  { why: "a wildcard for the tenant", topic: "kb/v1/+/car-7/ack" },
  { why: "a wildcard for the rest", topic: "kb/v1/demo/#" },
  { why: "an upper case id", topic: "kb/v1/Demo/car-7/ack" },
  { why: "a dot, which parts a client id", topic: "kb/v1/de.mo/car-7/ack" },
  { why: "an id that every object has", topic: "kb/v1/constructor/car-7/ack" },
  { why: "an id of 41", topic: `kb/v1/${"a".repeat(41)}/car-7/ack` },
  { why: "a NUL", topic: "kb/v1/demo/car\u0000/ack" },
  { why: "a newline", topic: "kb/v1/demo/car-7\n/ack" },
];
for (const { why, topic } of BAD_TOPICS)
  test(`a topic is refused: ${why}`, () => malformed(() => parseTopic(topic)));

test("the longest topic fits its bound", () => {
  const id = "a".repeat(40);
  assert.is(parseTopic(`kb/v1/${id}/${id}/up/critical`).tenant, id);
});

test("a client id is tenant and vehicle, and nothing else", () => {
  const address = { tenant: tenantId("demo"), vehicle: vehicleId("car-7") };
  assert.equal(parseClientId(clientIdOf(address)), address);
  for (const id of ["", "demo", "demo.", ".car", "demo.car.7", "__proto__", "demo.__proto__"])
    malformed(() => parseClientId(id));
});

test("numbers of events and signals are used once", () => {
  for (const rows of [Object.values(EVENT_KINDS), Object.values(SIGNALS)]) {
    const codes = rows.map(({ code }) => code);
    assert.is(new Set(codes).size, codes.length);
  }
});

const TIME = { bootMs: 5, wallOffsetMs: 1_790_000_000_000, doubtMs: 0 };

test("an event keeps to the schema of its kind, both ways", () => {
  const event: CarEvent = { ...TIME, kind: "battery.low", data: { voltageV: 11.5 } };
  assert.equal(decodeEvent(encodeEvent(event)), event);
  malformed(() => encodeEvent({ ...event, data: { voltageV: 61 } } as CarEvent));
  const wire = (kind: number, data: Map<number, number>, bootMs = 5) =>
    encodeCbor(
      new Map<number, number | Map<number, number>>([
        [0, bootMs],
        [1, 0],
        [2, 0],
        [3, kind],
        [4, data],
      ]),
    );
  const { code } = EVENT_KINDS["battery.low"];
  assert.is(decodeEvent(wire(code, new Map([[0, 12]]))).kind, "battery.low");
  malformed(() => decodeEvent(wire(9999, new Map([[0, 12]]))));
  malformed(() => decodeEvent(wire(code, new Map([[0, 61]]))));
  malformed(() => decodeEvent(wire(code, new Map())));
  malformed(() => decodeEvent(wire(code, new Map([[0, 12]]), 1e14 + 1)));
});

test("the time of any event that is read fits a Date", () => {
  const latest: CarEvent = {
    ...TIME,
    bootMs: 1e14,
    wallOffsetMs: 1e15,
    kind: "battery.low",
    data: { voltageV: 0 },
  };
  const { bootMs, wallOffsetMs } = decodeEvent(encodeEvent(latest));
  assert.ok(new Date(bootMs + wallOffsetMs).toISOString());
});

test("signal values keep to their rows", () => {
  const rows: readonly [keyof typeof SIGNALS, readonly unknown[], readonly unknown[]][] = [
    ["Vehicle.Speed", [0, 400, 31.5], [-0.1, 400.1, Number.NaN, "1", null]],
    ["Vehicle.TraveledDistance", [0, 4_294_967_295], [0.5, -1, 4_294_967_296]],
    ["Vehicle.Body.Hood.IsOpen", [true, false], [0, "false", null]],
    ["Vehicle.LowVoltageSystemState", ["ON"], ["on", "", 1]],
    ["Vehicle.Diagnostics.DTCList", [[], ["P0300"]], ["P0300", [1], Array(65).fill("P0300")]],
  ];
  for (const [name, good, bad] of rows) {
    for (const value of good) assert.is(signalValueError(name, value), undefined);
    for (const value of bad) assert.type(signalValueError(name, value), "string");
  }
});

test("kinds know their lane and whether they are personal", () => {
  assert.is(laneOf("lock.changed", "track"), "critical");
  assert.is(laneOf("diagnostic.note", "track"), "track");
  assert.ok(isPersonalKind("position.sampled"));
  assert.ok(isPersonalKind("signals.sampled"));
  assert.not(isPersonalKind("battery.low"));
  assert.not(isEventKind("constructor"));
});

test("a body of rows holds as many as the header counts, each of a size that can be", () => {
  const row = new Uint8Array(40);
  assert.is(decodeRows(encodeRows([row, row]), 2).length, 2);
  malformed(() => decodeRows(encodeRows([row, row]), 1));
  malformed(() => decodeRows(encodeRows([row, new Uint8Array(16)]), 2));
  malformed(() => decodeRows(encodeRows([new Uint8Array(16 * 1024 + 17)]), 1));
  malformed(() => decodeRows(encodeCbor(["text"]), 1));
});

const SENDER = { tenant: tenantId("demo"), vehicle: vehicleId("car-7") };

test("a segment message is bounded part by part", () => {
  const message = (header: number, body: number, opening: number | null): Uint8Array =>
    encodeCbor([
      new Uint8Array(header),
      new Uint8Array(body),
      opening === null ? null : new Uint8Array(opening),
    ]);
  assert.is(
    parseSegmentMessage(message(4096, SEGMENT_BODY_BYTES_MAX, 4096), SENDER).header.length,
    4096,
  );
  malformed(() => parseSegmentMessage(message(4097, 1, null), SENDER));
  malformed(() => parseSegmentMessage(message(1, SEGMENT_BODY_BYTES_MAX + 1, null), SENDER));
  malformed(() => parseSegmentMessage(message(1, 1, 4097), SENDER));
});

test("the longest segment message fits its channel", () => {
  const { bytesMax } = CHANNELS.up;
  assert.ok(SEGMENT_BODY_BYTES_MAX + 2 * 4096 + 16 <= bytesMax);
});

test("an envelope has the one header there is", () => {
  const { payload, signature } = parseSign1(vector("command").hex("envelope"));
  const keyId = new Uint8Array(8);
  const headers = [
    new Map<number, unknown>([[1, -8]]),
    new Map<number, unknown>([[4, keyId]]),
    new Map<number, unknown>([
      [1, -7],
      [4, keyId],
    ]),
    new Map<number, unknown>([
      [1, -8],
      [4, new Uint8Array(7)],
    ]),
    new Map<number, unknown>([
      [1, -8],
      [2, []],
      [4, keyId],
    ]),
  ];
  for (const header of [null, 5, [1, -8]])
    malformed(() => parseSign1(encodeCbor([encodeCbor(header), new Map(), payload, signature])));
  for (const parts of [[], [payload], [payload, payload], [payload, null, payload, signature], 7])
    malformed(() => parseSign1(encodeCbor(parts)));
  for (const header of headers) {
    const encoded = encodeCbor(header as Map<number, number>);
    malformed(() => parseSign1(encodeCbor([encoded, new Map(), payload, signature])));
  }
});

test("a public key has 32 bytes", () => {
  assert.is(verifyKey(signingKey(new Uint8Array(32)).publicKey).publicKey.length, 32);
  malformed(() => verifyKey(new Uint8Array(31)));
});

test.run();
