import { Buffer } from "node:buffer";
import { randomInt } from "node:crypto";
import {
  CBOR_LIMITS,
  type CborValue,
  decodeCbor,
  encodeCbor,
  ProtocolError,
  scanCbor,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError && error.code === "malformed") return error.message;
    throw error;
  }
  return "";
}

/** RFC 8949 appendix A, where our form is the same, and the edges of our own rules. */
const GOOD: readonly { why: string; value: CborValue; hex: string }[] = [
  { why: "zero", value: 0, hex: "00" },
  { why: "last in the head", value: 23, hex: "17" },
  { why: "first of one byte", value: 24, hex: "1818" },
  { why: "first of two bytes", value: 256, hex: "190100" },
  { why: "first of four bytes", value: 65536, hex: "1a00010000" },
  { why: "last of four bytes", value: 4294967295, hex: "1affffffff" },
  { why: "first of eight bytes", value: 4294967296, hex: "1b0000000100000000" },
  { why: "a wall time in ms", value: 1_790_000_000_000, hex: "1b000001a0c4506c00" },
  { why: "greatest safe integer", value: 9007199254740991, hex: "1b001fffffffffffff" },
  { why: "least unsafe integer", value: 9007199254740992n, hex: "1b0020000000000000" },
  { why: "greatest integer", value: 18446744073709551615n, hex: "1bffffffffffffffff" },
  { why: "minus one", value: -1, hex: "20" },
  { why: "last negative of four bytes", value: -4294967296, hex: "3affffffff" },
  { why: "first negative of eight bytes", value: -4294967297, hex: "3b0000000100000000" },
  { why: "least safe integer", value: -9007199254740991, hex: "3b001ffffffffffffe" },
  { why: "one below", value: -9007199254740992n, hex: "3b001fffffffffffff" },
  { why: "least integer", value: -9223372036854775808n, hex: "3b7fffffffffffffff" },
  { why: "a float stays 64 bits wide", value: 1.5, hex: "fb3ff8000000000000" },
  { why: "a whole float beyond the safe ones", value: 1e300, hex: "fb7e37e43c8800759c" },
  { why: "infinity", value: Number.NEGATIVE_INFINITY, hex: "fbfff0000000000000" },
  { why: "the one NaN", value: Number.NaN, hex: "fb7ff8000000000000" },
  { why: "false, true, null", value: [false, true, null], hex: "83f4f5f6" },
  { why: "an empty text", value: "", hex: "60" },
  { why: "a text outside the BMP", value: "\u{10151}", hex: "64f0908591" },
  { why: "bytes", value: bytesOf("01020304"), hex: "4401020304" },
  {
    why: "keys: integers up, negatives down, texts by length, then by bytes",
    value: new Map<number | string, CborValue>([
      ["aa", 0],
      ["b", 1],
      [-2, 2],
      [-1, 3],
      [100, 4],
      [10, 5],
      ["", 6],
      ["é", 7],
    ]),
    hex: "a80a05186404200321026006616201626161006 2c3a907".replaceAll(" ", ""),
  },
];

for (const { why, value, hex } of GOOD) {
  test(`CBOR both ways: ${why}`, () => {
    assert.is(hexOf(encodeCbor(value)), hex);
    const back = decodeCbor(bytesOf(hex));
    assert.is(hexOf(encodeCbor(back)), hex);
    if (!(value instanceof Map)) assert.equal(back, value);
  });
}

test("CBOR subclasses travel as what they are", () => {
  class Row extends Array<number> {}
  class Index extends Map<number, number> {}
  class Bytes extends Uint8Array {}
  const value = [Row.from([1, 2]), new Index([[1, 2]]), Bytes.of(1), Buffer.of(2)];
  assert.is(hexOf(encodeCbor(value)), "84820102a1010241014102");
});
test("CBOR minus zero travels as zero", () => assert.is(hexOf(encodeCbor(-0)), "00"));
test("CBOR a small bigint travels as an integer", () =>
  assert.is(hexOf(encodeCbor([5n, -5n, 4294967296n])), "8305241b0000000100000000"));

test("CBOR integers beside others come back as number or bigint, whatever stands next to them", () => {
  const value = [
    2 ** 40,
    2n ** 60n,
    new Map<number | string, CborValue>([
      [1, -(2 ** 40)],
      ["k", [-(2n ** 60n), 2 ** 50]],
    ]),
  ];
  assert.equal(decodeCbor(encodeCbor(value)), value);
});

