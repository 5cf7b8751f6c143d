/** Writing the events of a segment: all of them as one chunk, and the newest of each kind. */
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
  type OpenedSegment,
} from "@kerbside/protocol";
import type { Batch } from "./batch.ts";
import { putChunk } from "./chunks.ts";
import type { Sql } from "./database.ts";
import { type Engine, eventBinder, isPersonal, SEALING } from "./engine.ts";
import type { SubjectKey } from "./subject-keys.ts";
import { isOfTrip, putTripEvent } from "./trips.ts";

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
  const written = putAsChunk(batch.engine, batch.sql, placed);
  const { vehicle } = segment.header;
  batch.spans(vehicle, log, written);
  if (!placed.current) return;
  for (const newest of written.newest) batch.newest({ ...newest, vehicle, log, lane });
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
    { ...columns, personal: columns.kinds.some(isPersonal) },
  );
  const bind = eventBinder(engine.tenant, { vehicle, log: bytes, lane });
  if (placed.current && columns.kinds.some(isOfTrip)) putTrips(sql, placed, columns, bind);
  const newest = columns.newest.map(({ event, place }) => {
    const seq = firstSeq + place;
    const { data, ...row } = rowOf(event);
    return { ...row, seq, ...sealRow(key, row.kind, data, () => bind(seq, row.kind)) };
  });
  return { firstAtMs: columns.firstAtMs, lastAtMs: columns.lastAtMs, newest };
}

function putTrips(
  sql: Sql,
  { segment, log, lane, key }: Placed,
  columns: CheckedColumns,
  bind: (seq: number, kind: number) => Uint8Array,
): void {
  const { vehicle, firstSeq } = segment.header;
  let seq = firstSeq;
  for (const { atMs, kind, data } of columns.rows()) {
    const at = seq;
    seq += 1;
    if (!isOfTrip(kind)) continue;
    const sealed = sealRow(key, kind, data, () => bind(at, kind));
    putTripEvent(sql, { vehicle, log, lane, seq: at, kind, atMs, ...sealed });
  }
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
  if (!isPersonal(kind)) return { sealing: SEALING.plain, data: plain };
  if (key === undefined) return { sealing: SEALING.erased, data: NOTHING };
  return { sealing: SEALING.sealed, data: key.seal(plain, bound()) };
}
