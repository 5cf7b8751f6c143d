/** Writing the events of a segment: `track` as one chunk, the others a row each; and the newest of each kind. */
import {
  type CarEvent,
  type CheckedColumns,
  type ColumnRow,
  checkColumns,
  EVENT_KINDS,
  encodeCbor,
  encodeColumns,
  encodeEvent,
  eventAtMs,
  eventDataCodec,
  isEventKind,
  isPersonalKind,
  LANES,
  type OpenedSegment,
} from "@kerbside/protocol";
import { putChunk } from "./chunks.ts";
import type { Sql } from "./database.ts";
import { type Engine, eventBinder, SEALING } from "./engine.ts";
import type { SubjectKey } from "./subject-keys.ts";

const CHUNKED = LANES.indexOf("track");
/** Numbers of the kinds that hold personal data. */
const PERSONAL: ReadonlySet<number> = new Set(
  Object.keys(EVENT_KINDS)
    .filter(isEventKind)
    .filter(isPersonalKind)
    .map((kind) => EVENT_KINDS[kind].code),
);
const NOTHING = new Uint8Array(0);

export type Placed = {
  readonly segment: OpenedSegment;
  readonly log: number;
  readonly lane: number;
  /** Of the segment. */
  readonly id: number;
  /** Undefined where it was destroyed. */
  readonly key: SubjectKey | undefined;
  /** False for a fork, whose events are kept and listed but never are the car's newest state. */
  readonly current: boolean;
};

type Sealed = { readonly sealing: number; readonly data: Uint8Array };
type Newest = Omit<ColumnRow, "data"> & Sealed & { readonly seq: number };
/** What the rest of the store takes over from the events of a segment. */
type Written = {
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  /** The newest event of each kind within one log: its boot clock never goes back. */
  readonly newest: readonly Newest[];
};

/** False for a gap. */
export function hasContent({ events, columns }: OpenedSegment): boolean {
  return events.length > 0 || columns !== undefined;
}

export function putEvents(engine: Engine, sql: Sql, placed: Placed): void {
  const { segment, log, lane } = placed;
  if (!hasContent(segment)) return;
  const { firstAtMs, lastAtMs, newest } =
    lane === CHUNKED ? putAsChunk(engine, sql, placed) : putAsRows(engine, sql, placed);
  sql.run(
    "UPDATE logs SET first_at_ms = min(coalesce(first_at_ms, ?), ?), last_at_ms = max(coalesce(last_at_ms, ?), ?) WHERE id = ?",
    ...[firstAtMs, firstAtMs, lastAtMs, lastAtMs, log],
  );
  if (!placed.current) return;
  for (const { kind, bootMs, seq, atMs, sealing, data } of newest)
    sql.run(
      "INSERT INTO latest (vehicle, kind, log_id, boot_ms, lane, seq, at_ms, sealed, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) " +
        "ON CONFLICT DO UPDATE SET boot_ms = excluded.boot_ms, lane = excluded.lane, seq = excluded.seq, " +
        "at_ms = excluded.at_ms, sealed = excluded.sealed, data = excluded.data " +
        "WHERE (excluded.boot_ms, excluded.lane, excluded.seq) > (latest.boot_ms, latest.lane, latest.seq)",
      ...[segment.header.vehicle, kind, log, bootMs, lane, seq, atMs, sealing, data],
    );
}

function putAsRows({ tenant }: Engine, sql: Sql, placed: Placed): Written {
  const { segment, log, lane, id, key } = placed;
  const { vehicle, log: bytes, firstSeq } = segment.header;
  const bind = eventBinder(tenant, { vehicle, log: bytes, lane });
  const insert = sql.many(
    "INSERT INTO events (log_id, lane, seq, segment_id, at_ms, kind, sealed, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const newest = new Map<number, Newest>();
  let firstAtMs = Number.POSITIVE_INFINITY;
  let lastAtMs = Number.NEGATIVE_INFINITY;
  let seq = firstSeq;
  for (const { kind, bootMs, atMs, data } of rowsOf(segment)) {
    const row = sealRow(key, kind, data, () => bind(seq, kind));
    insert(log, lane, seq, id, atMs, kind, row.sealing, row.data);
    if (atMs < firstAtMs) firstAtMs = atMs;
    if (atMs > lastAtMs) lastAtMs = atMs;
    const known = newest.get(kind);
    if (known === undefined || bootMs >= known.bootMs)
      newest.set(kind, { kind, bootMs, atMs, seq, ...row });
    seq += 1;
  }
  return { firstAtMs, lastAtMs, newest: [...newest.values()] };
}

function rowsOf({ events, columns }: OpenedSegment): Iterable<ColumnRow> {
  return columns?.rows() ?? events.map(rowOf);
}

function rowOf(event: CarEvent): ColumnRow {
  const data = encodeCbor(eventDataCodec(event.kind).toCbor(event.data, event.kind));
  const { bootMs, kind } = event;
  return { bootMs, atMs: eventAtMs(event), kind: EVENT_KINDS[kind].code, data };
}

function putAsChunk(engine: Engine, sql: Sql, placed: Placed): Written {
  const { log, lane, id, key, segment } = placed;
  const { vehicle, log: bytes, firstSeq } = segment.header;
  const columns = columnsOf(segment);
  putChunk(
    engine,
    sql,
    { log: { id: log, vehicle, bytes }, lane, segment: id, firstSeq, key },
    columns,
  );
  const bind = eventBinder(engine.tenant, { vehicle, log: bytes, lane });
  const newest = columns.newest.map(({ event, place }) => {
    const seq = firstSeq + place;
    const { data, ...row } = rowOf(event);
    return { ...row, seq, ...sealRow(key, row.kind, data, () => bind(seq, row.kind)) };
  });
  return { firstAtMs: columns.firstAtMs, lastAtMs: columns.lastAtMs, newest };
}

function columnsOf({ columns, events }: OpenedSegment): CheckedColumns {
  return (
    columns ?? checkColumns(encodeColumns(events.map((event) => encodeEvent(event))), events.length)
  );
}

function sealRow(
  key: SubjectKey | undefined,
  kind: number,
  plain: Uint8Array,
  bound: () => Uint8Array,
): Sealed {
  if (!PERSONAL.has(kind)) return { sealing: SEALING.plain, data: plain };
  if (key === undefined) return { sealing: SEALING.erased, data: NOTHING };
  return { sealing: SEALING.sealed, data: key.seal(plain, bound()) };
}
