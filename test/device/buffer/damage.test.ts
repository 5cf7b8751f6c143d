/** A database that is not what it was: set aside whole, reported, and the buffer works on. */
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Buffer } from "@kerbside/buffer";
import Database from "better-sqlite3";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { randomOf } from "../../fuzz/random.ts";
import { root } from "../../house/sources.ts";
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

const file = (suffix = ""): string => join(b.dir, `agent.sqlite${suffix}`);

/** Leaves the files as a crash would: a copy of them while they are open. */
async function crashed(events: number, then?: "checkpointed"): Promise<void> {
  buffer = await b.open();
  for (let i = 0; i < events; i += 1) await buffer.append(note("x", i), "critical");
  if (then !== undefined) {
    const other = new Database(file());
    other.pragma("wal_checkpoint(FULL)");
    other.close();
  }
  const copy = join(b.dir, "copy");
  mkdirSync(copy);
  for (const suffix of ["", "-wal"]) copyFileSync(file(suffix), join(copy, `db${suffix}`));
  await buffer.close();
  for (const suffix of ["", "-wal"]) copyFileSync(join(copy, `db${suffix}`), file(suffix));
  rmSync(file("-shm"), { force: true });
  rmSync(copy, { recursive: true });
}

function flip(suffix: string, at: number): void {
  const content = readFileSync(file(suffix));
  content[at] = (content[at] ?? 0) ^ 4;
  writeFileSync(file(suffix), content);
}

const asides = (): string[] => readdirSync(b.dir).filter((name) => name.startsWith("set-aside-"));

/** The buffer works, and says in an event that something was set aside. */
async function worksAndReports(): Promise<void> {
  buffer = await b.open();
  assert.is(asides().length, 1);
  buffer.online(true);
  await buffer.append(note("after"), "critical");
  drain(buffer, b.cloud);
  const codes = [...b.cloud.events().values()].flatMap((event) =>
    event.kind === "fault.raised" ? [event.data.code] : [],
  );
  assert.equal(codes, ["buffer.set_aside"]);
}

test("a crash alone damages nothing", async () => {
  await crashed(5);
  buffer = await b.open();
  assert.not(buffer.previousEndedCleanly);
  assert.equal(asides(), []);
  drain(buffer, b.cloud);
  assert.is(b.cloud.events().size, 5);
  b.cloud.checkChains();
});

const DAMAGE: readonly { why: string; harm: () => void }[] = [
  { why: "the write-ahead log is gone", harm: () => rmSync(file("-wal")) },
  { why: "the write-ahead log is empty", harm: () => truncateSync(file("-wal"), 0) },
  { why: "the write-ahead log begins with another bit", harm: () => flip("-wal", 17) },
  { why: "a bit of an early commit in it", harm: () => flip("-wal", 32 + 24 + 3000) },
  { why: "the main file is gone", harm: () => rmSync(file()) },
  { why: "the main file is empty", harm: () => truncateSync(file(), 0) },
  {
    why: "the main file is text",
    harm: () => writeFileSync(file(), "not a database, at all\n".repeat(400)),
  },
  {
    why: "the main file is cut in half",
    harm: () => truncateSync(file(), statSync(file()).size >> 1),
  },
];
for (const { why, harm } of DAMAGE) {
  test(`set aside and reported: ${why}`, async () => {
    await crashed(5);
    harm();
    await worksAndReports();
  });
}

test("a torn end of the write-ahead log is a power cut, and no damage", async () => {
  await crashed(5);
  truncateSync(file("-wal"), statSync(file("-wal")).size - 4000);
  buffer = await b.open();
  assert.equal(asides(), []);
  drain(buffer, b.cloud);
  b.cloud.checkChains();
});

