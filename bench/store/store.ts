/**
 * The tenant's store against bare SQLite with the same rows: a car's month read back, the newest state of a fleet, and
 * what encryption and audit cost a write. With `--events 100000000` the month lies among that many events, in one log
 * of each car (of `state`, whose rows take longer to write, among ten million at most); the peer holds only the cars that
 * are asked about, which is the easier part.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BookingRecord, randomBytes, tenantId } from "@kerbside/protocol";
import { openRegistry, type Registry, type SqliteTenantStore } from "@kerbside/tenants";
import BetterSqlite3 from "better-sqlite3";
import {
  type Benchmark,
  type BenchmarkOptions,
  type Row,
  takeTurns,
  type Work,
} from "../benchmark.ts";
import { AUDIT, carName, fillLatest, fillMonths, MONTH_MS, START_MS } from "./cars.ts";

const EVENTS_DEFAULT = 500_000;
const EVENTS_A_MONTH = 10_000;
/** From so many events on each car has ten months of them. */
const MONTHS_FROM = 10_000_000;
/** Cars that are asked about. */
const CARS_ASKED = 50;
/** Cars with rows, whose ten months are ten million events. */
const ROW_CARS_MAX = 100;
const FLEET = 5000;
const PAGE = 1000;
const LATEST_ROUNDS = 7;
const WARM_UP = 3;

export const storeBenchmark: Benchmark = {
  name: "store",
  why: "reading and writing through keys, classes and audit, against the same rows without",
  run: rows,
};

async function* rows({
  events = EVENTS_DEFAULT,
}: BenchmarkOptions): AsyncGenerator<Row, void, undefined> {
  const months = events < MONTHS_FROM ? 1 : 10;
  const cars = Math.max(CARS_ASKED, Math.round(events / months / EVENTS_A_MONTH));
  const dir = mkdtempSync(join(tmpdir(), "kerbside-bench-store-"));
  const [masterKey, signerKey] = [randomBytes(32), randomBytes(32)];
  const registry = await openRegistry({ dir, masterKey, create: true });
  const bare = bareDatabase(join(dir, "bare.sqlite"));
  try {
    const store = await storeOf(registry, signerKey);
    const asked = { from: 0, cars, months, each: EVENTS_A_MONTH };
    const rowed = { ...asked, from: cars, cars: Math.min(cars, ROW_CARS_MAX) };
    const fleetFrom = rowed.from + rowed.cars;
    await fillMonths(store, { ...asked, lane: "track" });
    await fillMonths(store, { ...rowed, lane: "state" });
    await fillLatest(store, fleetFrom, fleetFrom + FLEET);
    fillBare(bare, months);
    yield* rangeRows(store, bare, { ...asked, what: "track, a segment a row," });
    yield* rangeRows(store, bare, { ...rowed, what: "state, an event a row," });
    yield await latestRow(store, fleetFrom);
    yield* writeRows(store, bare);
  } finally {
    bare.close();
    await registry.close();
    rmSync(dir, { recursive: true });
  }
}

async function storeOf(registry: Registry, signerKey: Uint8Array): Promise<SqliteTenantStore> {
  await registry.create(tenantId("demo"), signerKey, AUDIT, async () => undefined);
  const tenant = await registry.tenant("demo");
  if (tenant === undefined) throw new Error("the tenant was just made");
  return tenant.store;
}

function bareDatabase(file: string): BetterSqlite3.Database {
  const db = new BetterSqlite3(file);
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.exec(
    "CREATE TABLE events (car INTEGER, seq INTEGER, at_ms INTEGER, kind INTEGER, data BLOB, PRIMARY KEY (car, at_ms, seq)) WITHOUT ROWID;" +
      "CREATE TABLE bookings (booking TEXT PRIMARY KEY, vehicle TEXT, holder BLOB, from_ms INTEGER, to_ms INTEGER, state TEXT, version INTEGER, mac BLOB) WITHOUT ROWID;",
  );
  return db;
}

/** The same rows as sealing each would leave them. */
function fillBare(bare: BetterSqlite3.Database, months: number): void {
  const insert = bare.prepare("INSERT INTO events VALUES (?, ?, ?, 1, ?)");
  for (let car = 0; car < CARS_ASKED; car += 1)
    bare.transaction(() => {
      for (let seq = 0; seq < months * EVENTS_A_MONTH; seq += 1)
        insert.run(
          ...[car, seq, START_MS + Math.floor((seq * MONTH_MS) / EVENTS_A_MONTH)],
          randomBytes(75),
        );
    })();
}

