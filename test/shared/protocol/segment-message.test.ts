/** A segment's message in both its forms: what is one and what is none, part by part. */
import {
  cryptoReady,
  encodeCbor,
  encodeSegmentMessage,
  LANES,
  openHeader,
  ProtocolError,
  parseSegmentMessage,
  randomBytes,
  SEGMENT_BODY_BYTES_MAX,
  SEGMENT_CODECS,
  type SegmentHeader,
  type SegmentMessage,
  sha256,
  shortenSegmentMessage,
  signHeader,
  signingKey,
  tenantId,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

await cryptoReady();
const CAR = signingKey(randomBytes(32));
const VERIFY = verifyKey(CAR.publicKey);
const ADDRESS = { tenant: tenantId("demo"), vehicle: vehicleId("car-7") };
const BODY = randomBytes(50);
const HEADER: SegmentHeader = {
  ...ADDRESS,
  log: randomBytes(16),
  lane: "state",
  number: 5,
  firstSeq: 300,
  count: 7,
  ratchet: 4,
  codec: "rows",
  bodyHash: sha256(BODY),
  previousHash: randomBytes(32),
};
const messageOf = (change: Partial<SegmentHeader> = {}, opening?: Uint8Array): SegmentMessage => {
  const header = signHeader(CAR, { ...HEADER, ...change });
  return { header, body: BODY, ...(opening === undefined ? {} : { opening }) };
};
/** The header verifies only if it was made again as it was signed. */
function readBack(short: Uint8Array): SegmentMessage {
  const keyId = keyIdIn(short);
  return parseSegmentMessage(short, { ...ADDRESS, keyId });
}
function keyIdIn(short: Uint8Array): Uint8Array {
  assert.is((short[0] ?? 0) >> 6, 1, "the short form");
  return sha256(CAR.publicKey).slice(0, 8);
}
const refuses = (encoded: Uint8Array, words: string): void =>
  assert.throws(
    () => parseSegmentMessage(encoded, ADDRESS),
    (error: unknown) =>
      error instanceof ProtocolError && error.code === "malformed" && error.message.includes(words),
    words,
  );

test("the short form of every lane and codec, with and without what may be left out", () => {
  for (const lane of LANES)
    for (const codec of SEGMENT_CODECS)
      for (const replaces of [undefined, randomBytes(32)])
        for (const opening of [undefined, randomBytes(0), randomBytes(200), randomBytes(4096)]) {
          const more = replaces === undefined ? {} : { replaces };
          const message = messageOf({ lane, codec, ...more }, opening);
          const short = shortenSegmentMessage(message);
          assert.ok(short.length < encodeSegmentMessage(message).length);
          const back = readBack(short);
          assert.equal(back, message, `${lane} ${codec}`);
          const header = openHeader(VERIFY, back.header);
          assert.equal([header.lane, header.codec], [lane, codec]);
          assert.equal(header.replaces, replaces && Uint8Array.from(replaces));
        }
});

test("a header that does not follow from the rest goes in the plain form, and both are read", () => {
  for (const change of [{ ratchet: 3 }, { ratchet: 5 }, { bodyHash: randomBytes(32) }]) {
    const message = messageOf(change, randomBytes(20));
    const encoded = shortenSegmentMessage(message);
    assert.equal(encoded, encodeSegmentMessage(message));
    assert.equal(parseSegmentMessage(encoded, ADDRESS), message);
  }
});

test("without a key the short form is read with zeros in its place", () => {
  const { body, header } = parseSegmentMessage(shortenSegmentMessage(messageOf()), ADDRESS);
  assert.equal(body, BODY);
  assert.throws(() => openHeader(VERIFY, header));
});

const some = randomBytes(5);
const NO_MESSAGE: readonly (readonly [why: string, parts: unknown])[] = [
  ["a number", 7],
  ["null", null],
  ["a map", new Map()],
  ["no opening, nor that there is none", [some, some]],
  ["a part too many", [some, some, null, some]],
  ["a text for a header", ["abc", some, null]],
  ["a text for a body", [some, "abc", null]],
  ["a text for an opening", [some, some, "abc"]],
  ["a list for an opening", [some, some, []]],
];
for (const [why, parts] of NO_MESSAGE)
  test(`a plain message is refused: ${why}`, () =>
    refuses(encodeCbor(parts as string), "expected [header, body, opening or null]"));

test("nothing at all is no message", () => refuses(new Uint8Array(), ""));

const FIRST = { short: 0x40, lane: 16, codec: 4, opening: 1 };
/** The parts of the short form before the body, by hand. */
function short(first: number, ...rest: readonly Uint8Array[]): Uint8Array {
  const head = [Uint8Array.of(first), randomBytes(16), Uint8Array.of(1, 1, 1), randomBytes(32)];
  return Uint8Array.from(Buffer.concat([...head, randomBytes(64), ...rest]));
}

test("a short message is refused where its lane or codec is none, or a part is too long", () => {
  const parsed = parseSegmentMessage(short(FIRST.short, some), ADDRESS);
  assert.equal(parsed.body, some);
  refuses(short(FIRST.short + 3 * FIRST.lane, some), "no such lane or form of a body");
  refuses(short(FIRST.short + 3 * FIRST.codec, some), "no such lane or form of a body");
  const longest = new Uint8Array(SEGMENT_BODY_BYTES_MAX);
  assert.is(parseSegmentMessage(short(FIRST.short, longest), ADDRESS).body.length, longest.length);
  refuses(short(FIRST.short, longest, Uint8Array.of(0)), "the body is too long");
  // 4097 as a varint: an opening may have 4096 bytes.
  const over = Uint8Array.of(0x81, 0x20);
  refuses(short(FIRST.short + FIRST.opening, over, new Uint8Array(4097)), "opening is too long");
});

test.run();
