import {
  type CompiledMessage,
  compileDbc,
  DECODED_ALL,
  DECODED_NONE,
  EncodeError,
  parseDbc,
  parseJ1939Id,
} from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { freshSeed, type Random, randomOf } from "../../../fuzz/random.ts";
import { randomDbc } from "./random-dbc.ts";
import { asRawValue, referenceDecode, referencePhysical } from "./reference.ts";

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));

/** Worked out by hand on squared paper, so that codec and reference decoder cannot be wrong together. */
const BY_HAND = [
  { why: "Intel across bytes", sg: "4|12@1+ (1,0)", data: "a05b000000000000", value: 0x5ba },
  { why: "Motorola across bytes", sg: "3|12@0+ (1,0)", data: "0a5b000000000000", value: 0xa5b },
  { why: "Motorola within a byte", sg: "6|3@0+ (1,0)", data: "5000000000000000", value: 5 },
  { why: "Intel, negative", sg: "0|8@1- (1,0)", data: "ff00000000000000", value: -1 },
  { why: "Motorola, lowest value", sg: "7|16@0- (1,0)", data: "8000000000000000", value: -32768 },
  { why: "one signed bit is -1", sg: "0|1@1- (1,0)", data: "0100000000000000", value: -1 },
  {
    why: "32 bits stay positive",
    sg: "0|32@1+ (1,0)",
    data: "ffffffff00000000",
    value: 4294967295,
  },
  { why: "32 bits, signed", sg: "0|32@1- (1,0)", data: "feffffff00000000", value: -2 },
  {
    why: "33 bits, Motorola",
    sg: "0|33@0+ (1,0)",
    data: "0180000001000000",
    value: 2 ** 32 + 0x80000001,
  },
  { why: "53 bits are exact", sg: "0|53@1+ (1,0)", data: "ffffffffffff1f00", value: 2 ** 53 - 1 },
  { why: "64 bits round once", sg: "0|64@1+ (1,0)", data: "ffffffffffffffff", value: 2 ** 64 },
  {
    why: "scale, then offset",
    sg: "0|8@1+ (0.1,-40)",
    data: "0300000000000000",
    value: 3 * 0.1 - 40,
  },
  { why: "negative scale of zero", sg: "0|8@1+ (-1,0)", data: "0000000000000000", value: 0 },
];

for (const { why, sg, data, value } of BY_HAND) {
  test(`a signal by hand: ${why}`, () => {
    const dbc = compileDbc(parseDbc(`BO_ 1 M: 8 A\n SG_ s : ${sg} [0|0] "" A\n`));
    assert.is(dbc.decode(1, false, hex(data))?.signals?.["s"], value);
  });
}

const FLOATS = [
  { why: "pi in 32 bits", bits: 32, type: 1, data: "db0f4940", value: Math.fround(Math.PI) },
  { why: "pi in 64 bits", bits: 64, type: 2, data: "182d4454fb210940", value: Math.PI },
  { why: "one and a half in 16 bits", bits: 16, type: 1, data: "003e", value: 1.5 },
  { why: "not a number", bits: 32, type: 1, data: "0000c07f", value: Number.NaN },
  { why: "infinity", bits: 32, type: 1, data: "000080ff", value: Number.NEGATIVE_INFINITY },
];
for (const { why, bits, type, data, value } of FLOATS) {
  test(`a float: ${why}`, () => {
    const text = `BO_ 1 M: 8 A\n SG_ s : 0|${bits}@1- (1,0) [0|0] "" A\nSIG_VALTYPE_ 1 s : ${type};\n`;
    const dbc = compileDbc(parseDbc(text));
    const found = dbc.decode(1, false, hex(data.padEnd(16, "0")))?.signals?.["s"];
    assert.ok(Object.is(found, value), `${found}`);
    assert.equal(dbc.encode("M", { s: value }), hex(data.padEnd(16, "0")));
  });
}

test("raw values beyond 53 bits are exact: a serial number in 56", () => {
  const text = 'BO_ 1 M: 8 A\n SG_ vin : 15|56@0+ (1,0) [0|0] "" A\n';
  const dbc = compileDbc(parseDbc(text));
  const data = hex("00ffffffffffffff");
  assert.is(dbc.find(1, false)?.decodeRaw(data)?.["vin"], 2n ** 56n - 1n);
  assert.equal(dbc.encode("M", { vin: 2n ** 56n - 3n }, { raw: true }), hex("00fffffffffffffd"));
});

