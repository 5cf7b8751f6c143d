/** Writing the events of a segment: `track` as one chunk, the others a row each; and the newest of each kind. */
import {
  type CarEvent,
  type CheckedColumns,
  checkColumns,
  columnEvents,
  EVENT_KINDS,
  encodeCbor,
  encodeColumns,
  encodeEvent,
  eventAtMs,
  eventDataCodec,
  isPersonalKind,
  LANES,
  type OpenedSegment,
} from "@kerbside/protocol";
import { putChunk } from "./chunks.ts";
import type { Sql } from "./database.ts";
import { type Engine, eventBinding, SEALING } from "./engine.ts";
import type { SubjectKey } from "./subject-keys.ts";

const CHUNKED = LANES.indexOf("track");
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

type Newest = { readonly event: CarEvent; readonly seq: number; readonly row: EventRow };
type EventRow = { readonly atMs: number; readonly sealing: number; readonly data: Uint8Array };
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
  for (const { event, seq, row } of newest)
    sql.run(
      "INSERT INTO latest (vehicle, kind, log_id, boot_ms, lane, seq, at_ms, sealed, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) " +
        "ON CONFLICT DO UPDATE SET boot_ms = excluded.boot_ms, lane = excluded.lane, seq = excluded.seq, " +
        "at_ms = excluded.at_ms, sealed = excluded.sealed, data = excluded.data " +
        "WHERE (excluded.boot_ms, excluded.lane, excluded.seq) > (latest.boot_ms, latest.lane, latest.seq)",
      ...[segment.header.vehicle, EVENT_KINDS[event.kind].code, log, event.bootMs, lane, seq],
      ...[row.atMs, row.sealing, row.data],
    );
}

function putAsRows(engine: Engine, sql: Sql, placed: Placed): Written {
  const { segment, log, lane, id } = placed;
  const { firstSeq } = segment.header;
  const events =
    segment.columns === undefined
      ? segment.events
      : columnEvents(segment.columns.body, segment.columns.count);
  const newest = new Map<string, Newest>();
  let firstAtMs = Number.POSITIVE_INFINITY;
  let lastAtMs = Number.NEGATIVE_INFINITY;
  for (const [i, event] of events.entries()) {
    const seq = firstSeq + i;
    const row = eventRow(engine, placed, event, seq);
    sql.run(
      "INSERT INTO events (log_id, lane, seq, segment_id, at_ms, kind, sealed, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      ...[log, lane, seq, id, row.atMs, EVENT_KINDS[event.kind].code, row.sealing, row.data],
    );
    firstAtMs = Math.min(firstAtMs, row.atMs);
    lastAtMs = Math.max(lastAtMs, row.atMs);
    const known = newest.get(event.kind);
    if (known === undefined || event.bootMs >= known.event.bootMs)
      newest.set(event.kind, { event, seq, row });
  }
  return { firstAtMs, lastAtMs, newest: [...newest.values()] };
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
  const newest = columns.newest.map(({ event, place }) => {
    const seq = firstSeq + place;
    return { event, seq, row: eventRow(engine, placed, event, seq) };
  });
  return { firstAtMs: columns.firstAtMs, lastAtMs: columns.lastAtMs, newest };
}

function columnsOf({ columns, events }: OpenedSegment): CheckedColumns {
  return (
    columns ?? checkColumns(encodeColumns(events.map((event) => encodeEvent(event))), events.length)
  );
}

function eventRow(
  { tenant }: Engine,
  { segment, lane, key }: Placed,
  event: CarEvent,
  seq: number,
): EventRow {
  const atMs = eventAtMs(event);
  const plain = encodeCbor(eventDataCodec(event.kind).toCbor(event.data, event.kind));
  if (!isPersonalKind(event.kind)) return { atMs, sealing: SEALING.plain, data: plain };
  if (key === undefined) return { atMs, sealing: SEALING.erased, data: NOTHING };
  const { vehicle, log } = segment.header;
  const kind = EVENT_KINDS[event.kind].code;
  const bound = eventBinding(tenant, { vehicle, log, lane, seq, kind });
  return { atMs, sealing: SEALING.sealed, data: key.seal(plain, bound) };
}
