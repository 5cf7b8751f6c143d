/** Writing the events of a segment: `track` as one chunk, the others a row each; its trips, and the newest of each kind. */
import {
  type CarEvent,
  type CheckedColumns,
  checkColumns,
  EVENT_KINDS,
  encodeCbor,
  encodeColumns,
  encodeEvent,
  eventAtMs,
  eventDataCodec,
  LANES,
  type OpenedSegment,
  rowData,
} from "@kerbside/protocol";
import type { Batch, SealedData } from "./batch.ts";
import { putChunk } from "./chunks.ts";
import type { Sql } from "./database.ts";
import { type Engine, eventBinding, isPersonal, SEALING } from "./engine.ts";
import { EventRows } from "./event-rows.ts";
import { putRowSpan } from "./read-rows.ts";
import { isOfRental, rentalNews } from "./rental-news.ts";
import { RowSeal } from "./row-seals.ts";
import type { SubjectKey } from "./subject-keys.ts";
import { isOfTrip, putTripEvent, TripRows } from "./trips.ts";

/** The lane whose segments are kept as they came. */
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

/** False for a gap. */
export function hasContent({ events, columns }: OpenedSegment): boolean {
  return events.length > 0 || columns !== undefined;
}

type Bind = (seq: number, kind: number) => Uint8Array;

export function putEvents(batch: Batch, placed: Placed): void {
  const { segment, log, lane, key, current } = placed;
  if (!hasContent(segment)) return;
  const { engine, sql } = batch;
  const { vehicle, log: bytes, firstSeq } = segment.header;
  const columns = columnsOf(segment);
  const bind: Bind = (seq, kind) =>
    eventBinding(engine.tenant, { vehicle, log: bytes, lane, seq, kind });
  if (lane === CHUNKED) {
    putAsChunk(engine, sql, placed, columns);
    if (current && columns.kinds.some(isOfTrip)) putTripsOfChunk(sql, placed, columns, bind);
  } else putAsRows(engine, sql, placed, columns);
  batch.spans(vehicle, log, columns);
  if (!current) return;
  for (const { event, place } of columns.newest) {
    const [seq, { code: kind }] = [firstSeq + place, EVENT_KINDS[event.kind]];
    const sealed = (): SealedData => sealRow(key, kind, dataOf(event), () => bind(seq, kind));
    const { bootMs } = event;
    batch.newest({ vehicle, log, lane, kind, bootMs, seq, atMs: eventAtMs(event), sealed });
  }
}

function dataOf({ kind, data }: CarEvent): Uint8Array {
  return encodeCbor(eventDataCodec(kind).toCbor(data, kind));
}

function putAsChunk(engine: Engine, sql: Sql, placed: Placed, columns: CheckedColumns): void {
  const { log, lane, id, key, segment } = placed;
  const { vehicle, log: bytes, firstSeq } = segment.header;
  putChunk(
    engine,
    sql,
    { log: { id: log, vehicle, bytes }, lane, segment: id, firstSeq, key },
    { ...columns, personal: columns.kinds.some(isPersonal) },
  );
}

function putAsRows(
  { tenant, nowMs }: Engine,
  sql: Sql,
  placed: Placed,
  { kinds, ...columns }: CheckedColumns,
): void {
  const { log, lane, id, key, segment, current } = placed;
  const { vehicle, log: bytes, firstSeq } = segment.header;
  const { atMs, data, ends } = columns.rows();
  const whole = Buffer.from(data.buffer, data.byteOffset, data.length);
  const rows = new EventRows(sql, { log, lane, segment: id, seq: firstSeq }, data);
  const personal = new RowSeal();
  const sealing = key === undefined ? SEALING.erased : SEALING.together;
  const trips = new TripRows(sql, { vehicle, log, lane, sealing });
  const tell = rentalNews(sql, vehicle, nowMs());
  let from = 0;
  for (let i = 0; i < kinds.length; i += 1) {
    const [kind, at, to] = [kinds[i] ?? 0, atMs[i] ?? 0, ends[i] ?? 0];
    if (isPersonal(kind)) {
      rows.add(at, kind, sealing, from, from);
      personal.add(firstSeq + i, kind, whole, from, to);
    } else rows.add(at, kind, SEALING.plain, from, to);
    if (current && isOfTrip(kind)) trips.add(kind, at, firstSeq + i);
    if (current && isOfRental(kind)) tell(kind, data.subarray(from, to));
    from = to;
  }
  rows.end();
  putRowSpan(sql, { ...columns, log, lane, segment: id, firstSeq });
  if (key !== undefined)
    personal.end(sql, tenant, { log: { id: log, vehicle, bytes }, lane, segment: id }, key);
  trips.end();
}

/** What begins or ends a trip, each sealed by itself. */
function putTripsOfChunk(
  sql: Sql,
  { segment, log, lane, key }: Placed,
  { kinds, ...columns }: CheckedColumns,
  bind: Bind,
): void {
  const { vehicle, firstSeq } = segment.header;
  const rows = columns.rows();
  for (const [i, kind] of kinds.entries()) {
    if (!isOfTrip(kind)) continue;
    const [seq, atMs] = [firstSeq + i, rows.atMs[i] ?? 0];
    const sealed = sealRow(key, kind, rowData(rows, i), () => bind(seq, kind));
    putTripEvent(sql, { vehicle, log, lane, seq, kind, atMs, ...sealed });
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
): SealedData {
  if (!isPersonal(kind)) return { sealing: SEALING.plain, data: plain };
  if (key === undefined) return { sealing: SEALING.erased, data: NOTHING };
  return { sealing: SEALING.sealed, data: key.seal(plain, bound()) };
}
