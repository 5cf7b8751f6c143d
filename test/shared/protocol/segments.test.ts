/** Segments and the keys of a log: what each is bound to, and the bounds of a header. */
import {
  ackKeyOf,
  COMMIT_WITHIN_MS,
  cryptoReady,
  decodeRows,
  deriveKey,
  EVENT_BYTES_MAX,
  encodeCbor,
  encodeRows,
  headerHash,
  isLane,
  LANES,
  type LogOpening,
  openColumns,
  openHeader,
  openHeaderAside,
  openOpening,
  parseSign1,
  randomBytes,
  ratchetNext,
  ratchetStart,
  rowBinding,
  rowKeyOf,
  rowNonce,
  SEALED_ROOT_BYTES,
  SEGMENT_BODY_BYTES_MAX,
  SEGMENT_EVENTS_MAX,
  type SegmentHeader,
  sealColumns,
  segmentKeyOf,
  sha256,
  signHeader,
  signingKey,
  signOpening,
  tenantId,
  toHex,
  uint64,
  utf8,
  vehicleId,
  verifyKey,
  ZERO_HASH,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

await cryptoReady();
const KEY = signingKey(randomBytes(32));
const VERIFY = verifyKey(KEY.publicKey);
const ADDRESS = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
const LOG = new Uint8Array(16).fill(1);
const HEADER: SegmentHeader = {
  ...ADDRESS,
  log: LOG,
  lane: "critical",
  number: 1,
  firstSeq: 1,
  count: 1,
  ratchet: 0,
  codec: "rows",
  bodyHash: ZERO_HASH,
  previousHash: ZERO_HASH,
};
const OPENING: LogOpening = {
  ...ADDRESS,
  log: LOG,
  previousEndedCleanly: false,
  ingestKeyVersion: 1,
  sealedRoot: new Uint8Array(SEALED_ROOT_BYTES),
  agentVersion: "v".repeat(32),
};
const is =
  (code: string) =>
  (error: { code?: string }): boolean =>
    error.code === code;

test("the bounds are those that the protocol has", () => {
  assert.equal(
    [SEGMENT_EVENTS_MAX, SEGMENT_BODY_BYTES_MAX, EVENT_BYTES_MAX, SEALED_ROOT_BYTES],
    [4096, 196_608, 16_384, 80],
  );
  assert.equal([...LANES], ["critical", "state", "track"]);
  assert.equal(COMMIT_WITHIN_MS, {
    critical: { min: 0, max: 0 },
    state: { min: 250, max: 250 },
    track: { min: 250, max: 5000 },
  });
  assert.is(toHex(ZERO_HASH), "00".repeat(32));
  for (const lane of LANES) assert.is(isLane(lane), true);
  for (const no of ["", "up", 1, undefined, ["critical"]]) assert.is(isLane(no), false);
});

test("a header is what was signed, to its bounds and no further", async () => {
  const most = Number.MAX_SAFE_INTEGER - 4096;
  for (const change of [
    {},
    { number: most, firstSeq: most, count: 4096, ratchet: Number.MAX_SAFE_INTEGER },
    { lane: "track", codec: "gap", replaces: Uint8Array.from(sha256(utf8("x"))) },
    { codec: "columns" },
  ] as const) {
    const header = { ...HEADER, ...change };
    const envelope = signHeader(KEY, header);
    const opened = openHeader(VERIFY, envelope);
    assert.is(JSON.stringify(opened), JSON.stringify({ ...header }));
    const aside = await openHeaderAside(VERIFY, envelope);
    assert.equal(aside.header, opened);
    assert.is(toHex(aside.hash), toHex(headerHash(envelope)));
    assert.is(toHex(aside.hash), toHex(sha256(parseSign1(envelope).payload)));
  }
  for (const change of [
    { number: 0 },
    { number: most + 1 },
    { firstSeq: 0 },
    { firstSeq: most + 1 },
    { count: 0 },
    { count: 4097 },
    { ratchet: -1 },
  ])
    assert.throws(() => signHeader(KEY, { ...HEADER, ...change }), is("malformed"));
});

test("an opening is what was signed; neither passes for the other", () => {
  const whole = {
    ...OPENING,
    previousLog: LOG,
    previousHash: ZERO_HASH,
    previousEndedCleanly: true,
  };
  for (const opening of [OPENING, whole])
    assert.equal(openOpening(VERIFY, signOpening(KEY, opening)), opening);
  assert.throws(
    () => signOpening(KEY, { ...OPENING, agentVersion: "v".repeat(33) }),
    is("malformed"),
  );
  assert.throws(() => openHeader(VERIFY, signOpening(KEY, OPENING)), is("unauthenticated"));
  assert.throws(() => openOpening(VERIFY, signHeader(KEY, HEADER)), is("unauthenticated"));
});

test("rows are as many as the header says, each of a size that can be", () => {
  const row = new Uint8Array(17);
  const longest = new Uint8Array(EVENT_BYTES_MAX + 16);
  assert.equal(
    decodeRows(encodeRows([row, longest]), 2).map(({ length }) => length),
    [17, longest.length],
  );
  for (const [why, body, count] of [
    ["one more", encodeRows([row, row]), 1],
    ["one less", encodeRows([row]), 2],
    ["too short", encodeRows([new Uint8Array(16)]), 1],
    ["too long", encodeRows([new Uint8Array(longest.length + 1)]), 1],
    ["no bytes", encodeCbor(["x".repeat(20)]), 1],
    ["no list", encodeCbor(row), 17],
  ] as const)
    assert.throws(() => decodeRows(body, count), is("malformed"), why);
});

test("a long body of rows is read, and one beyond its bound is not", () => {
  const rows = (count: number) =>
    encodeRows(Array.from({ length: count }, () => new Uint8Array(16_000)));
  assert.is(decodeRows(rows(12), 12).length, 12);
  assert.throws(() => decodeRows(rows(17), 17), is("malformed"));
});

const hexOf = (...keys: readonly Uint8Array[]): readonly string[] => keys.map(toHex);
test("every key of a log hangs on its root, its car, its log, its lane and its use, and on nothing else", () => {
  const root = new Uint8Array(32).fill(7);
  const of = { ...ADDRESS, log: LOG };
  const context = Uint8Array.of(...utf8("demo\ncar-1\n"), ...LOG);
  assert.is(toHex(ackKeyOf(root, of)), toHex(deriveKey(root, "kerbside/v1/ack", context)));
  const start = ratchetStart(root, of, "state");
  assert.is(toHex(start), toHex(deriveKey(root, "kerbside/v1/ratchet/state", context)));
  assert.is(toHex(ratchetNext(start)), toHex(deriveKey(start, "kerbside/v1/ratchet-next")));
  assert.is(toHex(rowKeyOf(start)), toHex(deriveKey(start, "kerbside/v1/row")));
  assert.is(toHex(segmentKeyOf(start)), toHex(deriveKey(start, "kerbside/v1/segment")));
  const others = [
    { ...of, tenant: tenantId("other") },
    { ...of, vehicle: vehicleId("car-2") },
    { ...of, log: new Uint8Array(16) },
  ];
  const starts = others.map((other) => ratchetStart(root, other, "state"));
  const all = hexOf(start, ...starts, ratchetStart(root, of, "track"), ackKeyOf(root, of));
  assert.is(new Set(all).size, all.length);
});

test("a row has its place in its nonce and in what it is bound to", () => {
  assert.is(toHex(rowNonce(0x0102)), `${"00".repeat(22)}0102`);
  const place = { log: LOG, lane: "track", segment: 3, seq: 4 } as const;
  assert.is(
    toHex(rowBinding(place)),
    `${toHex(utf8("kerbside/v1/row"))}${toHex(LOG)}02${toHex(uint64(3))}${toHex(uint64(4))}`,
  );
});

test("a body of columns opens in its place alone", () => {
  const key = randomBytes(32);
  const place = { log: LOG, lane: "state", number: 3, firstSeq: 10, count: 5 } as const;
  const sealed = sealColumns(key, place, utf8("columns"));
  assert.is(toHex(openColumns(key, place, sealed)), toHex(utf8("columns")));
  for (const change of [
    { log: new Uint8Array(16) },
    { lane: "track" },
    { number: 4 },
    { firstSeq: 11 },
    { count: 6 },
  ] as const)
    assert.throws(() => openColumns(key, { ...place, ...change }, sealed), is("unauthenticated"));
  assert.throws(() => openColumns(randomBytes(32), place, sealed), is("unauthenticated"));
});

test.run();
