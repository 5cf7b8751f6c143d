/** Processes that share a store, die in the middle of it, and what is there afterwards. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { fromHex, ProtocolError, toHex } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { allEvents, CAR } from "../../conformance/car-log.ts";
import { freshSeed, randomOf } from "../../fuzz/random.ts";
import { needs } from "../../support/debian.ts";
import { type TestRegistry, testRegistry } from "../../support/tenant-engine.ts";

const COMMITTER = fileURLToPath(new URL("./commit-process.ts", import.meta.url));
const ROUNDS = 6;
const EVENTS_A_SEGMENT = 20;

type Committer = {
  readonly child: ChildProcess;
  /** Hexadecimal, once it has said so. */
  readonly log: () => string;
  /** Segments it has reported as stored. */
  readonly stored: () => number;
  readonly lines: AsyncIterable<string>;
};

function startCommitter(
  files: TestRegistry,
  count: number,
  before: readonly string[] = [],
): Committer {
  const args = [
    ...before,
    process.execPath,
    COMMITTER,
    files.dir,
    toHex(files.masterKey),
    `${count}`,
  ];
  const [program = "", ...rest] = args;
  const child = spawn(program, rest, { stdio: ["ignore", "pipe", "inherit"] });
  let log = "";
  let stored = 0;
  const reader = createInterface({ input: child.stdout });
  reader.on("line", (line) => {
    if (line.startsWith("log ")) log = line.slice(4);
    else stored = Number(line);
  });
  return { child, log: () => log, stored: () => stored, lines: reader };
}

async function storeOf(files: TestRegistry) {
  const tenant = await files.registry.tenant("demo");
  if (tenant === undefined) throw new ProtocolError("not_found", "demo");
  return tenant.store;
}

test("a writer killed in the middle loses nothing that it reported, and leaves no half", async () => {
  const random = randomOf(freshSeed());
  process.stdout.write(`seed ${random.seed}\n`);
  const files = await testRegistry();
  await files.create("demo");
  const store = await storeOf(files);
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const writer = startCommitter(files, 1_000_000);
      const target = 5 + random.int(60);
      for await (const line of writer.lines) if (Number(line) >= target) break;
      writer.child.kill("SIGKILL");
      await once(writer.child, "close");
      const events = (await allEvents(store)).filter((line) => line.includes(writer.log()));
      const { length } = events;
      assert.is(length % EVENTS_A_SEGMENT, 0, "a segment is there whole or not at all");
      assert.ok(length >= EVENTS_A_SEGMENT * writer.stored(), "what was reported is there");
      assert.is(new Set(events).size, length, "nothing is there twice");
      const [mark] = await store.marks(CAR, fromHex(writer.log()));
      assert.is(mark?.upTo, length / EVENTS_A_SEGMENT, "marks and events stand or fall together");
      assert.equal(store.verifyAudit().problems, []);
    }
  } finally {
    await files.close();
  }
});

test("two processes write to one store at the same time", async () => {
  const files = await testRegistry();
  await files.create("demo");
  try {
    const writers = [startCommitter(files, 40), startCommitter(files, 40)];
    const codes = await Promise.all(
      writers.map(async ({ child }) => (await once(child, "close"))[0]),
    );
    assert.equal(codes, [0, 0]);
    const store = await storeOf(files);
    assert.is((await allEvents(store)).length, 2 * 40 * EVENTS_A_SEGMENT);
    const report = store.verifyAudit();
    assert.equal(report, { entries: 80, unanchored: 0, problems: [] });
    const feed = await store.feed(0, 1000);
    assert.is(feed.length, 80);
    for (const [i, { cursor }] of feed.entries()) assert.is(cursor, i + 1, "no cursor is left out");
  } finally {
    await files.close();
  }
});

needs("strace")("each commit is forced to the disk before it is reported", async () => {
  const files = await testRegistry();
  await files.create("demo");
  try {
    const trace = join(files.dir, "trace");
    const strace = ["strace", "-f", "-qq", "-y", "-e", "trace=fsync,fdatasync", "-o", trace];
    const commits = 20;
    const writer = startCommitter(files, commits, strace);
    const [code] = await once(writer.child, "close");
    assert.is(code, 0);
    const synced = readFileSync(trace, "utf8").split("\n");
    const ofStore = synced.filter((line) => line.includes("store.sqlite-wal")).length;
    // Each round is a commit of events and one of the audit trail.
    assert.ok(ofStore >= 2 * commits, `${ofStore} syncs of the log for ${2 * commits} commits`);
    const anchors = synced.filter((line) => line.includes("anchors.sqlite-wal")).length;
    assert.ok(anchors >= commits, `${anchors} syncs of the anchors for ${commits} heads`);
  } finally {
    await files.close();
  }
});

test.run();
