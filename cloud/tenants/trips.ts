/**
 * Trips: the events that say where they begin and end, kept once more by car and time, because among a hundred million
 * others they would have to be searched for. Which beginning belongs to which end is told when they are read: they may
 * come in in any order.
 */
import {
  decodeCbor,
  EVENT_KINDS,
  eventDataCodec,
  type Page,
  ProtocolError,
  type TripQuery,
  type TripRecord,
  toHex,
  type VehicleId,
  vehicleId,
} from "@kerbside/protocol";
import type { Sql, SqlValue } from "./database.ts";
import { type Engine, eventBinding, SEALING } from "./engine.ts";
import { RowSeals } from "./row-seals.ts";
import type { ColumnClasses } from "./schema-check.ts";
import type { SubjectKey } from "./subject-keys.ts";

/** The most trips of one page, whatever is asked for. */
export const TRIPS_PAGE_MAX = 1000;

export const TRIPS_SQL = `
CREATE TABLE trips /* where trips began and ended, by car and time #PPI #GEO #SPI */ (
  vehicle /* pseudonym */ TEXT NOT NULL,
  kind /* number of the kind: trip.started or trip.ended */ INTEGER NOT NULL,
  at_ms /* Unix time by the car's clocks #SPI */ INTEGER NOT NULL,
  log_id /* of logs */ INTEGER NOT NULL REFERENCES logs (id),
  lane /* place in the list of lanes */ INTEGER NOT NULL,
  seq /* in its lane and log */ INTEGER NOT NULL,
  sealed /* 1: data is encrypted under the vehicle's key; 2: that was destroyed before */ INTEGER NOT NULL,
  data /* CBOR by kind, sealed #PPI #GEO #SPI */ BLOB NOT NULL,
  PRIMARY KEY (vehicle, kind, at_ms, log_id, lane, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX trips_place ON trips (log_id, lane, seq);
`;

export const TRIP_CLASSES: ColumnClasses = {
  trips: {
    vehicle: ["Internal"],
    kind: ["Internal"],
    at_ms: ["Confidential", "SPI"],
    log_id: ["Internal"],
    lane: ["Internal"],
    seq: ["Internal"],
    sealed: ["Internal"],
    data: ["Confidential", "PPI", "GEO", "SPI"],
  },
};

const STARTED = EVENT_KINDS["trip.started"].code;
const ENDED = EVENT_KINDS["trip.ended"].code;

/** Numbers of the kinds. */
export const TRIP_KINDS: readonly number[] = [STARTED, ENDED];
export const isOfTrip = (code: number): boolean => TRIP_KINDS.includes(code);

export type TripEvent = {
  readonly vehicle: VehicleId;
  readonly kind: number;
  readonly atMs: number;
  readonly log: number;
  readonly lane: number;
  readonly seq: number;
  readonly sealing: number;
  readonly data: Uint8Array;
};

export function putTripEvent(sql: Sql, event: TripEvent): void {
  const { vehicle, kind, atMs, log, lane, seq, sealing, data } = event;
  sql.run(
    "INSERT INTO trips (vehicle, kind, at_ms, log_id, lane, seq, sealed, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    ...[vehicle, kind, atMs, log, lane, seq, sealing, data],
  );
}

/** As of event rows: a few in one statement. */
const ROWS_AT_ONCE = 25;
const OWN_VALUES = 3;
const INSERTS: readonly string[] = Array.from({ length: ROWS_AT_ONCE + 1 }, (_, rows) => {
  const values = Array.from(
    { length: rows },
    () => "(@vehicle, ?, ?, @log, @lane, ?, @sealing, x'')",
  );
  return `INSERT INTO trips (vehicle, kind, at_ms, log_id, lane, seq, sealed, data) VALUES ${values.join(", ")} ON CONFLICT DO NOTHING`;
});

/** Trip events of one segment that lies in rows: their data is read from there, where it is sealed with that of the others. */
export class TripRows {
  readonly #sql: Sql;
  readonly #place: Readonly<Record<"vehicle" | "log" | "lane" | "sealing", SqlValue>>;
  #values: SqlValue[] = [];

  constructor(sql: Sql, place: Pick<TripEvent, "vehicle" | "log" | "lane" | "sealing">) {
    this.#sql = sql;
    this.#place = place;
  }

