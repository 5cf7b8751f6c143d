/**
 * What an hour of driving writes to the disk: the buffer's bytes against those of bare SQLite that takes as many bytes
 * of rows in the same commits. The hour is simulated; the bytes are the kernel's count for this process.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Buffer, openBuffer } from "@kerbside/buffer";
import {
  type Clock,
  encodeEvent,
  randomBytes,
  sealKeyPair,
  signingKey,
  systemRandom,
  tenantId,
  vehicleId,
} from "@kerbside/protocol";
import Database from "better-sqlite3";
import type { Row } from "../benchmark.ts";
import { drive } from "../drive.ts";

const HOUR_S = 3600;
const TAG_BYTES = 16;
const MEGABYTE = 1e6;
/** More than a commit begins ahead of its window's end. */
const COMMITS_EVERY_S_MIN = 1;

/** Bytes that this process had sent to the storage layer (proc_pid_io(5)). */
function writtenBytes(): number {
  const found = /^write_bytes: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1];
  if (found === undefined) throw new Error("/proc/self/io: no write_bytes");
  return Number(found);
}

/** Time that goes on when it is told to. */
export function steppedClock(): Clock & { readonly advance: (ms: number) => void } {
  let nowMs = 1_000_000;
  let timers: { readonly atMs: number; readonly run: () => void }[] = [];
  const step = (untilMs: number): boolean => {
    const next = timers.toSorted((a, b) => a.atMs - b.atMs)[0];
    if (next === undefined || next.atMs > untilMs) return false;
    timers = timers.filter((timer) => timer !== next);
    nowMs = Math.max(nowMs, next.atMs);
    next.run();
    return true;
  };
  return {
    bootMs: () => nowMs,
    wallMs: () => 1_790_000_000_000 + nowMs,
    after: (delayMs, run) => {
      const timer = { atMs: nowMs + delayMs, run };
      timers.push(timer);
      return {
        cancel: () => {
          timers = timers.filter((other) => other !== timer);
        },
      };
    },
    advance: (ms) => {
      const untilMs = nowMs + ms;
      while (step(untilMs));
      nowMs = untilMs;
    },
  };
}

async function ourBytes(dir: string, windowMs: number, closeAfterMs: number): Promise<number> {
  const clock = steppedClock();
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const buffer: Buffer = await openBuffer({
    dir: join(dir, "ours"),
    address: { tenant: tenantId("bench"), vehicle: vehicleId("bench") },
    signingKey: signingKey(randomBytes(32)),
    ingestKey: { version: 1, publicKey: sealKeyPair().publicKey },
    agentVersion: "bench",
    clock,
    random: systemRandom,
    log: silent,
    trackWindowMs: windowMs,
    limits: { closeAfterMs: { critical: 0, state: 1000, track: closeAfterMs } },
  });
  buffer.online(true);
  const before = writtenBytes();
  const events = drive(1);
  const waiting: Promise<unknown>[] = [];
  for (let second = 0; second < HOUR_S; second += 1) {
    waiting.push(buffer.append(events.next().value));
    clock.advance(1000);
  }
  clock.advance(closeAfterMs);
  await Promise.all(waiting);
  const written = writtenBytes() - before;
  await buffer.close();
  return written;
}

function bareBytes(dir: string, windowMs: number): number {
  const db = new Database(join(dir, "bare.sqlite"));
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.exec("CREATE TABLE rows (place INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT");
  const insert = db.prepare("INSERT INTO rows (sealed) VALUES (?)");
  const commit = db.transaction((rows: readonly Uint8Array[]) => {
    for (const row of rows) insert.run(row);
  });
  const before = writtenBytes();
  const events = drive(1);
  const perCommit = Math.max(COMMITS_EVERY_S_MIN, Math.floor(windowMs / 1000));
  let rows: Uint8Array[] = [];
  for (let second = 0; second < HOUR_S; second += 1) {
    rows.push(randomBytes(encodeEvent(events.next().value).length + TAG_BYTES));
    if (rows.length < perCommit) continue;
    commit(rows);
    rows = [];
  }
  commit(rows);
  const written = writtenBytes() - before;
  db.close();
  return written;
}

export async function flashRow(windowMs: number, closeAfterS: number): Promise<Row> {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-bench-"));
  try {
    const ours = (await ourBytes(dir, windowMs, closeAfterS * 1000)) / MEGABYTE;
    const peer = bareBytes(dir, windowMs) / MEGABYTE;
    return {
      what: `written to disk, an hour of 1 Hz, committed within ${windowMs} ms, segments of ${closeAfterS} s`,
      unit: "MB",
      ours: { name: "buffer, encrypted", values: [ours] },
      peer: { name: "bare better-sqlite3", values: [peer] },
      goal: { of: "ratio", atMost: 1.3 },
    };
  } finally {
    rmSync(dir, { recursive: true });
  }
}
