/** A buffer that is full: track gives way first, then state; critical has a reserve; nothing is lost in silence. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Buffer } from "@kerbside/buffer";
import { type Lane, ProtocolError, randomBytes } from "@kerbside/protocol";
import Database from "better-sqlite3";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Bench, bench, drain, note } from "./harness.ts";

const LIMITS = {
  bytesMax: 200_000,
  criticalReserveBytes: 40_000,
  segmentEventsMax: 10,
  segmentBytesMax: 20_000,
};
let b: Bench;
let buffer: Buffer;
test.before.each(async () => {
  b = await bench();
  buffer = await b.open({ limits: LIMITS });
});
test.after.each(async () => {
  await buffer.close();
  b.remove();
});

/** Appends so many events of about 1 KB, which no compression makes shorter; returns how many were taken. */
async function fill(lane: Lane, count: number): Promise<number> {
  let taken = 0;
  for (let i = 0; i < count; i += 1) {
    const appended = buffer.append(note(Buffer.from(randomBytes(900)).toString("base64"), i), lane);
    b.clock.pass(5000);
    const error = await appended.then(
      () => undefined,
      (e: unknown) => e,
    );
    if (error === undefined) taken += 1;
    else assert.ok(error instanceof ProtocolError && error.code === "limit_reached");
  }
  return taken;
}

/** Numbers of a lane that arrived and that were declared as gone. */
function arrived(lane: Lane): { events: number; gone: number } {
  let events = 0;
  let gone = 0;
  for (const log of b.cloud.logs()) {
    for (const { header, events: found } of b.cloud.lane(log, lane).values()) {
      if (header.codec === "gap") gone += header.count;
      else events += found.length;
    }
  }
  return { events, gone };
}

test("track gives way to state, the oldest first, and every number is accounted for", async () => {
  await fill("track", 150);
  await fill("state", 100);
  assert.ok(buffer.status().bytes <= LIMITS.bytesMax);
  await buffer.close();
  buffer = await b.open();
  drain(buffer, b.cloud);
  b.cloud.checkChains();
  const track = arrived("track");
  assert.is(track.events + track.gone, 150);
  assert.ok(track.gone >= 80, `${track.gone} gone`);
  assert.equal(arrived("state"), { events: 100, gone: 0 });
  const [log] = b.cloud.logs();
  const numbers = [...b.cloud.lane(log ?? "", "track").values()].sort(
    (x, y) => x.header.number - y.header.number,
  );
  const firstKept = numbers.findIndex(({ header }) => header.codec !== "gap");
  assert.ok(
    numbers.slice(firstKept).every(({ header }) => header.codec !== "gap"),
    "oldest first",
  );
});

test("critical finds room when the rest is full, and pushes out the rest in order", async () => {
  await fill("track", 100);
  await fill("state", 100);
  assert.is(await fill("critical", 150), 150);
  await buffer.close();
  buffer = await b.open();
  drain(buffer, b.cloud);
  b.cloud.checkChains();
  assert.is(arrived("critical").gone, 0);
  const { events, gone } = arrived("state");
  assert.is(events + gone, 100);
  assert.ok(arrived("track").events < 20 && events < 60);
  const faults = [...b.cloud.events().values()].filter((event) => event.kind === "fault.raised");
  assert.ok(
    faults.some((event) => event.kind === "fault.raised" && event.data.code === "buffer.full"),
  );
});

test("where critical fills everything, others are refused and told so", async () => {
  assert.is(await fill("critical", 180), 180);
  assert.is(await fill("state", 5), 0);
  assert.is(await fill("critical", 1), 1);
});

test("a dropped segment that the store has already is no loss and no fork of the chain", async () => {
  buffer.online(true);
  await fill("track", 10);
  drain(buffer, b.cloud, false);
  const before = arrived("track").events;
  await fill("state", 160);
  await buffer.close();
  buffer = await b.open();
  const [log] = b.cloud.logs();
  drain(buffer, b.cloud);
  assert.is(arrived("track").events, before);
  for (const name of b.cloud.logs()) buffer.acknowledge(b.cloud.ackOf(name));
  assert.is(buffer.status().segments.track, 0);
  assert.ok(log !== undefined);
});