type Range = {
  readonly what: string;
  readonly from: number;
  readonly cars: number;
  readonly months: number;
};
/** Pages of one car's month, in order; by the clock, and in processor time of the thread that reads. */
async function* rangeRows(
  store: SqliteTenantStore,
  bare: BetterSqlite3.Database,
  { what, from, cars, months }: Range,
): AsyncGenerator<Row, void, undefined> {
  const select = bare.prepare<number[], { seq: number; at_ms: number }>(
    "SELECT seq, at_ms, kind, data FROM events WHERE car = ? AND (at_ms, seq) > (?, ?) AND at_ms <= ? ORDER BY at_ms, seq LIMIT ?",
  );
  let turn = 0;
  /** Another car and another month each time, the cars spread over all that there are. */
  const next = () => {
    turn += 1;
    const fromMs = START_MS + (turn % months) * MONTH_MS;
    const asked = turn % CARS_ASKED;
    const car = from + Math.floor((asked * cars) / CARS_ASKED);
    return { asked, car, fromMs, toMs: fromMs + MONTH_MS - 1 };
  };
  const whole = (count: number): number => {
    if (count !== EVENTS_A_MONTH) throw new Error(`a month of ${count} events`);
    return count;
  };
  const ours = async (): Promise<number> => {
    const { car, fromMs, toMs } = next();
    const of = { vehicle: carName(car), fromMs, toMs, limit: PAGE };
    let count = 0;
    for (let after: string | undefined; ; ) {
      const page = await store.events(after === undefined ? of : { ...of, after });
      count += page.items.length;
      if (page.next === undefined) return whole(count);
      after = page.next;
    }
  };
  const peer = (): number => {
    const { asked, fromMs, toMs } = next();
    let count = 0;
    for (let after = { at_ms: fromMs - 1, seq: 0 }; ; ) {
      const found = select.all(asked, after.at_ms, after.seq, toMs, PAGE);
      count += found.length;
      if (found.length < PAGE) return whole(count);
      after = found.at(-1) ?? after;
    }
  };
  const found = await takeTurns(ours, peer);
  const among = (cars * months * EVENTS_A_MONTH).toLocaleString("en");
  const names = ["verified, opened, decoded", "bare SELECT"] as const;
  yield {
    ...{ what: `a car's month of ${what} among ${among} events`, unit: "events/s" },
    ours: { name: names[0], values: found.ours },
    peer: { name: names[1], values: found.peer },
    goal: { of: "ratio", atLeast: 1 / 3 },
  };
  yield {
    ...{ what: "the same, processor time for each event", unit: "µs", goal: null },
    ours: { name: names[0], values: await processorUs(ours) },
    peer: { name: names[1], values: await processorUs(peer) },
  };
}

/** What each unit of work takes of this thread. */
async function processorUs(work: Work): Promise<readonly number[]> {
  const values: number[] = [];
  for (let round = 0; round < LATEST_ROUNDS; round += 1) {
    const before = process.threadCpuUsage();
    const done = await work();
    const { user, system } = process.threadCpuUsage(before);
    values.push((user + system) / done);
  }
  return values;
}

/** In processor time of the thread that reads, which does nothing else meanwhile: what it takes where nobody else is at work. */
async function latestRow(store: SqliteTenantStore, from: number): Promise<Row> {
  const values: number[] = [];
  const cars = Array.from({ length: FLEET }, (_, car) => carName(from + car));
  for (let round = -WARM_UP; round < LATEST_ROUNDS; round += 1) {
    const before = process.threadCpuUsage();
    const { size } = await store.latestOf(cars);
    const { user, system } = process.threadCpuUsage(before);
    if (size !== FLEET) throw new Error(`newest state of ${size} cars`);
    if (round >= 0) values.push((user + system) / 1000);
  }
  return {
    what: `newest state of ${FLEET} cars`,
    unit: "ms",
    ours: { name: "opened, decoded", values },
    peer: null,
    goal: { of: "ours", atMost: 100 },
  };
}

/** How many callers wait for a booking at a time. */
const CALLERS = 64;

/**
 * Bookings: each sealed under a key of its own, found by its holder, audited and anchored before it is answered. By many
 * callers at a time and by one, against the bare row in a commit of its own for each, which is what a caller who is to
 * be answered durably costs there; and against bare rows that share commits as ours do.
 */
async function* writeRows(
  store: SqliteTenantStore,
  bare: BetterSqlite3.Database,
): AsyncGenerator<Row, void, undefined> {
  const insert = bare.prepare("INSERT INTO bookings VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  const mac = randomBytes(32);
  let number = 0;
  const next = (): BookingRecord => {
    number += 1;
    const span = { fromMs: START_MS, toMs: START_MS + 3_600_000 };
    const of = { booking: `b-${number}`, vehicle: carName(0), holder: `person-${number}` };
    return { ...of, ...span, state: "reserved", version: 1, mac };
  };
  const ours = (callers: number) => async (): Promise<number> => {
    await Promise.all(Array.from({ length: callers }, () => store.putBooking(next(), AUDIT)));
    return callers;
  };
  const put = (): void => {
    const { booking, vehicle, holder, fromMs, toMs, state, version } = next();
    insert.run(booking, vehicle, Buffer.from(holder), fromMs, toMs, state, version, mac);
  };
  const one = (): number => {
    put();
    return 1;
  };
  const shared = bare.transaction(() => {
    for (let i = 0; i < CALLERS; i += 1) put();
    return CALLERS;
  });
  const name = "sealed, audited, anchored";
  const rows = [
    { what: `bookings of ${CALLERS} callers`, callers: CALLERS, peer: one, of: "a commit each" },
    { what: "bookings of one caller", callers: 1, peer: one, of: "a commit each" },
    {
      what: `bookings of ${CALLERS} callers`,
      callers: CALLERS,
      peer: shared,
      of: "a commit for all",
    },
  ];
  for (const { what, callers, peer, of } of rows) {
    const found = await takeTurns(ours(callers), peer);
    yield {
      ...{ what, unit: "bookings/s" },
      ours: { name, values: found.ours },
      peer: { name: `bare INSERT, FULL, ${of}`, values: found.peer },
      goal: callers > 1 && peer === one ? { of: "ratio", atLeast: 0.5 } : null,
    };
  }
}