test("what two commits leave whose flushes failed, and then the power, is no damage", async () => {
  await crashed(5);
  const wal = readFileSync(file("-wal"));
  const frameBytes = 24 + 4096;
  // Each try was written over the one before, and sectors of both were kept: no frame goes on from the one before it.
  const torn = Array.from({ length: 5 }, (_, index) => {
    const frame = Buffer.from(wal.subarray(32, 32 + frameBytes));
    frame.writeUInt32BE(index === 2 || index === 4 ? 8 : 0, 4);
    frame.fill(index + 1, 16, 24);
    return frame;
  });
  writeFileSync(file("-wal"), Buffer.concat([wal, ...torn]));
  buffer = await b.open();
  assert.equal(asides(), []);
  drain(buffer, b.cloud);
  assert.is(b.cloud.events().size, 5);
  b.cloud.checkChains();
});

/** The write-ahead log begins anew: its header is written over the old one, and the machine dies after `bytes` of it. */
function tearHeader(bytes: number): void {
  const wal = readFileSync(file("-wal"));
  const header = Buffer.from(wal.subarray(0, 32));
  // As SQLite does (walRestartHdr): one checkpoint more, the first salt counted on, the second drawn, the sums of these.
  header.writeUInt32BE((wal.readUInt32BE(12) + 1) >>> 0, 12);
  header.writeUInt32BE((wal.readUInt32BE(16) + 1) >>> 0, 16);
  for (let at = 20; at < 32; at += 1) header[at] = ~(wal[at] ?? 0) & 255;
  header.copy(wal, 0, 0, bytes);
  writeFileSync(file("-wal"), wal);
}

const HEADERS: readonly { why: string; bytes: number }[] = [
  { why: "the number of the checkpoint", bytes: 16 },
  { why: "the first salt", bytes: 20 },
  { why: "half of the second salt", bytes: 22 },
  { why: "all but the last byte", bytes: 31 },
];
for (const { why, bytes } of HEADERS) {
  test(`a log that begins anew in part (${why}) takes nothing along: all of it is in the main file`, async () => {
    await crashed(5, "checkpointed");
    tearHeader(bytes);
    buffer = await b.open();
    assert.equal(asides(), []);
    drain(buffer, b.cloud);
    assert.is(b.cloud.events().size, 5);
    b.cloud.checkChains();
  });
}

const NOT_OVER: readonly { why: string; harm: () => void }[] = [
  {
    why: "the page of its first frame is another in the main file",
    harm: () => flip("", readFileSync(file("-wal")).readUInt32BE(32) * 4096 - 1),
  },
  { why: "it says another size of pages", harm: () => flip("-wal", 10) },
  { why: "a bit of a commit in it is another", harm: () => flip("-wal", 32 + 4120 + 3000) },
];
for (const { why, harm } of NOT_OVER) {
  test(`set aside and reported: a log that begins anew in part, and ${why}`, async () => {
    await crashed(5, "checkpointed");
    tearHeader(20);
    harm();
    await worksAndReports();
  });
}

test("whoever asks how it is gets an answer where the file cannot be read", async () => {
  buffer = await b.open();
  for (let i = 0; i < 5; i += 1) await buffer.append(note("x", i), "critical");
  // So that what is in memory is of no use, and what is asked for must be read.
  const other = new Database(file());
  other.exec("UPDATE logs SET clean = clean");
  other.pragma("wal_checkpoint(TRUNCATE)");
  truncateSync(file(), 4096);
  const { state, reason } = buffer.status();
  other.close();
  assert.is(state, "failed");
  assert.match(reason ?? "", "the disk failed");
});

test("set aside and reported: another program's database", async () => {
  const other = new Database(file());
  other.exec("CREATE TABLE t (x); PRAGMA user_version = 1");
  other.close();
  await worksAndReports();
});

test("set aside and reported: a version that this agent does not know", async () => {
  buffer = await b.open();
  await buffer.close();
  const newer = new Database(file());
  newer.pragma("user_version = 99");
  newer.close();
  await worksAndReports();
});

test("told of once, by whoever comes after a machine that died between setting it aside and saying so", async () => {
  const aside = join(b.dir, "set-aside-1");
  mkdirSync(aside, { recursive: true });
  writeFileSync(join(aside, "agent.sqlite"), "rubbish");
  writeFileSync(join(aside, "unreported"), "it is rubbish");
  await worksAndReports();
  await buffer?.close();
  assert.equal(readdirSync(aside), ["agent.sqlite"]);
  // As if it had died again before it took that note away.
  writeFileSync(join(aside, "unreported"), "it is rubbish");
  await worksAndReports();
  assert.equal(readdirSync(aside), ["agent.sqlite"]);
});

