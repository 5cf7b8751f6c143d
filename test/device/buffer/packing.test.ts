/** Big segments become columns between appends; what is acknowledged waits for a commit that somebody waits for. */
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Buffer } from "@kerbside/buffer";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Bench, drain, note, onlineEach } from "./harness.ts";

/** More than are packed in the commit that closes them. */
const BIG = 200;
const CLOSED_AFTER_MS = 20_000;

let b: Bench;
let buffer: Buffer;
onlineEach(
  test,
  (made, opened) => {
    [b, buffer] = [made, opened];
  },
  () => ({ b, buffer }),
);

/** Appends events on `track` without letting time go on; returns when all are durable. */
async function appendBig(count = BIG): Promise<void> {
  const all = Array.from({ length: count }, (_, i) => buffer.append(note("big", i), "track"));
  b.clock.pass(1000);
  await Promise.all(all);
}

/** Lets time go on bit by bit until the segment has come of age, and no further. */
function untilClosed(): void {
  const before = buffer.status().segments.track;
  for (let ms = 0; ms < CLOSED_AFTER_MS; ms += 10) {
    b.clock.pass(10);
    if (buffer.status().segments.track > before) return;
  }
  throw new Error("the segment did not close");
}

/** Steps of packing follow each other with no time between: they end at the next moment at the latest. */
function untilPacked(): void {
  b.clock.pass(1);
}

const next = (): ReturnType<Buffer["next"]> =>
  buffer.next({ skip: new Set(), newestStateFirst: false });
const codecs = (): readonly string[] =>
  b.cloud
    .logs()
    .flatMap((log) => [...b.cloud.lane(log, "track").values()])
    .map(({ header }) => header.codec);

/** The files as they are now, for another buffer: what a power cut leaves, at best. */
function crashed(): string {
  const dir = join(b.dir, "crashed");
  mkdirSync(dir);
  for (const name of ["agent.sqlite", "agent.sqlite-wal"])
    copyFileSync(join(b.dir, name), join(dir, name));
  return dir;
}

test("a big segment goes out once, as columns", async () => {
  await appendBig();
  untilClosed();
  untilPacked();
  assert.is(drain(buffer, b.cloud), 1);
  assert.equal(codecs(), ["columns"]);
  assert.is(b.cloud.events().size, BIG);
  b.cloud.checkChains();
});

test("the listener hears when it can be sent", async () => {
  await appendBig();
  let offered: unknown;
  buffer.watch(() => {
    offered ??= next();
  });
  untilClosed();
  untilPacked();
  assert.ok(offered !== undefined);
});

test("what could not be packed before the next one closed is sent as rows", async () => {
  const small = await b.open({ dir: join(b.dir, "small"), limits: { segmentEventsMax: 100 } });
  const all = Array.from({ length: 250 }, (_, i) => small.append(note("burst", i), "track"));
  b.clock.pass(1000);
  await Promise.all(all);
  await small.close();
  const again = await b.open({ dir: join(b.dir, "small") });
  drain(again, b.cloud);
  assert.equal(codecs(), ["rows", "columns", "columns"]);
  assert.is(b.cloud.events().size, 250);
  b.cloud.checkChains();
  await again.close();
});

test("whatever listens, and after a crash before it was packed, no number goes out in two forms", async () => {
  await appendBig();
  const outcomes: string[] = [];
  let copy: string | undefined;
  buffer.watch(() => {
    const segment = next();
    // The first call comes when it is closed, before any step of packing.
    copy ??= crashed();
    outcomes.push(segment === undefined ? "nothing yet" : b.cloud.take(segment.message));
  });
  untilClosed();
  untilPacked();
  assert.equal(outcomes, ["nothing yet", "stored"]);
  assert.equal(codecs(), ["columns"]);
  const early = await b.open(copy === undefined ? {} : { dir: copy });
  const asRows = early.next({ skip: new Set(), newestStateFirst: false });
  assert.ok(asRows !== undefined, "after the crash, the rows are what there is");
  await early.close();
});

test("what is acknowledged is forgotten with the next commit, and without one after a second", async () => {
  await buffer.append(note("one", 1), "critical");
  drain(buffer, b.cloud);
  assert.is(buffer.status().segments.critical, 0);
  const crash = await b.open({ dir: crashed() });
  assert.is(crash.status().segments.critical, 1, "not yet durable: it is only sent once more");
  await crash.close();
  b.clock.pass(1001);
  copyFileSync(join(b.dir, "agent.sqlite-wal"), join(b.dir, "crashed", "agent.sqlite-wal"));
  copyFileSync(join(b.dir, "agent.sqlite"), join(b.dir, "crashed", "agent.sqlite"));
  const later = await b.open({ dir: join(b.dir, "crashed") });
  assert.is(later.status().segments.critical, 0);
  await later.close();
});

test.run();