test("CBOR byte strings and answers own their memory and are no Buffers", () => {
  const message = Buffer.from(encodeCbor([bytesOf("aabb"), "x".repeat(300)]));
  const value = decodeCbor(message);
  message.fill(0);
  assert.equal(value, [bytesOf("aabb"), "x".repeat(300)]);
  const encoded = encodeCbor(1);
  assert.is(encoded.constructor, Uint8Array);
  assert.is(encoded.buffer.byteLength, 1);
  assert.equal(Object.keys(message).includes("dataView"), false);
});

test("CBOR keys named like parts of an object are keys", () => {
  const value = new Map<string, CborValue>([
    ["__proto__", 1],
    ["constructor", 2],
  ]);
  assert.equal([...(decodeCbor(encodeCbor(value)) as Map<string, CborValue>).keys()].sort(), [
    "__proto__",
    "constructor",
  ]);
});

const BAD: readonly { why: string; hex: string; says: string }[] = [
  { why: "nothing", hex: "", says: "byte 0: the message ends where" },
  { why: "bytes after the item", hex: "0000", says: "byte 1: bytes follow" },
  { why: "zero in a byte", hex: "1800", says: "byte 0: not the shortest" },
  { why: "23 in a byte", hex: "1817", says: "not the shortest" },
  { why: "255 in two bytes", hex: "1900ff", says: "not the shortest" },
  { why: "65535 in four", hex: "1a0000ffff", says: "not the shortest" },
  { why: "2^32 - 1 in eight", hex: "1b00000000ffffffff", says: "not the shortest" },
  { why: "a negative in eight", hex: "3b00000000ffffffff", says: "not the shortest" },
  {
    why: "a text length in two bytes",
    hex: "7801 61".replaceAll(" ", ""),
    says: "not the shortest",
  },
  { why: "an array length in eight bytes", hex: "9b0000000000000001f6", says: "not the shortest" },
  { why: "an array of 2^32 items", hex: "9b0000000100000000", says: "above 32 bits" },
  { why: "an array that cannot fit", hex: "9affffffff", says: "more items than bytes" },
  { why: "a map that cannot fit", hex: "a30101", says: "more items than bytes" },
  { why: "below -2^63", hex: "3b8000000000000000", says: "below -2^63" },
  { why: "a reserved head", hex: "1c", says: "reserved head" },
  { why: "a head cut short", hex: "19ff", says: "ends inside a head" },
  { why: "bytes cut short", hex: "420a", says: "ends inside a string" },
  { why: "a text cut short", hex: "620a", says: "ends inside a string" },
  { why: "indefinite bytes", hex: "5f4101ff", says: "indefinite" },
  { why: "an indefinite text", hex: "7f6161ff", says: "indefinite" },
  { why: "an indefinite array", hex: "9f01ff", says: "indefinite" },
  { why: "an indefinite map", hex: "bf0101ff", says: "indefinite" },
  { why: "a lone stop", hex: "ff", says: "only false, true, null" },
  { why: "undefined", hex: "f7", says: "only false, true, null" },
  { why: "a simple value", hex: "e0", says: "only false, true, null" },
  { why: "a simple value of a byte", hex: "f8ff", says: "only false, true, null" },
  { why: "a half float", hex: "f93c00", says: "only false, true, null" },
  { why: "a single float", hex: "fa47c35000", says: "only false, true, null" },
  { why: "a whole float", hex: "fb3ff0000000000000", says: "integer written as a float" },
  { why: "minus zero", hex: "fb8000000000000000", says: "integer written as a float" },
  { why: "a NaN with a message", hex: "fb7ff8000000000001", says: "NaN other" },
  { why: "a NaN with a sign", hex: "fbfff8000000000000", says: "NaN other" },
  { why: "a signalling NaN", hex: "fb7ff0000000000001", says: "NaN other" },
  { why: "a float cut short", hex: "fb7ff0000000", says: "ends inside a float" },
  { why: "a bignum", hex: "c249010000000000000000", says: "tags are not used" },
  { why: "an object of a class (tag 27)", hex: "d81b82655265674578706161", says: "tags" },
  { why: "a shared value (tags 28, 29)", hex: "d81c81d81d00", says: "tags are not used" },
  { why: "a record of cbor-x", hex: "d9dfff83197000816161 01".replaceAll(" ", ""), says: "tags" },
  { why: "a date", hex: "c100", says: "tags are not used" },
  { why: "a key twice", hex: "a201000100", says: "byte 3: a map key comes twice" },
  { why: "a text key twice", hex: "a2616100616100", says: "a map key comes twice" },
  { why: "keys out of order", hex: "a202000100", says: "out of order" },
  { why: "a long key before a short one", hex: "a262616100616200", says: "out of order" },
  { why: "a negative before a positive", hex: "a220000100", says: "out of order" },
  { why: "an array as a key", hex: "a18000", says: "a map key is" },
  { why: "bytes as a key", hex: "a1410000", says: "a map key is" },
  { why: "a float as a key", hex: "a1fb3ff800000000000000", says: "a map key is" },
  { why: "null as a key", hex: "a1f600", says: "a map key is" },
  { why: "a wide key", hex: "a11b000000010000000000", says: "at most 32 bits" },
  { why: "Latin-1", hex: "61e9", says: "not UTF-8" },
  { why: "an overlong slash", hex: "62c0af", says: "not UTF-8" },
  { why: "half a surrogate pair", hex: "63eda080", says: "not UTF-8" },
  { why: "above U+10FFFF", hex: "64f4908080", says: "not UTF-8" },
  { why: "a cut sequence after ASCII", hex: "6261c3", says: "not UTF-8" },
  { why: "a byte order mark", hex: "64efbbbf61", says: "byte order mark" },
  { why: "bad UTF-8 in a key", hex: "a161ff00", says: "not UTF-8" },
];

