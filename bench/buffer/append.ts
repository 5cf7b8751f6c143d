/** Durable, encrypted appends against bare inserts of as many bytes by the same SQLite under the same promises. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Buffer, openBuffer } from "@kerbside/buffer";
import {
  type CarEvent,
  cryptoReady,
  encodeEvent,
  type NewEvent,
  randomBytes,
  sealKeyPair,
  signingKey,
  systemClock,
  systemRandom,
  tenantId,
  vehicleId,
} from "@kerbside/protocol";
import Database from "better-sqlite3";
import { type Benchmark, type Row, takeTurns, type Work } from "../benchmark.ts";
import { flashRow } from "./flash.ts";
import { upkeepRows } from "./upkeep.ts";
import { waitRow } from "./waits.ts";

const BATCH = 100;
const TAG_BYTES = 16;
/** Flushes are what both sides wait for, and how long they take changes by the second. */
const SHORT_ROUNDS = { count: 60, forMs: 50 } as const;
const ROW_NAME = "bare better-sqlite3";

/** A minute of driving, as the position is sampled once a second. */
function sample(second: number): NewEvent & Pick<CarEvent, "bootMs" | "wallOffsetMs" | "doubtMs"> {
  return {
    kind: "position.sampled",
    bootMs: 1_000_000 + second * 1000,
    wallOffsetMs: 1_790_000_000_000,
    doubtMs: 50,
    data: {
      latitude: 52.52 + second * 1.1e-4,
      longitude: 13.4 + second * 0.9e-4,
      headingDeg: 80 + (second % 7),
      speedKmh: 48 + (second % 5) * 0.25,
      odometerM: 48_211_000 + second * 13,
    },
  };
}

type Sides = {
  readonly buffer: Buffer;
  readonly db: Database.Database;
  readonly remove: () => Promise<void>;
};

async function open(): Promise<Sides> {
  await cryptoReady();
  const dir = mkdtempSync(join(tmpdir(), "kerbside-bench-"));
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const buffer = await openBuffer({
    dir: join(dir, "ours"),
    address: { tenant: tenantId("bench"), vehicle: vehicleId("bench") },
    signingKey: signingKey(randomBytes(32)),
    ingestKey: { version: 1, publicKey: sealKeyPair().publicKey },
    agentVersion: "bench",
    clock: systemClock(() => performance.now()),
    random: systemRandom,
    log,
    limits: {
      pendingEventsMax: BATCH,
      bytesMax: 2 ** 40,
      closeAfterMs: { critical: 0, state: 1000, track: 60_000 },
    },
  });
  const db = new Database(join(dir, "bare.sqlite"));
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.exec("CREATE TABLE rows (place INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT");
  return {
    buffer,
    db,
    remove: async () => {
      await buffer.close();
      db.close();
      rmSync(dir, { recursive: true });
    },
  };
}

/** What each side does in one go: `count` events, durable when it is over. */
function works({ buffer, db }: Sides, count: number): { ours: Work; peer: Work } {
  const insert = db.prepare("INSERT INTO rows (sealed) VALUES (?)");
  const bytes = encodeEvent(sample(1)).length + TAG_BYTES;
  const insertAll = db.transaction((rows: readonly Uint8Array[]) => {
    for (const row of rows) insert.run(row);
  });
  // Made before, so that the peer's time is SQLite's alone.
  const noise = Array.from({ length: count }, () => randomBytes(bytes));
  // On the lane that is committed at once, with as many bytes.
  const { bootMs, wallOffsetMs, doubtMs } = sample(1);
  const note = (text: string): CarEvent => ({
    ...{ kind: "diagnostic.note", bootMs, wallOffsetMs, doubtMs },
    data: { note: text },
  });
  const alone = note("x".repeat(bytes - TAG_BYTES - encodeEvent(note("")).length));
  let second = 0;
  return {
    ours: async () => {
      const all = Array.from({ length: count }, () => {
        second += 1;
        return count === 1 ? buffer.append(alone, "critical") : buffer.append(sample(second));
      });
      await Promise.all(all);
      return count;
    },
    peer: () => {
      insertAll(noise);
      return count;
    },
  };
}

async function* run(): AsyncGenerator<Row, void, undefined> {
  const sides = await open();
  try {
    yield await row(sides, 1, 0.85);
    yield await row(sides, BATCH, 0.55);
    yield await waitRow(sides.buffer, "critical", 50);
    yield await waitRow(sides.buffer, "state", 250);
  } finally {
    await sides.remove();
  }
  yield* upkeepRows();
  for (const windowMs of [250, 5000]) {
    yield await flashRow(windowMs, 60);
    yield await flashRow(windowMs, 600);
  }
}

async function row(sides: Sides, count: number, atLeast: number): Promise<Row> {
  const { ours, peer } = works(sides, count);
  const found = await takeTurns(ours, peer, SHORT_ROUNDS);
  return {
    what:
      count === 1
        ? "append, durable, one by one"
        : `append, durable, ${count} a commit, in a burst (packed after it)`,
    unit: "events/s",
    ours: { name: "buffer, encrypted", values: found.ours },
    peer: { name: ROW_NAME, values: found.peer },
    goal: { of: "ratio", atLeast },
  };
}

export const bufferBenchmark: Benchmark = {
  name: "buffer",
  why: "durable, encrypted appends against bare inserts of as many bytes",
  run,
};
