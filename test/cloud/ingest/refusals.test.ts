/** What ingest does with what cannot be believed, and with what is believed and cannot be read. */
import { type Ingest, redrive } from "@kerbside/ingest";
import {
  encodeCbor,
  encodeEvent,
  encodeSegmentMessage,
  parseSegmentMessage,
  parseTopic,
  type SourceMessage,
  sealKeyPair,
  tenantId,
  vehicleId,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { fillQuarantine } from "../../support/full-quarantine.ts";
import { realClock } from "../../support/runtime.ts";
import { seeded } from "../../support/seeded.ts";
import { AUDIT, Car, type CarLog, enrol, makeWorld, note, type World, words } from "./harness.ts";

let world: World;
let car: Car;
let log: CarLog;
let ingest: Ingest;
test.before.each(async () => {
  world = await makeWorld();
  car = await world.car("car-1");
  log = car.newLog();
  ingest = await world.worker();
});
test.after.each(() => world.close());

const quarantined = (): readonly string[] =>
  world.store.quarantined(0, 100).map(({ reason }) => reason);

/** The same message with some of its parts replaced, as somebody between car and cloud could. */
function changed(
  message: SourceMessage,
  change: (parts: ReturnType<typeof parseSegmentMessage>) => object,
): SourceMessage {
  const parts = parseSegmentMessage(message.payload, message.topic);
  return { ...message, payload: encodeSegmentMessage({ ...parts, ...change(parts) }) };
}

function flipped(bytes: Uint8Array, at = bytes.length - 1): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

type Row = { readonly why: string; readonly message: () => SourceMessage | Promise<SourceMessage> };
/** Not authentic: quarantine, nothing stored, nothing acknowledged. */
const FORGED: readonly Row[] = [
  {
    why: "signed by another car of the same tenant",
    message: async () => {
      const other = await world.car("car-2");
      const { payload } = other.newLog().segment("state", [note("x")]);
      return car.message("state", payload);
    },
  },
  {
    why: "signed with a key that is enrolled nowhere",
    message: () => {
      const stranger = new Car("car-1", world.ingestKey.publicKey);
      return stranger.newLog().segment("state", [note("x")]);
    },
  },
  {
    why: "sent on another lane than its header says",
    message: () => car.message("track", log.segment("state", [note("x")]).payload),
  },
  {
    why: "over the connection of another car",
    message: () => ({
      ...log.segment("state", [note("x")]),
      certificate: { tenant: car.tenant, vehicle: vehicleId("car-2"), serial: "00" },
    }),
  },
  {
    why: "over the connection of another tenant's car",
    message: () => ({
      ...log.segment("state", [note("x")]),
      certificate: { tenant: tenantId("other"), vehicle: car.vehicle, serial: "00" },
    }),
  },
  {
    why: "with another body",
    message: () =>
      changed(log.segment("state", [note("x")]), ({ body }) => ({ body: flipped(body) })),
  },
  {
    why: "with a changed header",
    message: () =>
      changed(log.segment("state", [note("x")]), ({ header }) => ({ header: flipped(header, 40) })),
  },
  {
    why: "with a changed signature",
    message: () =>
      changed(log.segment("state", [note("x")]), ({ header }) => ({ header: flipped(header) })),
  },
  {
    why: "with the opening of another log of the car",
    message: () => {
      const other = car.newLog().segment("state", [note("y")]);
      const { opening } = parseSegmentMessage(other.payload, other.topic);
      return changed(log.segment("state", [note("x")]), () => ({ opening }));
    },
  },
  {
    why: "with an opening that names an ingest key there never was",
    message: () => {
      const odd = car.newLog();
      Object.assign(odd.opening, { ingestKeyVersion: 9 });
      return odd.segment("state", [note("x")]);
    },
  },
  {
    why: "with a root sealed to somebody else",
    message: () => car.newLog(sealKeyPair().publicKey).segment("state", [note("x")]),
  },
  { why: "no CBOR", message: () => car.message("state", new Uint8Array(100).fill(0xff)) },
  { why: "nothing", message: () => car.message("state", new Uint8Array()) },
  {
    why: "CBOR of something else",
    message: () => car.message("state", encodeCbor(["a", "b", null])),
  },
];
for (const { why, message } of FORGED) {
  test(`not believed: ${why}`, async () => {
    const forged = await message();
    await ingest.handle(forged);
    await ingest.close();
    assert.is(quarantined().length, 1);
    assert.equal(world.acks, []);
    assert.equal(await world.events("car-1"), []);
    // It never stops the rest.
    const good = car.newLog();
    await ingest.handle(good.segment("state", [note("good")]));
    await ingest.close();
    assert.equal(words(await world.events("car-1")), ["1 good"]);
    assert.is(world.acks.length, 1);
  });
}

test("another opening for a log that is open is not believed, though the car signed it", async () => {
  await ingest.handle(log.segment("state", [note("a")]));
  const again = log.segment("state", [note("b")]);
  const { sealedRoot } = car.newLog().opening;
  Object.assign(log.opening, { sealedRoot });
  await ingest.handle(log.segment("state", [note("c")]));
  assert.is(quarantined().length, 1);
  await ingest.handle(again);
  assert.equal(words(await world.events("car-1")), ["1 a", "2 b"]);
});

const DROPPED: readonly Row[] = [
  {
    why: "no such tenant",
    message: () => {
      const message = log.segment("state", [note("x")]);
      return { ...message, topic: { ...message.topic, tenant: tenantId("nobody") } };
    },
  },
  {
    why: "no such car",
    message: () =>
      new Car("car-9", world.ingestKey.publicKey).newLog().segment("state", [note("x")]),
  },
  {
    why: "P-01 a revoked car, through a source that sees no certificates",
    message: async () => {
      await enrol(world.store, car, Date.now());
      const { topic, payload } = log.segment("state", [note("x")]);
      return { topic, payload };
    },
  },
];
for (const { why, message } of DROPPED) {
  test(`dropped and counted, and kept nowhere: ${why}`, async () => {
    await ingest.handle(await message());
    await ingest.close();
    assert.equal([quarantined(), world.acks, await world.events("car-1")], [[], [], []]);
    assert.is(ingest.counts().dropped, 1);
  });
}

/** An event as a newer car would write it. */
function unknownEvent(): Uint8Array {
  const fields: [number, number][] = [
    [0, 1],
    [1, 0],
    [2, 0],
    [3, 60_000],
    [4, 0],
  ];
  return encodeCbor(new Map(fields));
}

const UNREADABLE: readonly { readonly why: string; readonly message: () => SourceMessage }[] = [
  {
    why: "an event of a kind that this version does not know",
    message: () => log.segment("state", [], { rows: [encodeEvent(note("a")), unknownEvent()] }),
  },
  {
    why: "an event that is no event",
    message: () =>
      log.segment("state", [], { rows: [Uint8Array.of(0xf6), encodeEvent(note("a"))] }),
  },
  {
    why: "an event that breaks the schema",
    message: () => {
      const fields = new Map([[0, encodeCbor("x")]]);
      return log.segment("state", [], { rows: [encodeCbor(fields), encodeCbor(fields)] });
    },
  },
  {
    why: "an event of another lane",
    message: () => {
      const { bootMs, wallOffsetMs, doubtMs } = note("x");
      const time = { bootMs, wallOffsetMs, doubtMs };
      const event = encodeEvent({ kind: "fault.cleared", data: { code: "x" }, ...time });
      return log.segment("state", [], { rows: [event, event] });
    },
  },
  {
    why: "rows under another key than the header says",
    message: () => {
      const row = encodeEvent(note("a"));
      const wrong = car.newLog();
      Object.assign(wrong, { log: log.log, root: wrong.root });
      const other = wrong.segment("state", [], { rows: [row, row] });
      const { body } = parseSegmentMessage(other.payload, other.topic);
      return log.segment("state", [note("a"), note("b")], { body });
    },
  },
];
for (const { why, message } of UNREADABLE) {
  test(`signed by the car and unreadable: kept whole, declared as a gap, acknowledged: ${why}`, async () => {
    const odd = message();
    await ingest.handle(odd);
    await ingest.handle(log.segment("state", [note("after")]));
    await ingest.close();
    assert.equal(words(await world.events("car-1")), ["gap 1-2", "3 after"]);
    assert.is(world.acks.at(-1)?.lanes[0]?.upTo, 2);
    const [entry] = world.store.quarantined(0, 10);
    assert.equal(entry?.payload, odd.payload);
    // Sent again, for an acknowledgement that was lost, it is not kept a second time.
    await ingest.handle(odd);
    await ingest.close();
    assert.is(quarantined().length, 1);
  });
}

test("what was unreadable fills its gap when it is handed in again and can be read", async () => {
  const short = await world.worker({ limits: { ratchetMax: 1 } });
  const segments = ["a", "b", "c"].map((text) => log.segment("state", [note(text)]));
  for (const segment of segments) await short.handle(segment);
  await short.close();
  assert.equal(words(await world.events("car-1")), ["1 a", "2 b", "gap 3-3"]);
  assert.is(world.acks.at(-1)?.lanes[0]?.upTo, 3);
  const [kept] = world.store.quarantined(0, 10);
  assert.ok(kept !== undefined);
  await ingest.handle({ topic: parseTopic(kept.topic), payload: kept.payload });
  assert.equal(words(await world.events("car-1")), ["1 a", "2 b", "3 c"]);
});

const OUTCOMES: readonly {
  why: string;
  aside: () => SourceMessage;
  before?: (message: SourceMessage) => Promise<unknown>;
  value: string;
  reason?: RegExp;
}[] = [
  {
    why: "what can be read by now",
    aside: () => log.segment("state", [note("a")]),
    value: "stored",
  },
  {
    why: "what came in by another way meanwhile",
    aside: () => log.segment("state", [note("a")]),
    before: (message) => ingest.handle(message),
    value: "duplicate",
  },
  {
    why: "what is still no segment",
    aside: () => car.message("state", Uint8Array.of(1)),
    value: "still",
    reason: /segment|CBOR/,
  },
  {
    why: "what is still unreadable",
    aside: () => log.segment("state", [], { rows: [unknownEvent()] }),
    value: "still",
    reason: /no kind/,
  },
  {
    why: "what lacks the opening of its log",
    aside: () => log.segment("state", [note("a")], { withOpening: false }),
    value: "waiting",
  },
];
for (const { why, aside, before, value, reason } of OUTCOMES) {
  test(`handed in again: ${why}`, async () => {
    const message = aside();
    await before?.(message);
    const held = world.store.quarantined(0, 100).length;
    const { store, ingestKey } = world;
    const tenant = { store, ingestKey: async () => ingestKey };
    const { topic, payload } = message;
    const outcome = await redrive({ topic, payload }, { tenant, clock: realClock });
    assert.is(outcome.value, value);
    if (reason !== undefined) assert.match("reason" in outcome ? outcome.reason : "", reason);
    assert.is(world.store.quarantined(0, 100).length, held, "it is not put aside twice");
  });
}

test("one car cannot fill the quarantine: what is above its bound is not kept, and not acknowledged", async () => {
  const small = await world.worker({ limits: { quarantineBurst: 3 } });
  for (let i = 0; i < 10; i += 1) await small.handle(car.message("state", Uint8Array.of(i)));
  await small.handle(log.segment("state", [], { rows: [unknownEvent()] }));
  await small.close();
  assert.is(quarantined().length, 3);
  assert.is(small.counts().refused, 8);
  assert.equal(world.acks, []);
  const other = await world.car("car-2");
  await small.handle(other.message("state", Uint8Array.of(1)));
  assert.is(quarantined().length, 4);
});

test("what waits for a key that is missing here is kept once, however often the car sends it", async () => {
  const odd = car.newLog();
  Object.assign(odd.opening, { ingestKeyVersion: 9 });
  const message = odd.segment("state", [note("x")]);
  for (let i = 0; i < 10; i += 1) await ingest.handle(message);
  const later = await world.worker();
  await later.handle(message);
  assert.equal(quarantined(), ["opening: no ingest key of version 9"]);
  assert.equal(world.acks, []);
});

test("what cannot be read is acknowledged only where there is room to keep it", async () => {
  const odd = log.segment("state", [], { rows: [unknownEvent()] });
  const row = fillQuarantine(world.dir, { count: 10_000, isOnlyCopy: true });
  await ingest.handle(odd);
  await ingest.handle(log.segment("state", [note("after")]));
  await ingest.close();
  assert.equal(words(await world.events("car-1")), ["2 after"]);
  assert.is(world.acks.at(-1)?.lanes[0]?.upTo, 0);
  assert.is(ingest.counts().refused, 1);
  assert.equal(
    world.store.alarms(0, 10).map(({ kind, vehicle }) => `${kind} ${vehicle}`),
    ["quarantine car-1"],
  );
  // Once there is room again it is taken, when the car sends it again.
  assert.ok(world.store.takeFromQuarantine(row, AUDIT));
  await ingest.handle(odd);
  await ingest.close();
  assert.equal(words(await world.events("car-1")), ["gap 1-1", "2 after"]);
  assert.is(world.acks.at(-1)?.lanes[0]?.upTo, 2);
});

test("any byte of a message may change, and nothing but the message suffers", async () => {
  const seed = Number(process.argv[2] ?? Date.now() % 1e9);
  const random = seeded(seed);
  const free = await world.worker({ limits: { quarantineBurst: 1e9 } });
  const message = log.segment("state", [note("a"), note("b")]);
  for (let i = 0; i < 300; i += 1) {
    const payload = flipped(message.payload, Math.floor(random() * message.payload.length));
    await free.handle({ ...message, payload });
  }
  await free.close();
  assert.equal(await world.events("car-1"), [], `seed ${seed}`);
  assert.equal(world.acks, [], `seed ${seed}`);
  await free.handle(message);
  assert.equal(words(await world.events("car-1")), ["1 a", "2 b"], `seed ${seed}`);
});

test.run();
