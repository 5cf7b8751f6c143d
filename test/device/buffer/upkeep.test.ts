/** What a buffer does about itself: what is too old is declared as gone, and an empty file becomes small. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { type Buffer, type BufferOptions, inspectBuffer } from "@kerbside/buffer";
import { type EventTime, LANES, type Lane, randomBytes, verifyKey } from "@kerbside/protocol";
import Database from "better-sqlite3";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { silentLog } from "../../support/runtime.ts";
import { type Bench, bench, drain, note } from "./harness.ts";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
let b: Bench;
let buffer: Buffer;
let doubtMs: number;
/** Trusted time at the boot of the car. */
let wallOffsetMs: number;
test.before.each(async () => {
  b = await bench();
  doubtMs = 1000;
  wallOffsetMs = 1_790_000_000_000;
});
test.after.each(async () => {
  await buffer.close();
  b.remove();
});

const time = (): EventTime => ({ bootMs: b.clock.bootMs(), wallOffsetMs, doubtMs });
const open = async (options: Partial<BufferOptions> = {}): Promise<void> => {
  buffer = await b.open({
    time,
    limits: {
      segmentEventsMax: 10,
      ageMsMax: { critical: 100 * DAY_MS, state: 10 * DAY_MS, track: 5 * DAY_MS },
    },
    ...options,
  });
};

async function put(lane: Lane, count: number): Promise<void> {
  const all = Array.from({ length: count }, (_, i) => buffer.append(note("x", i), lane));
  b.clock.pass(1000);
  await Promise.all(all);
}

/** Lets time pass, with an event of `critical` every two hours, as a parked car may have. */
async function live(days: number): Promise<void> {
  for (let turn = 0; turn < 12 * days; turn += 1) {
    b.clock.pass(DAY_MS / 12);
    await put("critical", 1);
  }
}

/** Has all of it arrive, what stands in open segments too. */
async function deliver(): Promise<void> {
  await buffer.close();
  await open();
  drain(buffer, b.cloud);
}

/** Events that arrive, and numbers that are declared as gone. */
function arrived(lane: Lane): readonly [events: number, gone: number] {
  let [events, gone] = [0, 0];
  for (const log of b.cloud.logs()) {
    for (const { header, events: found } of b.cloud.lane(log, lane).values()) {
      if (header.codec === "gap") gone += header.count;
      else events += found.length;
    }
  }
  return [events, gone];
}

test("how long the oldest is held can be seen", async () => {
  await open();
  await put("track", 40);
  await live(0.5);
  const reports = inspectBuffer(b.dir, verifyKey(b.cloud.signingKey.publicKey));
  const since = reports.find(({ lane }) => lane === "track")?.heldSinceMs ?? 0;
  assert.ok(since > wallOffsetMs && since <= wallOffsetMs + 0.3 * DAY_MS, String(since));
  assert.is(buffer.status().heldSinceMs, since, "the running buffer says the same");
  await deliver();
  assert.is(buffer.status().heldSinceMs, undefined, "nothing is held");
});

test("what is older than its lane may be is declared as gone, and nothing else", async () => {
  await open();
  for (const lane of LANES) await put(lane, 40);
  await live(4);
  await put("track", 40);
  await live(2);
  assert.ok(buffer.status().lost >= 40);
  await deliver();
  assert.equal(arrived("track"), [40, 40]);
  assert.equal(arrived("state")[1], 0);
  assert.equal(arrived("critical")[1], 0);
});

test("a segment that is open closes after six hours in a car that says nothing and is not connected", async () => {
  await open();
  await put("state", 1);
  await put("track", 1);
  b.clock.pass(6 * 3_600_000 - 2000);
  assert.equal(buffer.status().segments, { critical: 0, state: 0, track: 0 }, "still growing");
  b.clock.pass(2000);
  assert.equal(buffer.status().segments, { critical: 0, state: 1, track: 1 });
});

test("what has become too old is declared as gone in a car that says nothing and is not connected", async () => {
  await open();
  await put("track", 40);
  b.clock.pass(5 * DAY_MS);
  assert.is(buffer.status().lost, 0);
  // The last segment was open for six hours, and a mark speaks of it an hour later.
  b.clock.pass(8 * 3_600_000);
  assert.is(buffer.status().lost, 40);
  await deliver();
  assert.equal(arrived("track"), [0, 40]);
});