for (const { why, hex, says } of BAD) {
  test(`CBOR refuses ${why}`, () => {
    assert.match(refusal(() => decodeCbor(bytesOf(hex))) || "accepted", says);
  });
}

const UNENCODABLE: readonly { why: string; value: CborValue }[] = [
  { why: "half a surrogate pair", value: "a\ud800" },
  { why: "a byte order mark", value: "\u{feff}a" },
  { why: "2^64", value: 2n ** 64n },
  { why: "below -2^63", value: -(2n ** 63n) - 1n },
  { why: "a wide key", value: new Map([[2 ** 40, 1]]) },
  { why: "a fraction as key", value: new Map([[0.5, 1]]) },
  { why: "an object", value: {} as CborValue },
  { why: "undefined", value: [undefined] as unknown as CborValue },
  { why: "a cycle", value: cycle() },
];

function cycle(): CborValue {
  const array: CborValue[] = [];
  array.push(array);
  return array;
}

for (const { why, value } of UNENCODABLE)
  test(`CBOR will not write ${why}`, () => {
    assert.match(refusal(() => encodeCbor(value)) || "written", "cannot carry");
  });

const head = (major: number, count: number): number[] => [
  (major << 5) | 26,
  (count >>> 24) & 255,
  (count >>> 16) & 255,
  (count >>> 8) & 255,
  count & 255,
];

function filled(start: readonly number[], unit: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(CBOR_LIMITS.bytesMax);
  bytes.set(start);
  for (let at = start.length; at + unit.length <= bytes.length; at += unit.length)
    bytes.set(unit, at);
  return bytes;
}

const SIZE = CBOR_LIMITS.bytesMax;
const HOSTILE: readonly { why: string; bytes: Uint8Array }[] = [
  { why: "a bignum of 256 KB", bytes: filled([0xc2, ...head(2, SIZE - 6)], [0xff]) },
  { why: "arrays in arrays", bytes: filled([], [0x81]) },
  { why: "maps in maps", bytes: filled([], [0xa1, 0x00]) },
  { why: "an array of empty maps", bytes: filled(head(4, SIZE - 5), [0xa0]) },
  { why: "an array of nulls", bytes: filled(head(4, SIZE - 5), [0xf6]) },
  { why: "a text of 256 KB", bytes: filled(head(3, SIZE - 5), [0x61]) },
  { why: "a text of three-byte characters", bytes: filled(head(3, SIZE - 5), [0xe2, 0x82, 0xac]) },
  { why: "many entries", bytes: filled(head(5, (SIZE - 5) >> 1), [0x00, 0x00]) },
  { why: "tags on tags", bytes: filled([], [0xd8, 0x1c]) },
  { why: "one byte too many", bytes: new Uint8Array(SIZE + 1) },
  { why: "arrays that each promise all that is left", bytes: filled([], [0x9a, 0, 3, 0xff, 0xf0]) },
];

for (const { why, bytes } of HOSTILE)
  test(`CBOR refuses 256 KB of hostility at once: ${why}`, () => {
    const before = process.cpuUsage();
    assert.ok(refusal(() => decodeCbor(bytes)));
    const spent = process.cpuUsage(before);
    assert.ok(
      spent.user + spent.system < 1_000_000,
      "below a second of CPU, however slow the machine",
    );
  });

