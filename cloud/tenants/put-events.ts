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
import type { Batch } from "./batch.ts";
import { putChunk } from "./chunks.ts";
import type { Sql } from "./database.ts";
import { type Engine, eventBinder, SEALING } from "./engine.ts";
import { EventRows } from "./event-rows.ts";
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

export function putEvents(batch: Batch, placed: Placed): void {
  const { segment, log, lane } = placed;
  if (!hasContent(segment)) return;
  const { engine, sql } = batch;
  const written =
    lane === CHUNKED ? putAsChunk(engine, sql, placed) : putAsRows(engine, sql, placed);
  batch.spans(log, written);
  if (!placed.current) return;
  const { vehicle } = segment.header;
  for (const newest of written.newest) batch.newest({ ...newest, vehicle, log, lane });
}

function putAsRows({ tenant }: Engine, sql: Sql, placed: Placed): Written {
  const { segment, log, lane, id, key } = placed;
  const { vehicle, log: bytes, firstSeq } = segment.header;
  const bind = eventBinder(tenant, { vehicle, log: bytes, lane });
  const rows = new EventRows(sql, { log, lane, segment: id, seq: firstSeq });
  const newest = new Map<number, Newest>();
  let firstAtMs = Number.POSITIVE_INFINITY;
  let lastAtMs = Number.NEGATIVE_INFINITY;
  let seq = firstSeq;
  for (const { kind, bootMs, atMs, data } of rowsOf(segment)) {
    const row = sealRow(key, kind, data, () => bind(seq, kind));
    rows.add(atMs, kind, row.sealing, row.data);
    if (atMs < firstAtMs) firstAtMs = atMs;
    if (atMs > lastAtMs) lastAtMs = atMs;
    const known = newest.get(kind);
    if (known === undefined || bootMs >= known.bootMs)
      newest.set(kind, { kind, bootMs, atMs, seq, ...row });
    seq += 1;
  }
  rows.end();
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
