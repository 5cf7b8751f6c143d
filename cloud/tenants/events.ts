/** Reading events back: pages in a fixed order, and the newest of each kind. */
import {
  type DeclaredGap,
  decodeCbor,
  EVENT_KINDS,
  type EventQuery,
  eventDataCodec,
  LANES,
  type Page,
  ProtocolError,
  type StoredEvent,
  toHex,
  type VehicleId,
  vehicleId,
} from "@kerbside/protocol";
import { chunkEvents } from "./chunks.ts";
import type { Sql } from "./database.ts";
import { type Engine, eventBinding, kindName, laneName, SEALING } from "./engine.ts";
import { type LogNode, orderLogs } from "./log-order.ts";
import { type EventRow, readRows } from "./read-rows.ts";
import { RowSeals } from "./row-seals.ts";
import type { SubjectKey } from "./subject-keys.ts";

/** The most items of one page, whatever is asked for. */
export const EVENTS_PAGE_MAX = 1000;

export type Log = LogNode & {
  readonly vehicle: VehicleId;
  readonly bytes: Uint8Array;
  readonly lastAtMs: number | undefined;
};
/** A place in a lane: the sequence number, then the segment, which tells the branches of a fork apart. */
type Place = { readonly seq: number; readonly segment: number };
type Cursor = Place & { readonly vehicle: string; readonly log: string; readonly lane: number };
type Item = Place & { readonly value: StoredEvent | DeclaredGap };

export function queryEvents(engine: Engine, query: EventQuery): Page<StoredEvent | DeclaredGap> {
  const limit = Math.min(Math.max(1, Math.floor(query.limit)), EVENTS_PAGE_MAX);
  const after = query.after === undefined ? undefined : parseCursor(query.after);
  const key = keysOnce(engine);
  return engine.store.read((sql) => {
    const items: (StoredEvent | DeclaredGap)[] = [];
    let last: Cursor | undefined;
    for (const { log, lane, from } of lanesAfter(sql, query, after)) {
      const wanted = limit + 1 - items.length;
      for (const item of laneItems(engine, sql, { log, lane, from, wanted, query, key })) {
        if (items.length === limit) return { items, next: formatCursor(last) };
        items.push(item.value);
        last = { vehicle: log.vehicle, log: log.log, lane, seq: item.seq, segment: item.segment };
      }
    }
    return { items };
  });
}

/** The key of a vehicle, looked up once a page. */
export type KeyOf = (vehicle: VehicleId) => SubjectKey | undefined;

function keysOnce({ keys }: Engine): KeyOf {
  const found = new Map<VehicleId, SubjectKey | undefined>();
  return (vehicle) => {
    if (!found.has(vehicle)) found.set(vehicle, keys.existing(`vehicle:${vehicle}`));
    return found.get(vehicle);
  };
}

const START: Place = { seq: 0, segment: 0 };

/** The lanes still to be read, in order, each with where to go on. */
function* lanesAfter(
  sql: Sql,
  query: EventQuery,
  after: Cursor | undefined,
): Generator<{ log: Log; lane: number; from: Place }> {
  for (const vehicle of vehiclesFrom(sql, query.vehicle, after?.vehicle)) {
    const logs = logsOf(sql, vehicle);
    const isAfterCursor = after?.vehicle === vehicle;
    const begin = isAfterCursor ? logs.findIndex((log) => log.log === after.log) : 0;
    if (begin < 0)
      throw new ProtocolError("malformed", "cursor: names a log that is not stored here");
    for (const [i, log] of logs.slice(begin).entries()) {
      if (outside(log, query)) continue;
      for (const lane of LANES.keys()) {
        const here = isAfterCursor && i === 0 ? after : undefined;
        if (here !== undefined && lane < here.lane) continue;
        yield { log, lane, from: here?.lane === lane ? here : START };
      }
    }
  }
}

function outside(log: Log, { fromMs, toMs }: EventQuery): boolean {
  return (
    (fromMs !== undefined && (log.lastAtMs ?? 0) < fromMs) ||
    (toMs !== undefined && (log.firstAtMs ?? Number.POSITIVE_INFINITY) > toMs)
  );
}

function vehiclesFrom(sql: Sql, only: VehicleId | undefined, from = ""): readonly VehicleId[] {
  if (only !== undefined) return only >= from ? [only] : [];
  return sql
    .all<{ vehicle: string }>(
      "SELECT DISTINCT vehicle FROM logs WHERE vehicle >= ? ORDER BY vehicle",
      from,
    )
    .map((row) => vehicleId(row.vehicle));
}

/** In their order. */
export function logsOf(sql: Sql, vehicle: VehicleId): readonly Log[] {
  type Row = {
    id: number;
    log: Uint8Array;
    previous: Uint8Array | null;
    first: number | null;
    last: number | null;
  };
  const rows = sql.all<Row>(
    "SELECT id, log, previous_log AS previous, first_at_ms AS first, last_at_ms AS last FROM logs WHERE vehicle = ?",
    vehicle,
  );
  return orderLogs(
    rows.map((row) => ({
      id: row.id,
      vehicle,
      bytes: row.log,
      log: toHex(row.log),
      previous: row.previous === null ? undefined : toHex(row.previous),
      firstAtMs: row.first ?? undefined,
      lastAtMs: row.last ?? undefined,
    })),
  );
}

