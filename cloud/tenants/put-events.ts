/** Writing the events of a segment: `track` as one chunk, the others a row each; its trips, and the newest of each kind. */
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
  LANES,
  type OpenedSegment,
} from "@kerbside/protocol";
import type { Batch, SealedData } from "./batch.ts";
import { putChunk } from "./chunks.ts";
import type { Sql } from "./database.ts";
import { type Engine, eventBinder, isPersonal, SEALING } from "./engine.ts";
import { EventRows } from "./event-rows.ts";
import { putRowSpan } from "./read-rows.ts";
import { rentalNews } from "./rental-news.ts";
import { RowSeal } from "./row-seals.ts";
import type { SubjectKey } from "./subject-keys.ts";
import { isOfTrip, putTripEvent } from "./trips.ts";

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
  const bind = eventBinder(engine.tenant, { vehicle, log: bytes, lane });
  const putTrip = putsTrips(sql, placed, bind);
  const tell = rentalNews(sql, vehicle, engine.nowMs());
  const look: Look = (seq, row) => {
    if (!current) return;
    putTrip(seq, row);
    tell(row.kind, row.data);
  };
  if (lane !== CHUNKED) putAsRows(engine, sql, placed, columns, look);
  else {
    putAsChunk(engine, sql, placed, columns);
    if (columns.kinds.some(isOfTrip)) eachRow(columns, firstSeq, look);
  }
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

type Look = (seq: number, row: ColumnRow) => void;

function eachRow(columns: CheckedColumns, firstSeq: number, look: Look): void {
  let seq = firstSeq;
  for (const row of columns.rows()) {
    look(seq, row);
    seq += 1;
  }
}

function putAsRows(
  { tenant }: Engine,
  sql: Sql,
  placed: Placed,
  columns: CheckedColumns,
  look: Look,
): void {
  const { log, lane, id, key, segment } = placed;
  const { vehicle, log: bytes, firstSeq } = segment.header;
  const rows = new EventRows(sql, { log, lane, segment: id, seq: firstSeq });
  const personal = new RowSeal();
  const sealing = key === undefined ? SEALING.erased : SEALING.together;
  eachRow(columns, firstSeq, (seq, row) => {
    const { atMs, kind, data } = row;
    if (isPersonal(kind)) {
      rows.add(atMs, kind, sealing, NOTHING);
      personal.add(seq, kind, data);
    } else rows.add(atMs, kind, SEALING.plain, data);
    look(seq, row);
  });
  rows.end();
  putRowSpan(sql, { ...columns, log, lane, segment: id, firstSeq });
  if (key === undefined) return;
  personal.end(sql, tenant, { log: { id: log, vehicle, bytes }, lane, segment: id }, key);
}

/** Keeps what begins or ends a trip. */
function putsTrips(sql: Sql, { segment, log, lane, key }: Placed, bind: Bind): Look {
  const { vehicle } = segment.header;
  return (seq, { atMs, kind, data }) => {
    if (!isOfTrip(kind)) return;
    const sealed = sealRow(key, kind, data, () => bind(seq, kind));
    putTripEvent(sql, { vehicle, log, lane, seq, kind, atMs, ...sealed });
  };
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