const MUX = `BO_ 1 M: 4 A
 SG_ always : 24|8@1+ (1,0) [0|0] "" A
 SG_ sel M : 0|4@1- (1,0) [0|0] "" A
 SG_ low m0 : 8|8@1+ (1,0) [0|0] "" A
 SG_ inner m1M : 8|4@1+ (1,0) [0|0] "" A
 SG_ deep m2 : 16|8@1+ (1,0) [0|0] "" A
SG_MUL_VAL_ 1 low sel 0-0, 3-5;
SG_MUL_VAL_ 1 inner sel 1-1;
SG_MUL_VAL_ 1 deep inner 2-2;
VAL_ 1 sel 7 "nothing but a name" -1 "negative";
`;
const MUX_FRAMES: { why: string; data: string; names: string[] | null }[] = [
  { why: "a value of its own", data: "00000000", names: ["always", "sel", "low"] },
  { why: "the first of a range", data: "03000000", names: ["always", "sel", "low"] },
  { why: "the last of a range", data: "05000000", names: ["always", "sel", "low"] },
  { why: "beyond the range", data: "06000000", names: null },
  { why: "a cascade", data: "01020000", names: ["always", "sel", "inner", "deep"] },
  { why: "an unknown value of the inner selector", data: "01030000", names: null },
  { why: "a value that only a value table names", data: "07000000", names: ["always", "sel"] },
  { why: "a signed selector is -1, not 15", data: "0f000000", names: ["always", "sel"] },
];
for (const { why, data, names } of MUX_FRAMES) {
  test(`multiplexing: ${why}`, () => {
    const decoded = compileDbc(parseDbc(MUX)).decode(1, false, hex(data));
    const found = decoded?.signals ?? null;
    assert.equal(found === null ? null : Object.keys(found).sort(), names?.sort() ?? null);
  });
}

const TORN = `BO_ 1 M: 3 A
 SG_ sel M : 0|4@1+ (1,0) [0|0] "" A
 SG_ one m1 : 4|4@1+ (1,0) [0|0] "" A
 SG_ count : 8|4@1+ (1,0) [0|0] "" A
 SG_ flag : FLAG|1@1+ (1,0) [0|0] "" A
`;
const TORN_ROWS: { why: string; flag: number; data: string; names: string[] | null }[] = [
  { why: "sound: refused", flag: 12, data: "023000", names: null },
  { why: "a bit of its neighbour", flag: 11, data: "023000", names: ["count", "flag", "sel"] },
  { why: "a bit of what hangs", flag: 7, data: "023000", names: ["count", "flag", "sel"] },
  { why: "and all of it there", flag: 11, data: "513000", names: ["count", "flag", "one", "sel"] },
  { why: "a bit the frame has not", flag: 24, data: "023000", names: ["count", "sel"] },
];
for (const { why, flag, data, names } of TORN_ROWS) {
  test(`an unknown selector where the layout contradicts itself: ${why}`, () => {
    const dbc = compileDbc(parseDbc(TORN.replace("FLAG", String(flag))));
    const found = dbc.decode(1, false, hex(data))?.signals ?? null;
    assert.equal(found === null ? null : Object.keys(found).sort(), names);
  });
}

test("a short frame gives the signals it holds", () => {
  const text =
    'BO_ 1 M: 8 A\n SG_ a : 0|8@1+ (1,0) [0|0] "" A\n SG_ b : 39|16@0+ (1,0) [0|0] "" A\n';
  const decoded = compileDbc(parseDbc(text)).decode(1, false, hex("0500000000"));
  assert.equal({ ...decoded?.signals }, { a: 5 });
});

test("a signal beyond the declared length is decoded where the frame has it", () => {
  const text = 'BO_ 1 M: 1 A\n SG_ a : 0|8@1+ (1,0) [0|0] "" A\n SG_ b : 8|8@1+ (1,0) [0|0] "" A\n';
  const dbc = compileDbc(parseDbc(text));
  assert.equal({ ...dbc.decode(1, false, hex("05"))?.signals }, { a: 5 });
  assert.equal({ ...dbc.decode(1, false, hex("0506"))?.signals }, { a: 5, b: 6 });
});

test("an id of 11 bits is not the same number of 29 bits", () => {
  const text = "BO_ 291 Short: 1 A\n\nBO_ 2147483939 Long: 1 A\n";
  const dbc = compileDbc(parseDbc(text));
  assert.is(dbc.find(291, false)?.message.name, "Short");
  assert.is(dbc.find(291, true)?.message.name, "Long");
});

