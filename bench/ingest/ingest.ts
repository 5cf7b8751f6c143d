/**
 * Ingest against bare SQLite: messages of cars verified, opened, checked and stored durably, personal data under the
 * vehicle's key, on one side; on the other the rows that they become, inserted by better-sqlite3 and nothing else,
 * in transactions as large, under the same promises. Both sides are given what they need before the clock starts.
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createIngest, type Ingest } from "@kerbside/ingest";
import {
  type AuditEntry,
  type CarEvent,
  cryptoReady,
  encodeCbor,
  eventDataCodec,
  isPersonalKind,
  type Lane,
  randomBytes,
  type SourceMessage,
  sealKeyPair,
  systemClock,
  type TenantId,
  tenantId,
  vehicleId,
} from "@kerbside/protocol";
import { openRegistry } from "@kerbside/tenants";
import Database from "better-sqlite3";
import type { Benchmark, Row } from "../benchmark.ts";
import { drive } from "../drive.ts";
import { BenchCar } from "./car.ts";

const ROUNDS = 7;
const WARM_UP_ROUNDS = 2;
const CARS = 16;
/** Nonce and tag of what is sealed. */
const SEAL_BYTES = 40;
const AUDIT: AuditEntry = { actor: "bench", action: "bench", subject: "bench", outcome: "done" };
const TENANT = tenantId("bench");

type Load = {
  readonly lane: Lane;
  /** Events in a segment, and segments a car in one round. */
  readonly events: number;
  readonly segments: number;
  readonly stream: (car: number) => Iterator<CarEvent, never>;
};

/** Doors, trips, positions where it was parked: what the state lane carries of a working day. */
function* stateOf(car: number): Generator<CarEvent, never, undefined> {
  for (let i = 0; ; i += 1) {
    const time = { bootMs: 60_000 * i + 17 * car, wallOffsetMs: 1_790_000_000_000, doubtMs: 40 };
    const odometerM = 48_000_000 + 731 * i;
    yield { kind: "door.changed", data: { door: "driver", open: true }, ...time };
    yield { kind: "ignition.changed", data: { state: "ON" }, ...time };
    yield { kind: "trip.started", data: { odometerM, fuelPercent: 71.5 }, ...time };
    yield { kind: "energy.changed", data: { fuelPercent: 71, low: false }, ...time };
    yield {
      kind: "vehicle.parked",
      data: { latitude: 52.5 + i / 1e4, longitude: 13.4 - i / 1e4, odometerM },
      ...time,
    };
    yield { kind: "battery.low", data: { voltageV: 11.9 }, ...time };
  }
}

class Sides {
  readonly dir: string = mkdtempSync(join(tmpdir(), "kerbside-bench-"));
  readonly db: Database.Database;
  readonly #ends: (() => Promise<void>)[] = [];

  constructor() {
    this.db = new Database(join(this.dir, "bare.sqlite"));
    this.db.pragma("journal_mode = WAL");
    this.db.pragma("synchronous = FULL");
    this.db.exec(
      "CREATE TABLE events (log_id INTEGER NOT NULL, lane INTEGER NOT NULL, seq INTEGER NOT NULL, " +
        "segment_id INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind INTEGER NOT NULL, sealed INTEGER NOT NULL, " +
        "data BLOB NOT NULL, PRIMARY KEY (log_id, lane, seq, segment_id)) STRICT, WITHOUT ROWID",
    );
  }

  /** A worker over a real tenant store, and the cars that are enrolled there. */
  async ingest(
    lane: Lane,
  ): Promise<{ readonly ingest: Ingest; readonly cars: readonly BenchCar[] }> {
    const masterKey = randomBytes(32);
    const registry = await openRegistry({ dir: this.dir, masterKey, create: true });
    this.#ends.push(() => registry.close());
    await registry.create(TENANT, randomBytes(32), AUDIT, async () => undefined);
    const store = (await registry.tenant(TENANT))?.store;
    if (store === undefined) throw new Error("the tenant was not made");
    const pair = sealKeyPair();
    const home = { store, ingestKey: async () => pair };
    const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const ingest = await createIngest({
      tenant: async (id: TenantId) => (id === TENANT ? home : undefined),
      downlink: { send: async () => undefined },
      clock: systemClock(() => performance.now()),
      log: silent,
    });
    this.#ends.push(() => ingest.close());
    const cars: BenchCar[] = [];
    for (let i = 0; i < CARS; i += 1) {
      const car = new BenchCar(
        { tenant: TENANT, vehicle: vehicleId(`car-${i}`) },
        lane,
        pair.publicKey,
      );
      await store.putVehicle(
        {
          vehicle: car.address.vehicle,
          profile: "bench",
          signingKey: car.key.publicKey,
          certificateSerial: "00",
          enrolledAtMs: 1,
        },
        AUDIT,
      );
      cars.push(car);
    }
    return { ingest, cars };
  }

