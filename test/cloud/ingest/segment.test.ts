/** One message at a time in memory: what makes it the car's, and what of it can be read. Each row changes one thing. */
import { authenticate, logKeys, readContent } from "@kerbside/ingest";
import {
  ackKeyOf,
  aeadSeal,
  type CarEvent,
  cryptoReady,
  encodeColumns,
  encodeEvent,
  encodeRows,
  encodeSegmentMessage,
  headerHash,
  type Lane,
  type LogOpening,
  randomBytes,
  ratchetNext,
  ratchetStart,
  rowBinding,
  rowKeyOf,
  rowNonce,
  type SegmentHeader,
  type SourceMessage,
  sealColumns,
  segmentKeyOf,
  sha256,
  signHeader,
  signingKey,
  signOpening,
  tenantId,
  toHex,
  vehicleId,
  verifyKey,
  ZERO_HASH,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

await cryptoReady();
const CAR = signingKey(randomBytes(32));
const VERIFY = verifyKey(CAR.publicKey);
const ADDRESS = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
const CERTIFICATE = { ...ADDRESS, serial: "01" };
const LOG = randomBytes(16);
const ROOT = randomBytes(32);
const OPENING: LogOpening = {
  ...ADDRESS,
  log: LOG,
  previousEndedCleanly: true,
  ingestKeyVersion: 1,
  sealedRoot: new Uint8Array(80),
  agentVersion: "1",
};
const TIME = { wallOffsetMs: 1_790_000_000_000, doubtMs: 0 };
const LOW: CarEvent = { ...TIME, bootMs: 5, kind: "battery.low", data: { voltageV: 11.5 } };
const NOTE: CarEvent = { ...TIME, bootMs: 6, kind: "battery.low", data: { voltageV: 11 } };

type Made = {
  readonly lane?: Lane;
  readonly header?: Partial<SegmentHeader>;
  /** In place of the body that the header's hash is of. */
  readonly body?: Uint8Array;
  readonly key?: typeof CAR;
  readonly opening?: Uint8Array;
  readonly message?: Partial<SourceMessage>;
  readonly content?: Uint8Array;
};
function ratchetAt(lane: Lane, index: number): Uint8Array {
  let ratchet = ratchetStart(ROOT, OPENING, lane);
  for (let i = 0; i < index; i += 1) ratchet = ratchetNext(ratchet);
  return ratchet;
}

function rows(lane: Lane, events: readonly CarEvent[], number = 4, firstSeq = 10): Uint8Array {
  const key = rowKeyOf(ratchetAt(lane, 3));
  return encodeRows(
    events.map((event, i) => {
      const place = { log: LOG, lane, segment: number, seq: firstSeq + i };
      return aeadSeal(key, rowNonce(place.seq), encodeEvent(event), rowBinding(place));
    }),
  );
}

function make({ lane = "state", header = {}, key = CAR, ...rest }: Made = {}): SourceMessage {
  const content = rest.content ?? rows(lane, [LOW, NOTE]);
  const whole: SegmentHeader = {
    ...ADDRESS,
    log: LOG,
    lane,
    number: 4,
    firstSeq: 10,
    count: 2,
    ratchet: 3,
    codec: "rows",
    bodyHash: sha256(content),
    previousHash: ZERO_HASH,
    ...header,
  };
  const opening = rest.opening === undefined ? {} : { opening: rest.opening };
  return {
    topic: { ...ADDRESS, channel: "up", lane },
    payload: encodeSegmentMessage({
      header: signHeader(key, whole),
      body: rest.body ?? content,
      ...opening,
    }),
    certificate: CERTIFICATE,
    ...rest.message,
  };
}

const failsAs =
  (code: string, words: string) =>
  (error: { code?: string; message: string }): boolean =>
    error.code === code && error.message.includes(words);
async function rejects(
  work: Promise<unknown>,
  code: string,
  words: string,
  why = "",
): Promise<void> {
  await work.then(
    () => assert.unreachable(why),
    (error) => assert.ok(failsAs(code, words)(error), `${why}: ${error}`),
  );
}

test("a message of the car's is told with its header, its hash and its body", async () => {
  const message = make();
  const segment = await authenticate(message, VERIFY);
  assert.equal(
    [segment.header.number, segment.header.firstSeq, segment.opening],
    [4, 10, undefined],
  );
  assert.equal(Object.keys(segment).toSorted(), ["body", "header", "headerHash"]);
  const { certificate: _certificate, ...bare } = message;
  const again = await authenticate(bare, VERIFY);
  assert.is(toHex(again.headerHash), toHex(segment.headerHash));
  assert.is(toHex(segment.headerHash), toHex(headerHash(signHeader(CAR, segment.header))));
  assert.is(toHex(sha256(segment.body)), toHex(segment.header.bodyHash));
});

test("its opening comes with it, where it is of the same car and log", async () => {
  const segment = await authenticate(make({ opening: signOpening(CAR, OPENING) }), VERIFY);
  assert.equal(segment.opening, OPENING);
});

const other = vehicleId("car-2");
const FORGED: readonly { readonly why: string; readonly made: Made; readonly words: string }[] = [
  {
    why: "a certificate of another car",
    made: { message: { certificate: { ...CERTIFICATE, vehicle: other } } },
    words: "certificate",
  },
  {
    why: "a certificate of another tenant",
    made: {
      message: { certificate: { ...CERTIFICATE, tenant: tenantId("x") } },
    },
    words: "certificate",
  },
  { why: "another key", made: { key: signingKey(randomBytes(32)) }, words: "signature" },
  {
    why: "a header of another car",
    made: { header: { vehicle: other } },
    words: "header: of another",
  },
  {
    why: "a header of another tenant",
    made: { header: { tenant: tenantId("x") } },
    words: "header: of another",
  },
  {
    why: "a header of another lane",
    made: { header: { lane: "track" } },
    words: "header: of another",
  },
  { why: "another body", made: { body: rows("state", [LOW, LOW]) }, words: "body: not the one" },
  {
    why: "an opening of another car",
    made: { opening: signOpening(CAR, { ...OPENING, vehicle: other }) },
    words: "opening: of another",
  },
  {
    why: "an opening of another tenant",
    made: { opening: signOpening(CAR, { ...OPENING, tenant: tenantId("x") }) },
    words: "opening: of another",
  },
  {
    why: "an opening of another log",
    made: { opening: signOpening(CAR, { ...OPENING, log: randomBytes(16) }) },
    words: "opening: of another",
  },
  {
    why: "an opening that another signed",
    made: { opening: signOpening(signingKey(randomBytes(32)), OPENING) },
    words: "signature",
  },
];
for (const { why, made, words } of FORGED)
  test(`it is not the car's: ${why}`, () =>
    rejects(authenticate(make(made), VERIFY), "unauthenticated", words));

const keys = (max = 5000) => logKeys(OPENING, ROOT, max);
async function read(made: Made = {}) {
  return readContent(await authenticate(make(made), VERIFY), keys());
}

test("rows are the events they were, in their order", async () => {
  assert.equal(await read(), { events: [LOW, NOTE] });
});

test("a gap holds nothing, and has no body", async () => {
  assert.equal(await read({ header: { codec: "gap" }, content: new Uint8Array() }), { events: [] });
  await rejects(read({ header: { codec: "gap" } }), "malformed", "gap");
  const byte = Uint8Array.of(0);
  await rejects(read({ header: { codec: "gap" }, content: byte }), "malformed", "gap");
});

test("columns are read under the segment's key, each event in its lane", async () => {
  const place = { log: LOG, lane: "state", number: 4, firstSeq: 10, count: 2 } as const;
  const key = segmentKeyOf(ratchetAt("state", 3));
  const content = sealColumns(key, place, encodeColumns([LOW, NOTE].map(encodeEvent)));
  const { events, columns } = await read({ header: { codec: "columns" }, content });
  assert.equal(events, []);
  assert.is(columns?.count, 2);
  assert.equal(
    columns?.newest.map(({ event }) => event),
    [NOTE],
  );
  const stray = { ...place, lane: "track" } as const;
  const strays = sealColumns(
    segmentKeyOf(ratchetAt("track", 3)),
    stray,
    encodeColumns([LOW, NOTE].map(encodeEvent)),
  );
  await rejects(
    read({ lane: "track", header: { codec: "columns" }, content: strays }),
    "malformed",
    "belongs to",
  );
});

const UNREADABLE: readonly { readonly why: string; readonly made: Made; readonly words: string }[] =
  [
    { why: "rows of another place", made: { header: { firstSeq: 11 } }, words: "ciphertext" },
    { why: "rows of another segment", made: { header: { number: 5 } }, words: "ciphertext" },
    { why: "rows of another key", made: { header: { ratchet: 4 } }, words: "ciphertext" },
    { why: "another count", made: { header: { count: 3 } }, words: "3 encrypted rows" },
    {
      why: "an event of another lane",
      made: { lane: "track" },
      words: "belongs to state, not track",
    },
  ];
for (const { why, made, words } of UNREADABLE)
  test(`it cannot be read: ${why}`, async () => {
    const segment = await authenticate(make(made), VERIFY);
    await readContent(segment, keys()).then(
      () => assert.unreachable(),
      (error) => assert.match(error.message, words),
    );
  });

test("an event that belongs to no lane is read in any", async () => {
  const any: CarEvent = { ...TIME, bootMs: 5, kind: "diagnostic.note", data: { note: "x" } };
  for (const lane of ["track", "state", "critical"] as const) {
    const content = rows(lane, [any, any]);
    assert.is((await read({ lane, content })).events.length, 2);
  }
});

test("the keys along a lane are those of its ratchet, in whatever order they are asked for", async () => {
  const log = keys();
  const along = [ratchetStart(ROOT, OPENING, "state")];
  for (let i = 1; i <= 3080; i += 1) along.push(ratchetNext(along[i - 1] ?? ROOT));
  for (const index of [0, 1, 5, 3, 1023, 1024, 1025, 2050, 2049, 2048, 1024, 7, 0, 3080, 2047]) {
    const at = along[index] ?? ROOT;
    assert.is(toHex(await log.rowKey("state", index)), toHex(rowKeyOf(at)), `row ${index}`);
    assert.is(toHex(await log.segmentKey("state", index)), toHex(segmentKeyOf(at)), `${index}`);
  }
  for (const lane of ["critical", "track"] as const)
    assert.is(toHex(await log.rowKey(lane, 2)), toHex(rowKeyOf(ratchetAt(lane, 2))));
  assert.is(toHex(log.ackKey), toHex(ackKeyOf(ROOT, OPENING)));
  assert.is(log.opening, OPENING);
});

test("a lane goes as far as it may, and the rest is refused before a step is made", async () => {
  const log = keys(3);
  await log.rowKey("track", 3);
  await rejects(log.rowKey("track", 4), "limit_reached", "index up to 3");
});

test("on a long way others get their turn", async () => {
  let turns = 0;
  let going = true;
  const count = (): void => {
    turns += 1;
    if (going) setImmediate(count);
  };
  setImmediate(count);
  await keys().rowKey("track", 256 * 4);
  going = false;
  assert.ok(turns >= 4 && turns < 20, `${turns} turns`);
});

test("keys know the opening they come from by all of it", () => {
  const log = keys();
  assert.is(log.opens({ ...OPENING }), true);
  assert.is(log.opens({ ...OPENING, ingestKeyVersion: 2 }), false);
});

test.run();