test("what is too old is given up four segments at a time, and appends go on in between", async () => {
  const steps: unknown[] = [];
  const warn: typeof silentLog.warn = (code, fields) => {
    if (code === "buffer.old") steps.push(fields?.["count"]);
  };
  await open({ log: { ...silentLog, warn } });
  await put("track", 400);
  await live(4);
  assert.equal(steps, []);
  wallOffsetMs += 2 * DAY_MS;
  const untilMs = b.clock.bootMs() + DAY_MS / 24;
  while (steps.length === 0 && b.clock.bootMs() < untilMs) b.clock.pass(50);
  for (let given = 1; given <= 10; given += 1) {
    assert.equal(steps, Array<number>(given).fill(40));
    await buffer.append(note("x"), "critical");
    assert.is(steps.length, given, "an append waits for none of them");
    b.clock.pass(50);
  }
  assert.is(steps.length, 10, "all of it is gone");
});

test("ages hold over restarts, and over years that the car was away", async () => {
  await open();
  await put("track", 40);
  await live(1);
  await buffer.close();
  wallOffsetMs += 3 * DAY_MS;
  await open();
  await put("track", 20);
  await live(0.5);
  assert.is(buffer.status().lost, 0);
  await buffer.close();
  wallOffsetMs += 20 * DAY_MS;
  await open();
  await live(1);
  drain(buffer, b.cloud);
  assert.equal(arrived("track")[1], 60);
});

const CLOCKS: readonly { why: string; jumpMs: number; doubtMs: number }[] = [
  {
    why: "the time is not known, and ten years ahead",
    jumpMs: 3650 * DAY_MS,
    doubtMs: 3650 * DAY_MS,
  },
  { why: "ten years back", jumpMs: -3650 * DAY_MS, doubtMs: 1000 },
  { why: "1970", jumpMs: -1_790_000_000_000, doubtMs: 1000 },
  { why: "less ahead than its own doubt", jumpMs: 4.5 * DAY_MS, doubtMs: 0.9 * DAY_MS },
];
for (const row of CLOCKS) {
  test(`a clock that jumps makes nothing old: ${row.why}`, async () => {
    await open();
    await put("track", 40);
    await live(1);
    wallOffsetMs += row.jumpMs - DAY_MS;
    doubtMs = row.doubtMs;
    await live(1);
    await deliver();
    assert.equal(arrived("track"), [40, 0]);
  });
}

test("without trusted time nothing is old, however long it takes", async () => {
  buffer = await b.open({ limits: { ageMsMax: { critical: 1, state: 1, track: 1 } } });
  await put("track", 40);
  await live(2);
  await deliver();
  assert.equal(arrived("track"), [40, 0]);
});

const fileBytes = (): number => statSync(join(b.dir, "agent.sqlite")).size;

test("after a backlog the file becomes small again, while events come in, and loses none of them", async () => {
  await open();
  const big = (): ReturnType<typeof note> =>
    note(Buffer.from(randomBytes(3000)).toString("base64"));
  for (let i = 0; i < 50; i += 1) {
    const all = Array.from({ length: 100 }, () => buffer.append(big(), "state"));
    b.clock.pass(1000);
    await Promise.all(all);
  }
  assert.ok(fileBytes() > 8e6, `${fileBytes()} bytes`);
  await deliver();
  // Above a mebibyte of what is held nothing is copied, however much is free: an append would wait for it.
  await Promise.all([
    ...Array.from({ length: 400 }, () => buffer.append(big(), "state")),
    b.clock.pass(1000),
  ]);
  for (let minutes = 0; minutes < 3; minutes += 1) {
    b.clock.pass(MINUTE_MS);
    await put("state", 1);
  }
  assert.ok(fileBytes() > 8e6, `${fileBytes()} bytes`);
  await deliver();
  const stored = arrived("state")[0];
  await put("state", 30);
  b.clock.pass(MINUTE_MS);
  await put("state", 1);
  b.clock.pass(MINUTE_MS);
  await put("state", 1);
  assert.ok(fileBytes() < 2e6, `${fileBytes()} bytes`);
  await deliver();
  assert.is(arrived("state")[0], stored + 32);
  const db = new Database(join(b.dir, "agent.sqlite"), { readonly: true });
  assert.is(db.pragma("integrity_check", { simple: true }), "ok");
  db.close();
});

test("a database of before is taken over with what it holds", async () => {
  await open();
  await put("state", 25);
  await buffer.close();
  const db = new Database(join(b.dir, "agent.sqlite"));
  db.exec("DROP TABLE marks");
  db.pragma("user_version = 1");
  db.close();
  const [before] = inspectBuffer(b.dir, verifyKey(b.cloud.signingKey.publicKey));
  assert.is(before?.count, 25);
  assert.is(before?.heldSinceMs, undefined);
  await open();
  await deliver();
  assert.equal(arrived("state"), [25, 0]);
});

test.run();
