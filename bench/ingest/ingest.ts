/**
 * Ingest against bare SQLite: messages that cars send over TLS, taken by the broker, verified, opened, checked and
 * stored durably, personal data under the vehicle's key, and acknowledged, on one side; on the other the rows that they
 * become, inserted by better-sqlite3 and nothing else, all of a round in one transaction, under the same promises. The
 * clock runs from the first message to the last PUBACK. Both sides are given what they need before it starts.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type CarEvent,
  cryptoReady,
  encodeCbor,
  eventDataCodec,
  isPersonalKind,
  randomBytes,
} from "@kerbside/protocol";
import Database from "better-sqlite3";
import type { Benchmark, Row } from "../benchmark.ts";
import { CARS, type Load, nextEvents, streamOf } from "./loads.ts";
import { BenchNode, pagesOf } from "./node.ts";

const ROUNDS = 9;
const WARM_UP_ROUNDS = 4;
/** Nonce and tag of what is sealed. */
const SEAL_BYTES = 40;

type BareRow = readonly [log: number, seq: number, atMs: number, kind: number, data: Uint8Array];

/** A store with a row an event, and no other promise than that of its transactions. */
class Peer {
  readonly #db: Database.Database;
  readonly #insertAll: (rows: readonly BareRow[]) => void;
  readonly #streams: readonly ReturnType<typeof streamOf>[];
  readonly #load: Load;
  #rows: readonly BareRow[] = [];
  #seq = 0;