/** Works on the file itself, with nobody else in it. */
function inFile<T>(work: (db: InstanceType<typeof Database>) => T): T {
  const db = new Database(join(b.dir, "agent.sqlite"));
  try {
    return work(db);
  } finally {
    db.close();
  }
}
const logsHeld = (): unknown =>
  inFile((db) => db.prepare("SELECT count(*) FROM logs").pluck().get());
const asides = (): string[] => readdirSync(b.dir).filter((name) => name.startsWith("set-aside-"));

test("logs that hold nothing do not add up over restarts of a car that is not connected", async () => {
  await buffer.append(note("held"), "critical");
  for (let start = 0; start < 12; start += 1) {
    await buffer.close();
    assert.is(logsHeld(), start === 0 ? 1 : 2, "the one that holds an event, and the newest");
    buffer = await b.open({ limits: LIMITS });
  }
  assert.ok(buffer.previousEndedCleanly);
  drain(buffer, b.cloud);
  assert.equal(arrived("critical"), { events: 1, gone: 0 });
});

test("with more logs than there are slots the oldest gives way, all others are still held, and it is said", async () => {
  await Promise.all([1, 2, 3].map((n) => buffer.append(note("x", n), "critical")));
  await buffer.close();
  const slots = 2 ** 15 - 1;
  inFile((db) => {
    const copies = "WITH RECURSIVE n(s) AS (SELECT 2 UNION ALL SELECT s + 1 FROM n WHERE s < ?)";
    db.prepare(
      `INSERT INTO logs ${copies} SELECT s, randomblob(16), opening, ack_key, 1, clean, started + s
       FROM n, logs WHERE slot = 1`,
    ).run(slots);
    db.prepare(
      `INSERT INTO lanes ${copies} SELECT s, lane, number, seq, hash FROM n, lanes WHERE slot = 1`,
    ).run(slots);
    db.prepare(
      `INSERT INTO segments ${copies} SELECT place + (s - 1) * ${2 ** 36}, first, count, bytes, state, hash,
       replaced, header, body FROM n, segments WHERE place < ${2 ** 37}`,
    ).run(slots);
  });
  buffer = await b.open();
  await buffer.append(note("new"), "critical");
  assert.is(buffer.status().state, "working");
  assert.is(buffer.status().lost, 3);
  assert.equal(asides(), [], "a lack of slots is not damage");
  // The segment of the newest stays open while nobody sends.
  assert.is(buffer.status().segments.critical, slots - 1);
  await buffer.close();
  assert.is(logsHeld(), slots);
});

test("a store that stays silent for hours leaves few headers behind, and what is new is taken still", async () => {
  buffer.online(true);
  const refused: unknown[] = [];
  for (let n = 0; n < 1200; n += 1) {
    const appended = buffer.append(note("a position", n), "track").catch((e) => refused.push(e));
    b.clock.pass(11_000);
    await appended;
  }
  assert.equal(refused, []);
  const { segments, bytes } = buffer.status();
  assert.ok(segments.track < 200, `${segments.track} segments`);
  assert.ok(bytes <= LIMITS.bytesMax);
  // Once the store answers again segments close as they did, so that nothing waits.
  drain(buffer, b.cloud);
  drain(buffer, b.cloud);
  const now = buffer.append(note("now"), "track");
  b.clock.pass(1000);
  await now;
  // It is made columns of after it was closed, a moment at a time.
  for (let turn = 0; turn < 130; turn += 1) {
    b.clock.pass(100);
    await new Promise((done) => setImmediate(done));
  }
  assert.ok(drain(buffer, b.cloud) > 0, "within some ten seconds");
});

test.run();