type LaneQuery = {
  readonly log: Log;
  readonly lane: number;
  readonly from: Place;
  readonly wanted: number;
  readonly query: EventQuery;
  readonly key: KeyOf;
};

function laneItems(engine: Engine, sql: Sql, q: LaneQuery): readonly Item[] {
  const { log, lane, from, wanted } = q;
  const gaps = sql.all<{ seq: number; segment: number; count: number }>(
    "SELECT first_seq AS seq, id AS segment, count FROM segments " +
      "WHERE log_id = ? AND lane = ? AND gone = 1 AND (first_seq, id) > (?, ?) ORDER BY first_seq, id LIMIT ?",
    ...[log.id, lane, from.seq, from.segment, wanted],
  );
  const chunked = chunkItems(engine, sql, q);
  const others = [
    ...rowItems(engine, sql, q),
    ...gaps.map(({ seq, segment, count }) => ({
      seq,
      segment,
      value: declaredGap(log, lane, seq, count),
    })),
  ];
  if (others.length === 0) return chunked.slice(0, wanted);
  const items: Item[] = [...chunked, ...others];
  return items.sort((a, b) => a.seq - b.seq || a.segment - b.segment).slice(0, wanted);
}

function rowItems(engine: Engine, sql: Sql, q: LaneQuery): readonly Item[] {
  const { log, lane, from, wanted, query } = q;
  const rows = readRows(sql, {
    ...{ log: log.id, lane, from, wanted },
    fromMs: query.fromMs,
    toMs: query.toMs,
    kinds: query.kinds?.map((kind) => EVENT_KINDS[kind].code),
  });
  const seals = new RowSeals(sql, engine.tenant);
  return rows.map((row): Item => {
    const { segment, seq, kind } = row;
    const vehicleKey = row.sealed === SEALING.together ? q.key(log.vehicle) : undefined;
    if (vehicleKey === undefined)
      return { seq, segment, value: storedEvent(engine, log, lane, row, q.key) };
    const data = seals.data({ log, lane, segment }, vehicleKey, seq, kind);
    const plain = { seq, kind, at_ms: row.at_ms, sealed: SEALING.plain, data };
    return { seq, segment, value: storedEvent(engine, log, lane, plain, q.key) };
  });
}

function chunkItems(engine: Engine, sql: Sql, q: LaneQuery): readonly Item[] {
  const { log, lane, from, wanted, query, key } = q;
  return chunkEvents(engine, sql, {
    ...{ log, lane, from, wanted, key },
    fromMs: query.fromMs ?? Number.MIN_SAFE_INTEGER,
    toMs: query.toMs ?? Number.MAX_SAFE_INTEGER,
    kinds: query.kinds && new Set(query.kinds.map((kind) => EVENT_KINDS[kind].code)),
  });
}

function declaredGap(log: Log, lane: number, seq: number, count: number): DeclaredGap {
  return { vehicle: log.vehicle, log: log.log, lane: laneName(lane), gap: [seq, seq + count - 1] };
}

/** `data` is null where the key it was sealed under has been destroyed. */
export function storedEvent(
  { tenant }: Engine,
  log: NamedLog,
  lane: number,
  row: Omit<EventRow, "segment">,
  key: KeyOf,
): StoredEvent {
  const kind = kindName(row.kind);
  const place = {
    vehicle: log.vehicle,
    log: log.log,
    lane: laneName(lane),
    seq: row.seq,
    atMs: row.at_ms,
    kind,
  };
  const vehicleKey = row.sealed === SEALING.sealed ? key(log.vehicle) : undefined;
  if (row.sealed !== SEALING.plain && vehicleKey === undefined) return { ...place, data: null };
  const { vehicle, bytes } = log;
  const bound = (): Uint8Array =>
    eventBinding(tenant, { vehicle, log: bytes, lane, seq: row.seq, kind: row.kind });
  const plain = vehicleKey === undefined ? row.data : vehicleKey.open(row.data, bound());
  return { ...place, data: eventDataCodec(kind).fromCbor(decodeCbor(plain), kind) };
}

export type NamedLog = Pick<Log, "vehicle" | "log" | "bytes">;

function formatCursor(cursor: Cursor | undefined): string {
  if (cursor === undefined) throw new ProtocolError("malformed", "cursor: a page needs an item");
  const { vehicle, log, lane, seq, segment } = cursor;
  return [vehicle, log, lane, seq, segment].join("~");
}

/** Cursors are words of the alphabet of URLs: `vehicle~log~lane~seq~segment`. */
function parseCursor(text: string): Cursor {
  const match = /^([a-z0-9-]{1,40})~([0-9a-f]{32})~([0-2])~(\d{1,16})~(\d{1,16})$/.exec(text);
  const [, vehicle, log, lane, seq, segment] = match ?? [];
  if (vehicle === undefined || log === undefined)
    throw new ProtocolError("malformed", "cursor: expected the `next` of a page");
  return { vehicle, log, lane: Number(lane), seq: Number(seq), segment: Number(segment) };
}