  constructor(dir: string, load: Load) {
    this.#load = load;
    this.#streams = Array.from({ length: CARS }, (_, i) => streamOf(load, i));
    const db = new Database(join(dir, "bare.sqlite"));
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = FULL");
    db.exec(
      "CREATE TABLE events (log_id INTEGER NOT NULL, lane INTEGER NOT NULL, seq INTEGER NOT NULL, " +
        "segment_id INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind INTEGER NOT NULL, sealed INTEGER NOT NULL, " +
        "data BLOB NOT NULL, PRIMARY KEY (log_id, lane, seq, segment_id)) STRICT, WITHOUT ROWID",
    );
    const insert = db.prepare("INSERT INTO events VALUES (?, 2, ?, 1, ?, ?, 1, ?)");
    this.#db = db;
    this.#insertAll = db.transaction((rows: readonly BareRow[]) => {
      for (const row of rows) insert.run(...row);
    });
  }

  /** Answers how many events that is. */
  prepare(): number {
    const { events, segments } = this.#load;
    const rows: BareRow[] = [];
    for (let s = 0; s < segments; s += 1) {
      for (const [car, stream] of this.#streams.entries()) {
        const next = nextEvents(stream, events);
        for (const [at, event] of next.entries()) rows.push(bareRow(car, this.#seq + at, event));
      }
      this.#seq += events;
    }
    this.#rows = rows;
    return rows.length;
  }

  go(): void {
    this.#insertAll(this.#rows);
  }

  bytes(): number {
    return pagesOf(this.#db);
  }

  close(): void {
    this.#db.close();
  }
}

/** The row that a store without chunks would keep, as many bytes as sealing makes of it. */
function bareRow(log: number, seq: number, event: CarEvent): BareRow {
  const plain = encodeCbor(eventDataCodec(event.kind).toCbor(event.data, event.kind));
  const more = isPersonalKind(event.kind) ? SEAL_BYTES : 0;
  const data = more === 0 ? plain : randomBytes(plain.length + more);
  return [log, seq, event.bootMs + event.wallOffsetMs, 1, data];
}

type Measured = {
  readonly ours: number;
  readonly peer: number;
  /** The same by the processor time of the thread that takes in, or inserts. */
  readonly ourThread: number;
  readonly peerThread: number;
  /** And by that of the whole process: what other threads do for it is no gift. */
  readonly ourProcess: number;
  readonly peerProcess: number;
  readonly ourBytes: number;
  readonly peerBytes: number;
};

async function* measure(load: Load): AsyncGenerator<Measured, void, undefined> {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-bench-"));
  const peer = new Peer(dir, load);
  const node = await BenchNode.start(dir, load);
  try {
    const before = node.stored;
    for (let round = 1; round <= WARM_UP_ROUNDS + ROUNDS; round += 1) {
      const count = peer.prepare();
      await node.order("prepare");
      const sizes = { ours: node.bytes(), peer: peer.bytes() };
      const heard = node.acks;
      const ours = await timed(count, () => node.order("go"));
      const rate = await timed(count, () => peer.go());
      if (node.stored !== before + round * CARS * load.segments || node.acks === heard)
        throw new Error("not everything was stored and acknowledged");
      if (round <= WARM_UP_ROUNDS) continue;
      const ourBytes = (node.bytes() - sizes.ours) / count;
      yield {
        ...{ ours: ours.clock, peer: rate.clock, ourThread: ours.thread, peerThread: rate.thread },
        ...{ ourProcess: ours.process, peerProcess: rate.process },
        ...{ ourBytes, peerBytes: (peer.bytes() - sizes.peer) / count },
      };
    }
  } finally {
    await node.close();
    peer.close();
    rmSync(dir, { recursive: true });
  }
}

type Rates = { readonly clock: number; readonly thread: number; readonly process: number };

/** Units a second, by the clock and by the processor time of this thread, and of this process. */
async function timed(count: number, work: () => unknown): Promise<Rates> {
  const started = performance.now();
  const before = { thread: process.threadCpuUsage(), process: process.cpuUsage() };
  await work();
  const clock = (1000 * count) / (performance.now() - started);
  const rate = ({ user, system }: NodeJS.CpuUsage): number => (1e6 * count) / (user + system);
  const thread = rate(process.threadCpuUsage(before.thread));
  return { clock, thread, process: rate(process.cpuUsage(before.process)) };
}

async function* rows(what: string, load: Load, rate: number): AsyncGenerator<Row, void, undefined> {
  const found: Measured[] = [];
  for await (const one of measure(load)) found.push(one);
  const side = (name: string, of: keyof Measured) => ({
    name,
    values: found.map((one) => one[of]),
  });
  yield {
    what: `${what}, ${load.events} a segment`,
    unit: "events/s",
    ours: side("TLS, broker, ingest", "ours"),
    peer: side("bare inserts, a row an event, in one transaction", "peer"),
    goal: { of: "ratio", atLeast: rate },
  };
  yield {
    what: `${what}, ${load.events} a segment, by the thread's processor time`,
    unit: "events/s",
    ours: side("TLS, broker, ingest", "ourThread"),
    peer: side("bare inserts, a row an event, in one transaction", "peerThread"),
    goal: null,
  };
  yield {
    what: `${what}, ${load.events} a segment, by the process's processor time`,
    unit: "events/s",
    ours: side("TLS, broker, ingest", "ourProcess"),
    peer: side("bare inserts, a row an event, in one transaction", "peerProcess"),
    goal: null,
  };
  yield {
    what: `${what}: space with marks, latest state and feed`,
    unit: "bytes/event",
    ours: side("tenant store", "ourBytes"),
    peer: side("a row an event", "peerBytes"),
    goal: load.lane === "track" ? { of: "ratio", atMost: 0.1 } : null,
  };
}

async function* run(): AsyncGenerator<Row, void, undefined> {
  await cryptoReady();
  // A car that was away sends segments that are full, one that drives a minute's worth.
  yield* rows("state, as rows", { lane: "state", events: 1024, segments: 3 }, 0.5);
  yield* rows("state, as rows", { lane: "state", events: 100, segments: 20 }, 0.5);
  yield* rows("track, as chunks", { lane: "track", events: 600, segments: 8 }, 2);
  yield* rows("track, as chunks", { lane: "track", events: 60, segments: 60 }, 2);
}

export const ingestBenchmark: Benchmark = {
  name: "ingest",
  why: "segments from the cars' sockets to the store against bare inserts of their rows",
  run,
};
