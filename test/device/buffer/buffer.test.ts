/** What the buffer promises: durable when it says so, numbered once, sent until acknowledged, readable by the tenant only. */
import { join } from "node:path";
import type { Buffer } from "@kerbside/buffer";
import { LANES, type Lane, ProtocolError, parseSegmentMessage, toHex } from "@kerbside/protocol";
import Database from "better-sqlite3";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ADDRESS } from "../../support/car-cloud.ts";
import { type Bench, bench, drain, note } from "./harness.ts";

let b: Bench;
let buffer: Buffer | undefined;
test.before.each(async () => {
  b = await bench();
});
test.after.each(async () => {
  await buffer?.close();
  b.remove();
});

/** Whether a promise has settled once what is queued has run. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let is = false;
  promise.then(
    () => {
      is = true;
    },
    () => {
      is = true;
    },
  );
  await new Promise((done) => setImmediate(done));
  return is;
}

const WINDOWS: readonly { why: string; lane: Lane; notYetMs: number; byMs: number }[] = [
  { why: "critical is committed at once", lane: "critical", notYetMs: 0, byMs: 0 },
  { why: "state within 250 ms", lane: "state", notYetMs: 150, byMs: 250 },
  { why: "track within its window", lane: "track", notYetMs: 1500, byMs: 2000 },
];
for (const { why, lane, notYetMs, byMs } of WINDOWS) {
  test(`durable in time: ${why}`, async () => {
    buffer = await b.open({ trackWindowMs: 2000 });
    const appended = buffer.append(note("x"), lane);
    if (notYetMs > 0) {
      b.clock.pass(notYetMs);
      assert.not(await settled(appended));
    }
    b.clock.pass(byMs - notYetMs);
    assert.ok(await settled(appended));
    assert.equal((await appended).seq, 1);
  });
}

test("a critical event takes along what waits", async () => {
  buffer = await b.open();
  const state = buffer.append(note("s"), "state");
  const track = buffer.append(note("t"), "track");
  await buffer.append(note("c"), "critical");
  assert.ok((await settled(state)) && (await settled(track)));
});

test("each lane counts from 1, in the order of appending, in each log", async () => {
  for (let boot = 0; boot < 3; boot += 1) {
    buffer = await b.open();
    const all = LANES.flatMap((lane) => [1, 2, 3].map((i) => buffer?.append(note(`${i}`), lane)));
    b.clock.pass(5000);
    const got = await Promise.all(all);
    assert.equal(
      got.map((a) => a?.seq),
      [1, 2, 3, 1, 2, 3, 1, 2, 3],
    );
    await buffer.close();
  }
  buffer = await b.open();
  drain(buffer, b.cloud);
  assert.is(b.cloud.logs().length, 3);
  assert.is(b.cloud.events().size, 27);
  b.cloud.checkChains();
});

test("logs name the log before, and whether it ended in order", async () => {
  buffer = await b.open();
  await buffer.append(note("1"), "critical");
  await buffer.close();
  buffer = await b.open();
  assert.ok(buffer.previousEndedCleanly);
  await buffer.append(note("2"), "critical");
  buffer.online(true);
  drain(buffer, b.cloud);
  const [first, second] = b.cloud.logs();
  assert.ok(first !== undefined && second !== undefined);
  const opening = b.cloud.openingOf(second);
  assert.is(toHex(opening.previousLog ?? new Uint8Array()), first);
  assert.ok(opening.previousEndedCleanly);
});

test("critical goes first, then the newest state, then the backlog", async () => {
  buffer = await b.open({ limits: { segmentEventsMax: 1 } });
  for (const text of ["1", "2", "3"]) {
    for (const lane of ["track", "state", "critical"] as const)
      void buffer.append(note(text), lane);
  }
  b.clock.pass(5000);
  buffer.online(true);
  const skip = new Set<number>();
  const order: string[] = [];
  for (let newest = true; ; ) {
    const segment = buffer.next({ skip, newestStateFirst: newest });
    if (segment === undefined) break;
    if (segment.lane === "state") newest = false;
    skip.add(segment.key);
    b.cloud.take(segment.message);
    const at = [...b.cloud.events().values()].at(-1);
    order.push(`${segment.lane[0]}${at?.kind === "diagnostic.note" ? at.data.note : ""}`);
  }
  assert.equal(order, ["c1", "c2", "c3", "s3", "s1", "s2", "t1", "t2"]);
});

test("a segment closes by count, size and, while somebody sends, by age", async () => {
  buffer = await b.open({ limits: { segmentEventsMax: 10, segmentBytesMax: 5000 } });
  const held = (): number => buffer?.status().segments.state ?? -1;
  for (let i = 0; i < 11; i += 1) void buffer.append(note("x"), "state");
  b.clock.pass(300);
  assert.is(held(), 1, "by count");
  for (let i = 0; i < 3; i += 1) void buffer.append(note("y".repeat(2000)), "state");
  b.clock.pass(300);
  assert.is(held(), 2, "by size");
  b.clock.pass(60_000);
  assert.is(held(), 2, "not by age while nobody sends");
  buffer.online(true);
  assert.is(held(), 3, "at once when somebody comes to send");
  void buffer.append(note("z"), "state");
  b.clock.pass(250);
  assert.is(held(), 3);
  b.clock.pass(2000);
  assert.is(held(), 4, "by age");
});

test("closed segments travel as columns where that is shorter, and keep no rows on the disk", async () => {
  buffer = await b.open();
  for (let i = 0; i < 60; i += 1) {
    const latitude = (52_520_000 + 110 * i) / 1e6;
    void buffer.append({
      kind: "position.sampled",
      data: { latitude, longitude: 13.4, speedKmh: 50 },
    });
    b.clock.pass(1000);
  }
  b.clock.pass(5000);
  const rows = buffer.status().bytes;
  buffer.online(true);
  b.clock.pass(60_000);
  assert.ok(buffer.status().bytes * 4 < rows, `${buffer.status().bytes} of ${rows}`);
  const db = new Database(join(b.dir, "agent.sqlite"), { readonly: true });
  assert.is(db.prepare("SELECT count(*) FROM rows").pluck().get(), 0);
  db.close();
  drain(buffer, b.cloud, false);
  const [log] = b.cloud.logs();
  assert.is(b.cloud.lane(log ?? "", "track").get(1)?.header.codec, "columns");
  assert.is(b.cloud.events().size, 60);
});

test("the opening travels until an acknowledgement covers it", async () => {
  buffer = await b.open();
  buffer.online(true);
  const opened = (): boolean[] => {
    const skip = new Set<number>();
    const out: boolean[] = [];
    for (;;) {
      const segment = buffer?.next({ skip, newestStateFirst: false });
      if (segment === undefined) return out;
      skip.add(segment.key);
      out.push(parseSegmentMessage(segment.message, ADDRESS).opening !== undefined);
    }
  };
  await buffer.append(note("1"), "critical");
  await buffer.append(note("2"), "critical");
  assert.equal(opened(), [true, true]);
  drain(buffer, b.cloud);
  await buffer.append(note("3"), "critical");
  assert.equal(opened(), [false]);
});

test("bad events are refused before anything happens to them", async () => {
  buffer = await b.open();
  const rows: readonly { why: string; event: Parameters<Buffer["append"]>[0] }[] = [
    {
      why: "latitude beyond the pole",
      event: { kind: "vehicle.parked", data: { latitude: 91, longitude: 0 } },
    },
    { why: "note too long", event: note("x".repeat(5000)) },
  ];
  for (const { why, event } of rows) {
    const error = await buffer.append(event).catch((e: unknown) => e);
    assert.ok(error instanceof ProtocolError && error.code === "malformed", why);
  }
  assert.is((await buffer.append(note("good"), "critical")).seq, 1);
});

test("a second writer is refused while the first lives", async () => {
  buffer = await b.open();
  const error = await b.open().catch((e: unknown) => e);
  assert.ok(error instanceof ProtocolError && error.code === "conflict");
  await buffer.close();
  buffer = await b.open();
});

test("after close nothing is taken, and what waited is committed", async () => {
  buffer = await b.open();
  const waiting = buffer.append(note("w"), "track");
  await buffer.close();
  assert.is((await waiting).seq, 1);
  const error = await buffer.append(note("late")).catch((e: unknown) => e);
  assert.ok(error instanceof ProtocolError && error.code === "unavailable");
  buffer = await b.open();
  drain(buffer, b.cloud);
  assert.is(b.cloud.events().size, 1);
});

test.run();