  add(kind: number, atMs: number, seq: number): void {
    this.#values.push(kind, atMs, seq);
    if (this.#values.length === ROWS_AT_ONCE * OWN_VALUES) this.end();
  }

  /** Writes what is still to be written. */
  end(): void {
    const insert = INSERTS[this.#values.length / OWN_VALUES];
    if (insert === undefined || this.#values.length === 0) return;
    this.#sql.many(insert)(this.#values, this.#place);
    this.#values = [];
  }
}

type Row = {
  readonly vehicle: string;
  readonly kind: number;
  readonly at_ms: number;
  readonly log_id: number;
  readonly lane: number;
  readonly seq: number;
  readonly sealed: number;
  readonly data: Uint8Array;
  readonly log: Uint8Array;
};
const COLUMNS = "vehicle, kind, at_ms, log_id, lane, seq, sealed, data";

export function queryTrips(engine: Engine, query: TripQuery): Page<TripRecord> {
  const limit = Math.min(Math.max(1, Math.floor(query.limit)), TRIPS_PAGE_MAX);
  const after = query.after === undefined ? START : parseCursor(query.after);
  const { vehicle: only, fromMs = Number.MIN_SAFE_INTEGER, toMs = Number.MAX_SAFE_INTEGER } = query;
  return engine.store.read((sql) => {
    const rows = sql.all<Row>(
      `SELECT ${COLUMNS}, (SELECT log FROM logs WHERE id = log_id) AS log FROM trips WHERE kind = ? AND vehicle ${only === undefined ? ">=" : "="} ? ` +
        "AND at_ms BETWEEN ? AND ? AND (vehicle, at_ms, log_id, lane, seq) > (?, ?, ?, ?, ?) " +
        "ORDER BY vehicle, at_ms, log_id, lane, seq LIMIT ?",
      ...[ENDED, only ?? after.vehicle],
      ...[
        only !== undefined && only === after.vehicle ? Math.max(fromMs, after.atMs) : fromMs,
        toMs,
      ],
      ...[after.vehicle, after.atMs, after.logId, after.lane, after.seq, limit + 1],
    );
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const keys = engine.keys.existingOf(page.map(({ vehicle }) => `vehicle:${vehicle}` as const));
    const seals = new RowSeals(sql, engine.tenant);
    const read: ReadOf = (row, name, key) => dataOf({ engine, sql, seals }, row, name, key);
    const items = page.map((row) => tripOf(sql, row, keys.get(`vehicle:${row.vehicle}`), read));
    return rows.length > limit && last !== undefined
      ? { items, next: formatCursor(last) }
      : { items };
  });
}

function tripOf(sql: Sql, row: Row, key: SubjectKey | undefined, read: ReadOf): TripRecord {
  // What stands last before it: another end means that its own beginning did not come in.
  const before = sql.get<Row>(
    `SELECT ${COLUMNS} FROM trips WHERE log_id = ? AND lane = ? AND seq < ? ORDER BY seq DESC LIMIT 1`,
    ...[row.log_id, row.lane, row.seq],
  );
  const start = before?.kind === STARTED ? { ...before, log: row.log } : undefined;
  const ended = read(row, "trip.ended", key);
  const startedAtMs =
    start?.at_ms ?? (ended === null ? undefined : row.at_ms - 1000 * ended.durationS);
  return {
    vehicle: vehicleId(row.vehicle),
    log: toHex(row.log),
    seq: row.seq,
    ...(startedAtMs === undefined ? {} : { startedAtMs }),
    endedAtMs: row.at_ms,
    ...(start === undefined ? {} : { began: read(start, "trip.started", key) }),
    ended,
  };
}

type TripKind = "trip.started" | "trip.ended";
type DataOf<K extends TripKind> = K extends "trip.ended"
  ? NonNullable<TripRecord["ended"]>
  : NonNullable<TripRecord["began"]>;

type ReadOf = <K extends TripKind>(
  row: Row,
  name: K,
  key: SubjectKey | undefined,
) => DataOf<K> | null;
type Reader = { readonly engine: Engine; readonly sql: Sql; readonly seals: RowSeals };

function dataOf<K extends TripKind>(
  reader: Reader,
  row: Row,
  name: K,
  key: SubjectKey | undefined,
): DataOf<K> | null {
  if (row.sealed === SEALING.erased || key === undefined) return null;
  const plain =
    row.sealed === SEALING.together ? dataOfRow(reader, row, key) : ownData(reader, row, key);
  return plain && (eventDataCodec(name).fromCbor(decodeCbor(plain), name) as DataOf<K>);
}

function ownData(
  { engine: { tenant } }: Reader,
  { vehicle, log, lane, seq, kind, data }: Row,
  key: SubjectKey,
): Uint8Array {
  return key.open(
    data,
    eventBinding(tenant, { vehicle: vehicleId(vehicle), log, lane, seq, kind }),
  );
}

/** From the row of the event itself, which is of no fork; null where it is not kept any more. */
function dataOfRow({ sql, seals }: Reader, row: Row, key: SubjectKey): Uint8Array | null {
  const { lane, seq, kind } = row;
  const event = sql.get<{ segment: number; sealed: number }>(
    "SELECT e.segment_id AS segment, e.sealed FROM events e JOIN segments s ON s.id = e.segment_id " +
      "WHERE e.log_id = ? AND e.lane = ? AND e.seq = ? AND e.kind = ? AND e.at_ms = ? AND s.fork = 0 ORDER BY e.segment_id",
    ...[row.log_id, lane, seq, kind, row.at_ms],
  );
  if (event?.sealed !== SEALING.together) return null;
  const log = { id: row.log_id, vehicle: vehicleId(row.vehicle), bytes: row.log };
  return seals.data({ log, lane, segment: event.segment }, key, seq, kind);
}

type Cursor = {
  readonly vehicle: string;
  readonly atMs: number;
  readonly logId: number;
  readonly lane: number;
  readonly seq: number;
};
const START: Cursor = { vehicle: "", atMs: 0, logId: 0, lane: 0, seq: 0 };

function formatCursor({ vehicle, at_ms, log_id, lane, seq }: Row): string {
  return [vehicle, at_ms, log_id, lane, seq].join("~");
}

/** `vehicle~end~log~lane~seq`, as a page gave it. */
function parseCursor(text: string): Cursor {
  const [, vehicle, atMs, logId, lane, seq] =
    /^([a-z0-9-]{1,40})~(-?\d{1,16})~(\d{1,16})~([0-2])~(\d{1,16})$/.exec(text) ?? [];
  if (vehicle === undefined)
    throw new ProtocolError("malformed", "cursor: expected the `next` of a page");
  return {
    vehicle,
    ...{ atMs: Number(atMs), logId: Number(logId), lane: Number(lane), seq: Number(seq) },
  };
}
