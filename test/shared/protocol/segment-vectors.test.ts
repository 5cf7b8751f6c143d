/** The golden vectors of segments: messages in both forms, columns in both forms, and the codes of the packed one. */
import { inflateRawSync } from "node:zlib";
import {
  type BodyPlace,
  cryptoReady,
  decodeColumns,
  decodeRows,
  encodeColumns,
  encodeRows,
  encodeSegmentMessage,
  fromHex,
  headerHash,
  openColumns,
  parseSegmentMessage,
  type SegmentMessage,
  sealColumns,
  segmentKeyOf,
  shortenSegmentMessage,
  TRAINED_LENGTHS,
  tenantId,
  toHex,
  vehicleId,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Vector, vector } from "./vectors.ts";

await cryptoReady();

const same = (actual: Uint8Array, expected: Uint8Array): void =>
  assert.is(toHex(actual), toHex(expected));
const refused = (run: () => unknown, code: string): void =>
  assert.throws(run, (error: { code?: string }) => error.code === code);

/** Of the seed that segment and gap are signed with. */
const SENDER = {
  tenant: tenantId("demo"),
  vehicle: vehicleId("car-7"),
  keyId: fromHex("b62e867fa2f33afe"),
};

/** What stands in `protocol.md` in both forms. */
function sameInShort(v: Vector, message: SegmentMessage): void {
  same(shortenSegmentMessage(message), v.hex("short message"));
  assert.equal(parseSegmentMessage(v.hex("short message"), SENDER), message);
  const other = parseSegmentMessage(v.hex("short message"), { ...SENDER, vehicle: vehicleId("x") });
  assert.not.equal(other.header, message.header);
}

test("vector segment: body, hash and message", () => {
  const v = vector("segment");
  const header = v.hex("envelope");
  const body = v.hex("body");
  same(encodeRows([v.hex("row")]), body);
  assert.equal(decodeRows(body, 1).map(toHex), [v.text("row")]);
  same(headerHash(header), v.hex("header hash"));
  same(encodeSegmentMessage({ header, body }), v.hex("message"));
  assert.equal(parseSegmentMessage(v.hex("message"), SENDER), { header, body });
  sameInShort(v, { header, body });
});

test("vector columns: events, columns and body", () => {
  const v = vector("columns");
  const place = v.json("place") as BodyPlace;
  const events = [1, 2, 3].map((i) => v.hex(`event ${i}`));
  const key = segmentKeyOf(v.hex("ratchet"));
  same(key, v.hex("key"));
  same(inflateRawSync(encodeColumns(events, "deflated")), v.hex("columns"));
  assert.equal(decodeColumns(v.hex("deflated"), 3), events);
  same(openColumns(key, place, v.hex("body")), v.hex("deflated"));
  same(sealColumns(key, place, v.hex("deflated")), v.hex("body"));
  const others: BodyPlace[] = [
    { ...place, number: 3 },
    { ...place, firstSeq: 302 },
    { ...place, count: 2 },
    { ...place, lane: "track" },
    { ...place, log: new Uint8Array(16) },
  ];
  for (const other of others)
    refused(() => openColumns(key, other, v.hex("body")), "unauthenticated");
});

test("vector columns-packed: events and columns", () => {
  const v = vector("columns-packed");
  const events = v.names.filter((name) => name !== "packed").map((name) => v.hex(name));
  same(encodeColumns(events), v.hex("packed"));
  assert.equal(decodeColumns(v.hex("packed"), events.length), events);
});

test("vector column-codes: the lengths that cars were sent with", () => {
  const v = vector("column-codes");
  assert.equal(
    v.names.map((name) => v.text(name)),
    TRAINED_LENGTHS,
  );
  for (const row of TRAINED_LENGTHS) {
    const filled = [...row].reduce((sum, digit) => sum + 2 ** -Number.parseInt(digit, 16), 0);
    assert.is(filled, 1, "a code without holes");
  }
});

test("vector gap: a header without a body", () => {
  const v = vector("gap");
  const header = v.hex("envelope");
  same(headerHash(header), v.hex("header hash"));
  assert.equal(parseSegmentMessage(v.hex("message"), SENDER), { header, body: new Uint8Array() });
  sameInShort(v, { header, body: new Uint8Array() });
});

test.run();