test("a disk that is full as it is set aside is left as it was, however often that is tried", () => {
  mkdirSync(b.dir, { recursive: true });
  writeFileSync(file(), "rubbish");
  const program = `
    import { setAside } from "./device/buffer/set-aside.ts";
    for (let i = 0; i < 5; i += 1)
      try {
        setAside(${JSON.stringify(b.dir)}, 2, "it is rubbish");
        console.log("set aside");
      } catch (error) {
        console.log(error.code);
      }
  `;
  // Nothing can be written to any file.
  const line = 'ulimit -f 0; exec "$0" --input-type=module --eval "$1"';
  const run = ["-c", line, process.execPath, program];
  const { stdout, stderr } = spawnSync("bash", run, { cwd: root, encoding: "utf8" });
  assert.is(stdout, "EFBIG\n".repeat(5), stderr);
  assert.equal(asides(), []);
  assert.is(readFileSync(file(), "utf8"), "rubbish");
});

test("only the newest that were set aside are kept", async () => {
  for (let i = 0; i < 5; i += 1) {
    writeFileSync(file(), "rubbish".repeat(1000));
    buffer = await b.open();
    await buffer.close();
  }
  assert.equal(asides().sort(), ["set-aside-4", "set-aside-5"]);
});

test("a closed segment whose events were altered is declared as gone, and its neighbours arrive", async () => {
  buffer = await b.open({ limits: { segmentEventsMax: 2 } });
  for (let i = 0; i < 6; i += 1) await buffer.append(note("x", i), "critical");
  await buffer.close();
  const db = new Database(file());
  const bodies = db
    .prepare<[], { place: number; body: Uint8Array }>(
      "SELECT place, body FROM segments ORDER BY place",
    )
    .all();
  const victim = bodies[1];
  assert.ok(victim !== undefined);
  victim.body[3] = (victim.body[3] ?? 0) ^ 1;
  db.prepare("UPDATE segments SET body = ? WHERE place = ?").run(victim.body, victim.place);
  db.close();
  buffer = await b.open();
  drain(buffer, b.cloud);
  b.cloud.checkChains();
  const numbers = [...b.cloud.events().values()].flatMap((event) =>
    event.kind === "diagnostic.note" ? [event.data.number] : [],
  );
  assert.equal(numbers, [0, 1, 4, 5]);
});

const seed = Date.now() % 1e9;
test(`bits flipped anywhere: the buffer opens, works, and what arrives verifies (seed ${seed})`, async () => {
  const random = randomOf(seed);
  await crashed(20);
  const originals = ["", "-wal"].map((suffix) => [suffix, readFileSync(file(suffix))] as const);
  await buffer?.close();
  for (let round = 0; round < 30; round += 1) {
    rmSync(b.dir, { recursive: true });
    mkdirSync(b.dir);
    for (const [suffix, content] of originals) writeFileSync(file(suffix), content);
    const [suffix, content] = random.pick(originals);
    const bent = Uint8Array.from(content);
    for (let flips = 1 + random.int(8); flips > 0; flips -= 1) {
      const at = random.int(bent.length);
      bent[at] = (bent[at] ?? 0) ^ (1 << random.int(8));
    }
    writeFileSync(file(suffix), bent);
    buffer = await b.open();
    assert.is(buffer.status().state, "working", `round ${round}`);
    buffer.online(true);
    const { log } = await buffer.append(note("after"), "critical");
    let sent = 0;
    for (const skip = new Set<number>(); ; sent += 1) {
      const segment = buffer.next({ skip, newestStateFirst: false });
      if (segment === undefined) break;
      skip.add(segment.key);
    }
    assert.ok(sent > 0 && log.length === 16 && existsSync(file()));
    await buffer.close();
  }
});

test.run();
