import {
  bool,
  bytes,
  type CborValue,
  type Codec,
  choice,
  DATA_CLASSES,
  decode,
  encode,
  encodeCbor,
  field,
  integer,
  list,
  optional,
  personalTags,
  real,
  struct,
  text,
  uint,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

const meta = { class: "Internal", doc: "for the test" } as const;
const inner = struct("inner", { place: field(3, real(-90, 90), { ...meta, tag: "GEO" }) });
const outer = struct("outer", {
  id: field(0, bytes(2), meta),
  name: field(1, text(3, /^[a-z]+$/), { ...meta, tag: "PPI" }),
  mood: field(2, choice(["calm", "cross"]), meta),
  list: field(5, list(uint(9), 2), meta),
  inner: optional(7, inner, meta),
});
const GOOD = { id: Uint8Array.of(1, 2), name: "abc", mood: "cross", list: [1, 9] } as const;

const refuses = (run: () => unknown, says: string): void =>
  assert.throws(
    run,
    (error: { code?: string; message: string }) =>
      error.code === "malformed" && error.message.includes(says),
  );

test("a structure is a map from its keys, and comes back", () => {
  const encoded = encode(outer, { ...GOOD, inner: { place: -90 } });
  assert.equal(decode(outer, encoded), { ...GOOD, inner: { place: -90 } });
  assert.equal(decode(outer, encode(outer, GOOD)), GOOD);
});

/** One change to the map of a good value each, and what the refusal must name. */
const CHANGES: readonly { why: string; key: number; value?: CborValue; says: string }[] = [
  { why: "a field is missing", key: 0, says: "outer.id: expected 2 bytes" },
  { why: "a nested field is missing", key: 7, value: new Map(), says: "outer.inner.place" },
  { why: "a field is unknown", key: 4, value: 0, says: "no field 4" },
  { why: "bytes are too few", key: 0, value: new Uint8Array(1), says: "outer.id" },
  { why: "bytes are too many", key: 0, value: new Uint8Array(3), says: "outer.id" },
  { why: "a text stands for bytes", key: 0, value: "ab", says: "outer.id" },
  { why: "a text is too long", key: 1, value: "abcd", says: "outer.name" },
  { why: "a text breaks its pattern", key: 1, value: "A", says: "outer.name" },
  { why: "a choice is beyond the list", key: 2, value: 2, says: "outer.mood" },
  { why: "a choice is below 0", key: 2, value: -1, says: "outer.mood" },
  { why: "a choice is a fraction", key: 2, value: 0.5, says: "outer.mood" },
  { why: "a choice comes by name", key: 2, value: "calm", says: "outer.mood" },
  { why: "a list is too long", key: 5, value: [1, 2, 3], says: "outer.list" },
  { why: "an item is too great", key: 5, value: [1, 10], says: "outer.list[1]" },
  { why: "a list is a number", key: 5, value: 1, says: "outer.list" },
  { why: "a structure is a list", key: 7, value: [], says: "outer.inner" },
  { why: "null stands for what may be left out", key: 7, value: null, says: "outer.inner" },
];

for (const { why, key, value, says } of CHANGES)
  test(`a structure is refused where ${why}`, () => {
    const map = new Map<number, CborValue>([
      [0, GOOD.id],
      [1, GOOD.name],
      [2, 1],
      [5, GOOD.list],
    ]);
    if (value === undefined) map.delete(key);
    else map.set(key, value);
    refuses(() => decode(outer, encodeCbor(map)), says);
  });

test("a structure is refused with a text as a key", () => {
  refuses(() => decode(outer, encodeCbor(new Map([["id", 1]]))), "no field id");
});

test("what breaks the schema is not written either", () => {
  refuses(() => encode(outer, { ...GOOD, name: "ABC" }), "outer.name");
  refuses(() => encode(outer, { ...GOOD, list: [1, 2, 3] }), "outer.list");
  refuses(() => encode(outer, { ...GOOD, id: new Uint8Array(3) }), "outer.id: expected 2 bytes");
  const { id: _id, ...without } = GOOD;
  const lacking: object = without;
  refuses(() => encode(outer, lacking as typeof GOOD), "outer.id: expected 2 bytes");
  refuses(
    () => encode(outer, { ...GOOD, list: [1, 10] }),
    "outer.list[1]: expected integer 0 to 9",
  );
  const mood: string = "bored";
  refuses(
    () => encode(outer, { ...GOOD, mood: mood as "calm" }),
    "outer.mood: expected one of calm, cross",
  );
});

test("what was expected is said in words", () => {
  const described: readonly (readonly [Codec<unknown>, string])[] = [
    [integer(-1, 2), "integer -1 to 2"],
    [real(-1, 1), "number -1 to 1"],
    [bool, "true or false"],
    [text(2), "text of at most 2"],
    [text(2, /^a$/), "text like ^a$"],
    [bytes(2), "2 bytes"],
    [bytes(1, 2), "1 to 2 bytes"],
    [choice(["a", "b"]), "0 a, 1 b"],
    [list(bool, 3), "list of at most 3 × (true or false)"],
    [outer, "outer"],
  ];
  for (const [codec, words] of described) assert.is(codec.describe, words);
  refuses(() => decode(outer, encodeCbor(7)), "outer: expected a map (outer)");
  refuses(() => decode(choice(["a", "b"]), encodeCbor("0")), "expected one of 0 a, 1 b");
  refuses(() => decode(text(2), encodeCbor([1])), "expected text of at most 2");
  refuses(
    () => decode(outer, encodeCbor(new Map([["0", GOOD.id]]))),
    "outer: expected no field 0 in outer",
  );
  const long = "x".repeat(30);
  refuses(
    () => decode(outer, encodeCbor(new Map([[long, 1]]))),
    `outer: expected no field ${"x".repeat(20)} in outer`,
  );
  assert.throws(
    () => struct("twice", { a: field(1, bool, meta), b: field(1, bool, meta) }),
    /^twice: key 1 is used twice$/,
  );
  assert.equal([...DATA_CLASSES], ["Public", "Internal", "Confidential", "Restricted"]);
});

const SCALARS: readonly {
  codec: Codec<unknown>;
  good: readonly CborValue[];
  bad: readonly CborValue[];
}[] = [
  { codec: integer(-1, 2), good: [-1, 0, 2], bad: [-2, 3, 0.5, "1", null, 2n ** 60n] },
  { codec: uint(), good: [0, 2 ** 53 - 1], bad: [-1, 2n ** 53n, 2 ** 60] },
  {
    codec: real(-1, 1),
    good: [-1, 0, 0.25, 1],
    bad: [-1.5, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2n ** 60n, true],
  },
  { codec: bool, good: [true, false], bad: [0, 1, null, "true"] },
  { codec: text(2), good: ["", "ab", "\u{1f697}"], bad: ["abc", "\u{1f697}a", 1] },
  { codec: bytes(1, 2), good: [Uint8Array.of(1), Uint8Array.of(1, 2)], bad: [new Uint8Array()] },
];

for (const { codec, good, bad } of SCALARS)
  test(`${codec.describe}: at and beyond its bounds`, () => {
    for (const value of good) assert.equal(decode(codec, encodeCbor(value)), value);
    for (const value of bad) refuses(() => decode(codec, encodeCbor(value)), "expected");
  });

test("a key used twice in a structure is our own mistake", () => {
  assert.throws(
    () => struct("twice", { a: field(1, bool, meta), b: field(1, bool, meta) }),
    "twice",
  );
});

test("personal tags are found at any depth, in lists too", () => {
  assert.equal([...personalTags(outer)].sort(), ["GEO", "PPI"]);
  assert.equal([...personalTags(list(inner, 3))], ["GEO"]);
  assert.equal([...personalTags(uint())], []);
});

test.run();