test("signals may be called __proto__ and constructor", () => {
  const text = ["__proto__", "constructor"]
    .map((name, i) => ` SG_ ${name} : ${8 * i}|8@1+ (1,0) [0|0] "" A\n`)
    .join("");
  const dbc = compileDbc(parseDbc(`BO_ 1 M: 2 A\n${text}`));
  const signals = dbc.decode(1, false, hex("0102"))?.signals ?? {};
  assert.equal(Object.entries(signals), [
    ["__proto__", 1],
    ["constructor", 2],
  ]);
});

const J1939 = `BO_ ${0x80000000 + 0x18ff0017} Eec1From23: 8 A

BO_ ${0x80000000 + 0x18ff00fe} Eec1: 8 A
 SG_ rpm : 24|16@1+ (0.125,0) [0|0] "rpm" A

BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","reserved","J1939PG";
BA_DEF_DEF_ "VFrameFormat" "J1939PG";
`;
const J1939_IDS = [
  { why: "another source", id: 0x18ff0005, name: "Eec1" },
  { why: "another priority", id: 0x0cff00fe, name: "Eec1" },
  { why: "the source that has a message of its own", id: 0x0cff0017, name: "Eec1From23" },
  { why: "another group", id: 0x18ff0105, name: undefined },
];
for (const { why, id, name } of J1939_IDS) {
  test(`J1939: ${why}`, () => {
    assert.is(compileDbc(parseDbc(J1939)).find(id, true)?.message.name, name);
  });
}

test("J1939: a PDU1 group is found whatever its destination", () => {
  const id = 0x18ea12fe;
  const format = 'BA_DEF_ BO_ "VFrameFormat" ENUM "a","b","c","J1939PG";\nBA_ "VFrameFormat" BO_';
  const text = `BO_ ${0x80000000 + 0x18eafffe} Request: 3 A\n${format} ${0x80000000 + 0x18eafffe} 3;\n`;
  assert.is(compileDbc(parseDbc(text)).find(id, true)?.message.name, "Request");
});

const REFUSED = [
  { why: "no such signal", values: { nothing: 1 }, says: /M\.nothing: there is no such signal/ },
  { why: "too large", values: { always: 256 }, says: /256 is not within 0 to 255/ },
  { why: "negative", values: { always: -1 }, says: /-1 is not within/ },
  { why: "not a number", values: { always: Number.NaN }, says: /no whole number/ },
  { why: "a word nobody knows", values: { sel: "what" }, says: /no value is called "what"/ },
  { why: "of another branch", values: { sel: 0, deep: 1 }, says: /only there for other values/ },
  { why: "a selector for nothing", values: { sel: 6 }, says: /stands for nothing/ },
];
for (const { why, values, says } of REFUSED) {
  test(`encoding is refused: ${why}`, () => {
    const dbc = compileDbc(parseDbc(MUX));
    assert.throws(
      () => dbc.encode("M", values),
      (e: unknown) => e instanceof EncodeError && says.test(e.message),
    );
  });
}

test("J1939: what an identifier says", () => {
  const toAll = { priority: 6, pgn: 0xf004, source: 0x17, destination: null };
  assert.equal(parseJ1939Id(0x18f00417), toAll);
  const toOne = { priority: 3, pgn: 0x1ea00, source: 0xfe, destination: 0x12 };
  assert.equal(parseJ1939Id(0x0dea12fe), toOne);
});

test("raw values by slot: null where the frame ends before", () => {
  const text = 'BO_ 1 M: 2 A\n SG_ a : 0|8@1+ (2,1) [0|0] "" A\n SG_ b : 8|8@1- (1,0) [0|0] "" A\n';
  const compiled = compileDbc(parseDbc(text)).find(1, false);
  assert.is(compiled?.slotOf("b"), 1);
  assert.is(compiled?.slotOf("c"), -1);
  assert.equal(
    [0, 1, 2].map((slot) => compiled?.rawOf(slot, hex("05"))),
    [5, null, null],
  );
  assert.equal(
    [0, 1].map((slot) => compiled?.rawOf(slot, hex("05ff"))),
    [5, -1],
  );
  assert.is(compiled?.physicalOf(0, 5), 11);
  assert.is(compiled?.unknownSelector(hex("05ff")), null);
});

test("encoding infers selectors from the signals that are named", () => {
  const dbc = compileDbc(parseDbc(MUX));
  assert.equal(dbc.encode("M", { deep: 9, always: 1 }), hex("01020901"));
  assert.equal(dbc.encode("M", { sel: "negative" }), hex("0f000000"));
});

test("encoding over a base keeps the other signals", () => {
  const dbc = compileDbc(parseDbc(MUX));
  assert.equal(dbc.encode("M", { always: 255 }, { base: hex("01020900") }), hex("010209ff"));
});

