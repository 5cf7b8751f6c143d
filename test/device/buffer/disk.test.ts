/**
 * The disk as the kernel sees it: commits counted as flushes under strace, and a disk that fails (EIO) or is full
 * (ENOSPC) in the middle of the work, injected by strace into a real process.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBuffer } from "@kerbside/buffer";
import { cryptoReady, randomBytes, toHex } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ADDRESS, type CarCloud, carCloud } from "../../support/car-cloud.ts";
import { needs } from "../../support/debian.ts";
import { realClock, realRandom, silentLog } from "../../support/runtime.ts";
import { drain } from "./harness.ts";

let dir: string;
let cloud: CarCloud;
test.before(cryptoReady);
test.before.each(() => {
  dir = mkdtempSync(join(tmpdir(), "kerbside-disk-"));
  cloud = carCloud(randomBytes(32));
});
test.after.each(() => rmSync(dir, { recursive: true, force: true }));

const script = (name: string): string => new URL(name, import.meta.url).pathname;
const withStrace = needs("strace");

/** Runs a script under strace; gives its output and the trace. */
function traced(
  options: readonly string[],
  args: readonly string[],
): { out: string; trace: string } {
  const traceFile = join(dir, "trace.txt");
  const ran = spawnSync(
    "strace",
    ["-f", "-y", "-s", "100000", "-o", traceFile, ...options, process.execPath, ...args],
    {
      encoding: "utf8",
      maxBuffer: 1 << 28,
    },
  );
  assert.is(ran.status, 0, ran.stderr);
  return { out: ran.stdout, trace: readFileSync(traceFile, "utf8") };
}

const FLUSH = /f(?:data)?sync\(\d+<[^>]*agent\.sqlite-wal>\) += 0/;
/** A pipe that is read slowly gets several lines at once. */
const PRINTS = /writev?\(1</;
const PRINTED = /seq\\":\d+/g;

/** For each number printed, in order, the flushes of the write-ahead log since the one before. */
function flushesBefore(trace: string): number[] {
  const counts: number[] = [];
  let flushes = 0;
  for (const line of trace.split("\n")) {
    if (FLUSH.test(line)) flushes += 1;
    if (!PRINTS.test(line)) continue;
    for (const _ of line.matchAll(PRINTED)) {
      counts.push(flushes);
      flushes = 0;
    }
  }
  return counts;
}

withStrace("each critical event is flushed before anybody is told, one by one", () => {
  const args = ["append", "--data", join(dir, "data"), "--lane", "critical", "--count", "100"];
  const { trace } = traced(
    ["-e", "trace=fsync,fdatasync,write,writev"],
    [script("appender.ts"), ...args],
  );
  const flushes = flushesBefore(trace);
  assert.is(flushes.length, 100);
  assert.ok(
    flushes.every((count) => count >= 1),
    String(flushes),
  );
  assert.ok(
    flushes.slice(1).filter((count) => count === 1).length > 90,
    "and hardly more than once",
  );
});

withStrace("events of state share commits, and are flushed before anybody is told", () => {
  const args = ["append", "--data", join(dir, "data"), "--lane", "state", "--count", "400"];
  const { trace } = traced(
    ["-e", "trace=fsync,fdatasync,write,writev"],
    [script("appender.ts"), ...args],
  );
  const flushes = flushesBefore(trace);
  assert.is(flushes.length, 400);
  const [first, ...rest] = flushes;
  assert.ok(first !== undefined && first >= 1);
  assert.equal([...new Set(rest)], [0], "400 events, one commit");
});

type Line = { number: number; log?: string; seq?: number; code?: string };

/** Runs the stubborn appender under strace with a fault injected, and gives what it said of each event. */
function injected(fault: string): Line[] {
  const setup = {
    dir: join(dir, "data"),
    seed: toHex(cloud.seed),
    ingest: toHex(cloud.ingestKey.publicKey),
    count: 2000,
    after: 20,
  };
  const { out } = traced(
    ["-e", "trace=fsync,fdatasync,pwrite64", "-e", `inject=${fault}`],
    [script("stubborn.ts"), JSON.stringify(setup)],
  );
  return out
    .trim()
    .split("\n")
    .map((line): Line => JSON.parse(line));
}

async function takeAll(): Promise<void> {
  const buffer = await openBuffer({
    dir: join(dir, "data"),
    address: ADDRESS,
    signingKey: cloud.signingKey,
    ingestKey: cloud.ingestKey,
    agentVersion: "test",
    clock: realClock,
    random: realRandom,
    log: silentLog,
  });
  buffer.online(true);
  drain(buffer, cloud);
  await buffer.close();
}

const FAULTS: readonly { why: string; fault: string }[] = [
  { why: "one flush fails (EIO)", fault: "fsync,fdatasync:error=EIO:when=30" },
  { why: "six flushes fail in a row (EIO)", fault: "fsync,fdatasync:error=EIO:when=30..35" },
  { why: "one write fails (EIO)", fault: "pwrite64:error=EIO:when=60" },
  { why: "the disk is full for one write (ENOSPC)", fault: "pwrite64:error=ENOSPC:when=61" },
  {
    why: "the disk is full for twelve writes (ENOSPC)",
    fault: "pwrite64:error=ENOSPC:when=70..81",
  },
];
for (const { why, fault } of FAULTS) {
  withStrace(
    `what was acknowledged stays, nothing is doubled, the rest is told: ${why}`,
    async () => {
      const lines = injected(fault);
      const taken = lines.filter(({ seq }) => seq !== undefined);
      const failed = lines.filter(({ code }) => code !== undefined);
      assert.ok(failed.length > 0, "the fault landed");
      assert.ok(failed.every(({ code }) => code === "storage_failed"));
      assert.is(taken.slice(-20).length, 20, "it works again afterwards");
      assert.ok((taken.at(-1)?.number ?? 0) > (failed.at(-1)?.number ?? 0));
      await takeAll();
      cloud.checkChains();
      const events = [...cloud.events()].flatMap(([at, event]) =>
        event.kind === "diagnostic.note" ? [[at, event.data.number] as const] : [],
      );
      const numbers = events.map(([, number]) => number);
      assert.is(new Set(numbers).size, numbers.length, "nothing is doubled");
      const byPlace = new Map(events);
      for (const { number, log, seq } of taken) {
        assert.is(byPlace.get(`${log}/critical/${seq}`), number, `event ${number}`);
      }
      const places = new Set(taken.map(({ log, seq }) => `${log}/${seq}`));
      assert.is(places.size, taken.length, "no number is given twice");
      const reported = [...cloud.events().values()].some(
        (event) => event.kind === "fault.raised" && event.data.code === "buffer.storage",
      );
      assert.ok(reported, "the fault is reported");
    },
  );
}

test.run();