  /** What either file has grown to, indexes and all. */
  bytes(): { readonly ours: number; readonly peer: number } {
    const [tenant = ""] = readdirSync(join(this.dir, "tenants"));
    const store = new Database(join(this.dir, "tenants", tenant, "store.sqlite"), {
      readonly: true,
    });
    const found = { ours: pagesOf(store), peer: pagesOf(this.db) };
    store.close();
    return found;
  }

  async remove(): Promise<void> {
    for (const end of this.#ends.reverse()) await end();
    this.db.close();
    rmSync(this.dir, { recursive: true });
  }
}

function pagesOf(db: Database.Database): number {
  return Number(db.pragma("page_count", { simple: true })) * 4096;
}

type BareRow = readonly [log: number, seq: number, atMs: number, kind: number, data: Uint8Array];

/** The row that a store without chunks would keep, as many bytes as sealing makes of it. */
function bareRow(log: number, seq: number, event: CarEvent): BareRow {
  const plain = encodeCbor(eventDataCodec(event.kind).toCbor(event.data, event.kind));
  const more = isPersonalKind(event.kind) ? SEAL_BYTES : 0;
  const data = more === 0 ? plain : randomBytes(plain.length + more);
  return [log, seq, event.bootMs + event.wallOffsetMs, 1, data];
}

async function* measure(load: Load): AsyncGenerator<Measured, void, undefined> {
  const sides = new Sides();
  try {
    const { ingest, cars } = await sides.ingest(load.lane);
    const streams = cars.map((_, i) => load.stream(i));
    const insert = sides.db.prepare("INSERT INTO events VALUES (?, 2, ?, 1, ?, ?, 1, ?)");
    const insertAll = sides.db.transaction((rows: readonly BareRow[]) => {
      for (const row of rows) insert.run(...row);
    });
    // The openings first: what comes before them waits, and is stored after its handler has answered.
    for (const [i, car] of cars.entries())
      await ingest.handle(car.segment([(streams[i] as Stream).next().value]));
    const before = ingest.counts().stored;
    let seq = 0;
    for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
      const messages: SourceMessage[] = [];
      const rows: BareRow[] = [];
      for (let s = 0; s < load.segments; s += 1) {
        for (const [i, car] of cars.entries()) {
          const events = Array.from(
            { length: load.events },
            () => (streams[i] as Stream).next().value,
          );
          messages.push(car.segment(events));
          for (const [at, event] of events.entries()) rows.push(bareRow(i, seq + at, event));
        }
        seq += load.events;
      }
      const sizes = sides.bytes();
      const ours = await timed(rows.length, () => Promise.all(messages.map(ingest.handle)));
      const peer = await timed(rows.length, () => insertAll(rows));
      const after = sides.bytes();
      if (ingest.counts().stored !== before + messages.length * (round + WARM_UP_ROUNDS + 1))
        throw new Error("not everything was stored");
      if (round >= 0) {
        const ourBytes = (after.ours - sizes.ours) / rows.length;
        yield { ours, peer, ourBytes, peerBytes: (after.peer - sizes.peer) / rows.length };
      }
    }
  } finally {
    await sides.remove();
  }
}
type Stream = Iterator<CarEvent, never>;
type Measured = {
  readonly ours: number;
  readonly peer: number;
  readonly ourBytes: number;
  readonly peerBytes: number;
};

/** Units a second. */
async function timed(count: number, work: () => unknown): Promise<number> {
  const started = performance.now();
  await work();
  return (1000 * count) / (performance.now() - started);
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
    ours: side("ingest", "ours"),
    peer: side("bare inserts, a row an event, in one transaction", "peer"),
    goal: { of: "ratio", atLeast: rate },
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
  yield* rows("state, as rows", { lane: "state", events: 100, segments: 8, stream: stateOf }, 0.5);
  const track = { lane: "track", stream: drive } as const;
  yield* rows("track, as chunks", { ...track, events: 600, segments: 2 }, 2);
  yield* rows("track, as chunks", { ...track, events: 60, segments: 10 }, 2);
}

export const ingestBenchmark: Benchmark = {
  name: "ingest",
  why: "segments verified, opened and stored durably against bare inserts of their rows",
  run,
};