function agree(compiled: CompiledMessage, data: Uint8Array, note: string): void {
  const { message } = compiled;
  const expected = referenceDecode(message, data);
  const decoded = compiled.decode(data);
  const raw = compiled.decodeRaw(data);
  if (expected === null) {
    assert.is(decoded, null, note);
    assert.is(raw, null, note);
    return;
  }
  assert.equal(Object.keys(decoded ?? {}).sort(), [...expected.keys()].sort(), note);
  for (const signal of message.signals) {
    const value = expected.get(signal.name);
    if (value === undefined) continue;
    const physical = referencePhysical(signal, value);
    assert.ok(Object.is(decoded?.[signal.name], physical), `${note} ${signal.name}`);
    assert.ok(
      Object.is(raw?.[signal.name], asRawValue(signal, value)),
      `${note} ${signal.name} raw`,
    );
  }
}

function payload(random: Random, length: number): Uint8Array {
  if (random.bool(0.1)) return new Uint8Array(length).fill(255);
  const cut = random.bool(0.1) ? random.int(length + 1) : length;
  return random.bytes(cut);
}

test("the compiled codec agrees with the bit-by-bit decoder on random databases", () => {
  const random = randomOf(freshSeed());
  process.stdout.write(`# seed ${random.seed}\n`);
  for (let round = 0; round < 60; round++) {
    const dbc = compileDbc(parseDbc(randomDbc(random, 8)));
    for (const compiled of dbc.messages) {
      for (let i = 0; i < 20; i++) {
        const data = payload(random, compiled.message.length);
        agree(compiled, data, `${compiled.message.name} ${Buffer.from(data).toString("hex")}`);
      }
    }
  }
});

/** Bits that no present signal covers are zeroed, and overlapping signals left out: then encoding is the inverse. */
test("encoding the raw values of a frame gives the frame back, in every bit that a signal covers", () => {
  const random = randomOf(freshSeed());
  process.stdout.write(`# seed ${random.seed}\n`);
  let frames = 0;
  for (let round = 0; round < 60; round++) {
    const dbc = compileDbc(parseDbc(randomDbc(random, 8)));
    for (const compiled of dbc.messages) {
      const data = random.bytes(compiled.message.length);
      const raw = compiled.decodeRaw(data);
      if (raw === null || Object.values(raw).some((v) => Number.isNaN(v))) continue;
      const back = compiled.encode(raw, { raw: true, base: new Uint8Array(data.length) });
      const again = compiled.encode(raw, { raw: true, base: data });
      assert.equal(again, data);
      assert.equal({ ...compiled.decodeRaw(back) }, { ...raw });
      for (const [name, value] of Object.entries(raw)) {
        const put = back.slice();
        compiled.put(compiled.slotOf(name), put, value);
        assert.equal(put, back, `${name} alone, in place`);
      }
      frames++;
    }
  }
  assert.ok(frames > 100);
});

test("encoding the physical values of a frame gives the same physical values back", () => {
  const random = randomOf(freshSeed());
  process.stdout.write(`# seed ${random.seed}\n`);
  for (let round = 0; round < 300; round++) {
    const length = 1 + random.int(40);
    const scale = random.pick(["0.1", "0.01", "-0.5", "1e-7", "3"]);
    const sg = `${random.int(64 - length + 1)}|${length}@1- (${scale},-40.25) [0|0] "" A`;
    const dbc = compileDbc(parseDbc(`BO_ 1 M: 8 A\n SG_ s : ${sg}\n`));
    const value = dbc.decode(1, false, random.bytes(8))?.signals?.["s"] ?? 0;
    assert.is(dbc.decode(1, false, dbc.encode("M", { s: value }))?.signals?.["s"], value, sg);
  }
});

test("slots: other messages' slots are left alone, and presence is told", () => {
  const compiled = compileDbc(parseDbc(MUX)).find(1, false);
  assert.ok(compiled !== undefined);
  const slots = new Float64Array(10).fill(-1);
  const present = new Uint8Array(10).fill(9);
  compiled.decodeInto(hex("03070063"), slots, 3, present);
  assert.equal([...slots], [-1, -1, -1, 99, 3, 7, -1, -1, -1, -1]);
  assert.equal([...present], [9, 9, 9, 1, 1, 1, 0, 0, 9, 9]);
  assert.is(compiled.decodeInto(hex("06000000"), slots, 3, present), DECODED_NONE);
  const plain = compileDbc(parseDbc('BO_ 1 M: 1 A\n SG_ a : 0|8@1+ (1,0) [0|0] "" A\n'));
  assert.is(plain.find(1, false)?.decodeInto(hex("01"), slots, 0, present), DECODED_ALL);
});

test.run();