test("CBOR scanning takes at most 4 steps a byte, whatever the keys are", () => {
  for (const keyBytes of [1, 24, 200, 255]) {
    const entries = new Map<string, CborValue>();
    for (let index = 0; index < 1000; index += 1)
      entries.set(String(index).padStart(keyBytes, "k"), index);
    const bytes = encodeCbor(entries);
    assert.ok(scanCbor(bytes).steps <= bytes.length * 4);
  }
});

test("CBOR maps hold 1,024 entries and no more", () => {
  const map = (entries: number): CborValue =>
    new Map(Array.from({ length: entries }, (_, index) => [index, null]));
  assert.is(
    refusal(() => decodeCbor(encodeCbor(map(1024)))),
    "",
  );
  assert.match(refusal(() => decodeCbor(encodeCbor(map(1025)))) || "accepted", "a map of 1025");
});

test("CBOR honours limits of the caller's", () => {
  const limits = { ...CBOR_LIMITS, bytesMax: 40, depthMax: 1, itemsMax: 4, textBytesMax: 3 };
  assert.equal(decodeCbor(encodeCbor([1, 2, "abc"]), limits), [1, 2, "abc"]);
  for (const value of [[1, 2, 3, 4], [[]], ["abcd"], [new Uint8Array(40)]])
    assert.ok(refusal(() => decodeCbor(encodeCbor(value), limits)));
});

/** Mulberry32: small, and the same from the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const TEXTS = [
  "",
  "a",
  "Vehicle.Speed",
  "grün",
  "日本",
  "\u{1f697}",
  "x".repeat(40),
  "ß".repeat(70),
];

function randomValue(random: () => number, depth: number): CborValue {
  const pick = Math.floor(random() * (depth > 4 ? 8 : 11));
  const sign = random() < 0.5 ? -1 : 1;
  if (pick === 0) return null;
  if (pick === 1) return random() < 0.5;
  if (pick === 2) return sign * Math.floor(random() * 2 ** Math.floor(random() * 53));
  if (pick === 3) return (random() - 0.5) * 2 ** Math.floor(random() * 200);
  if (pick === 4)
    return BigInt(sign) * ((1n << 53n) + BigInt(Math.floor(random() * 2 ** 52)) * 512n);
  if (pick === 5) return Math.floor(random() * 2 ** 32);
  if (pick === 6) return TEXTS[Math.floor(random() * TEXTS.length)] ?? "";
  if (pick === 7) return Uint8Array.from({ length: random() * 60 }, () => random() * 256);
  const length = Math.floor(random() * (depth === 0 ? 30 : 7));
  if (pick < 10) return Array.from({ length }, () => randomValue(random, depth + 1));
  return new Map(
    Array.from({ length }, () => [
      random() < 0.5
        ? sign * Math.floor(random() * 2 ** 31)
        : `${TEXTS[Math.floor(random() * TEXTS.length)] ?? ""}${Math.floor(random() * 20)}`,
      randomValue(random, depth + 1),
    ]),
  );
}

/** Maps compare by content, whatever their order. */
function plain(value: CborValue): unknown {
  if (value instanceof Map)
    return [...value]
      .map(([key, inner]) => [key, plain(inner)])
      .sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1));
  if (Array.isArray(value)) return value.map(plain);
  return value === 0 ? 0 : value;
}

const SEED = randomInt(2 ** 32);

test(`CBOR random values come back as they went, seed ${SEED}`, () => {
  const random = randomFrom(SEED);
  for (let round = 0; round < 1500; round += 1) {
    const value = randomValue(random, 0);
    const bytes = encodeCbor(value);
    const back = decodeCbor(bytes);
    assert.equal(plain(back), plain(value), `seed ${SEED} round ${round}`);
    assert.is(hexOf(encodeCbor(back)), hexOf(bytes), `seed ${SEED} round ${round}`);
  }
});

test(`CBOR damaged messages are refused or are the one encoding of another value, seed ${SEED}`, () => {
  const random = randomFrom(SEED);
  let accepted = 0;
  for (let round = 0; round < 6000; round += 1) {
    const bytes = encodeCbor(randomValue(random, 2)).slice();
    for (let hits = random() * 4; hits >= 0; hits -= 1)
      bytes[Math.floor(random() * bytes.length)] = random() * 256;
    const refused = refusal(() => {
      const back = decodeCbor(bytes);
      assert.is(hexOf(encodeCbor(back)), hexOf(bytes), `seed ${SEED} round ${round}`);
    });
    if (refused === "") accepted += 1;
    else assert.match(refused, "CBOR at byte", `seed ${SEED} round ${round}`);
  }
  assert.ok(accepted > 0);
});

test.run();
