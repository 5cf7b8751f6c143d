/**
 * Chunks: the events of one segment in one row, as the columns that the car sent, sealed as a whole under the vehicle's
 * key if one of its kinds is personal. Numbers, kinds and the span of time stand beside, for finding and for counting:
 * they are what is left where the key has been destroyed.
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import {
  type CheckedColumns,
  checkColumns,
  columnEvents,
  concatBytes,
  eventAtMs,
  ProtocolError,
  rowData,
  SEGMENT_EVENTS_MAX,
  type StoredEvent,
  type TenantId,
  uint64,
  utf8,
  type VehicleId,
} from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import { type Engine, kindName, laneName, SEALING } from "./engine.ts";
import type { SubjectKey } from "./subject-keys.ts";

const NOTHING = new Uint8Array(0);
/** Numbers of kinds are below 65,536. */
const KIND_BYTES = 2;
/** Chunks read at once. */
const READ_AT_ONCE = 16;

export type ChunkLog = {
  readonly id: number;
  readonly vehicle: VehicleId;
  readonly bytes: Uint8Array;
};
export type ChunkPlace = {
  readonly log: ChunkLog;
  readonly lane: number;
  /** Id of the segment. */
  readonly segment: number;
  readonly firstSeq: number;
  /** Undefined where it was destroyed: then the data is not kept. */
  readonly key: SubjectKey | undefined;
};

/** `personal`: whether any of its kinds is. */
export type ChunkColumns = Pick<
  CheckedColumns,
  "body" | "count" | "firstAtMs" | "lastAtMs" | "kinds"
> & { readonly personal: boolean };

export function putChunk(
  { tenant }: Engine,
  sql: Sql,
  place: ChunkPlace,
  columns: ChunkColumns,
): void {
  const { log, lane, segment, firstSeq, key } = place;
  const { body, count, firstAtMs, lastAtMs, kinds, personal } = columns;
  const sealing = personal ? (key === undefined ? SEALING.erased : SEALING.sealed) : SEALING.plain;
  const sealed = (): Uint8Array =>
    key?.seal(body, chunkBinding(tenant, log, { lane, segment, firstSeq, count })) ?? NOTHING;
  sql.run(
    "INSERT INTO chunks (segment_id, log_id, lane, first_seq, count, first_at_ms, last_at_ms, kinds, sealed, data) " +
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ...[segment, log.id, lane, firstSeq, count, firstAtMs, lastAtMs, packKinds(kinds)],
    sealing,
    personal ? sealed() : body,
  );
}

type BoundPlace = {
  readonly lane: number;
  readonly segment: number;
  readonly firstSeq: number;
  readonly count: number;
};

/** The segment's id tells the branches of a fork apart. */
function chunkBinding(
  tenant: TenantId,
  { vehicle, bytes }: ChunkLog,
  { lane, segment, firstSeq, count }: BoundPlace,
): Uint8Array {
  const head = utf8(`kerbside/v1/chunk\n${tenant}\n${vehicle}\n`);
  return concatBytes(head, bytes, ...[lane, segment, firstSeq, count].map(uint64));
}

/** One number where all are the same, else all of them deflated, which is never as short as that. */
function packKinds(kinds: readonly number[]): Uint8Array {
  const [first = 0] = kinds;
  if (kinds.every((kind) => kind === first)) return Uint8Array.of(first >> 8, first & 255);
  const bytes = Buffer.alloc(kinds.length * KIND_BYTES);
  for (let i = 0; i < kinds.length; i += 1) bytes.writeUInt16BE(kinds[i] ?? 0, i * KIND_BYTES);
  return deflateRawSync(bytes);
}

/** The numbers of a chunk's kinds, in order. */
export function chunkKinds(packed: Uint8Array, count: number): readonly number[] {
  const [high = 0, low = 0] = packed;
  if (packed.length === KIND_BYTES) return Array<number>(count).fill(256 * high + low);
  const bytes = inflateRawSync(packed, { maxOutputLength: SEGMENT_EVENTS_MAX * KIND_BYTES });
  if (bytes.length !== count * KIND_BYTES)
    throw new ProtocolError("storage_failed", `chunk: expected the kinds of ${count} events`);
  return Array.from({ length: count }, (_, i) => bytes.readUInt16BE(i * KIND_BYTES));
}

type ChunkRow = {
  readonly segment: number;
  readonly firstSeq: number;
  readonly count: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly kinds: Uint8Array;
  readonly sealed: number;
  readonly data: Uint8Array;
};

/** An event and its place. Its data is null where the key has been destroyed, and then it is at the chunk's first moment. */
export type ChunkItem = {
  readonly seq: number;
  readonly segment: number;
  readonly value: StoredEvent;
};

export type ChunkQuery = {
  /** `log`: hexadecimal. */
  readonly log: ChunkLog & { readonly log: string };
  readonly lane: number;
  /** Only what comes after it: the number of an event, then the id of its segment. */
  readonly from: { readonly seq: number; readonly segment: number };
  readonly wanted: number;
  readonly fromMs: number;
  readonly toMs: number;
  /** Numbers of kinds; undefined: all. */
  readonly kinds: ReadonlySet<number> | undefined;
  readonly key: (vehicle: VehicleId) => SubjectKey | undefined;
};

/** The first `wanted` events after a place, in order of number and segment; more where a chunk ends with more. */
export function chunkEvents(engine: Engine, sql: Sql, query: ChunkQuery): readonly ChunkItem[] {
  const found: ChunkItem[] = [];
  let lastSeq = 0;
  let isInOrder = true;
  for (const row of chunksAfter(sql, query)) {
    const isNext = row.firstSeq > lastSeq;
    // What comes before this chunk's first number can no longer be preceded by anything.
    const before = isNext ? found : found.filter(({ seq }) => seq < row.firstSeq);
    if (before.length >= query.wanted) break;
    isInOrder &&= isNext;
    lastSeq = Math.max(lastSeq, row.firstSeq + row.count - 1);
    const kinds = chunkKinds(row.kinds, row.count);
    const { kinds: asked } = query;
    if (asked !== undefined && !kinds.some((kind) => asked.has(kind))) continue;
    expand(engine, row, kinds, query, found);
  }
  return isInOrder ? found : found.sort((a, b) => a.seq - b.seq || a.segment - b.segment);
}

/**
 * The chunks that may hold anything after the place and within the time, by first number. What is passed over is told
 * by the index alone: a year of a log costs a look at some ten thousand of its entries.
 */
function* chunksAfter(
  sql: Sql,
  { log, lane, from, fromMs, toMs }: ChunkQuery,
): Generator<ChunkRow> {
  // A chunk that began before the place may reach beyond it; none is longer than a segment.
  let at = { firstSeq: Math.max(0, from.seq - SEGMENT_EVENTS_MAX), segment: 0 };
  for (;;) {
    const rows = sql.all<ChunkRow>(
      "SELECT segment_id AS segment, first_seq AS firstSeq, count, first_at_ms AS firstAtMs, last_at_ms AS lastAtMs, " +
        "kinds, sealed, data FROM chunks WHERE log_id = ? AND lane = ? AND (first_seq, segment_id) > (?, ?) " +
        "AND first_seq + count > ? AND last_at_ms >= ? AND first_at_ms <= ? ORDER BY first_seq, segment_id LIMIT ?",
      ...[log.id, lane, at.firstSeq, at.segment, from.seq, fromMs, toMs, READ_AT_ONCE],
    );
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < READ_AT_ONCE) return;
    at = last;
  }
}

/** Undefined where the key has been destroyed. */
function chunkBody(
  tenant: TenantId,
  { log, lane, key }: Pick<ChunkQuery, "lane" | "key"> & { readonly log: ChunkLog },
  row: Omit<ChunkRow, "kinds">,
): Uint8Array | undefined {
  if (row.sealed === SEALING.plain) return row.data;
  const vehicleKey = row.sealed === SEALING.sealed ? key(log.vehicle) : undefined;
  return vehicleKey?.open(row.data, chunkBinding(tenant, log, { lane, ...row }));
}

/** Adds what is asked for of a chunk to `found`. */
function expand(
  { tenant }: Engine,
  row: ChunkRow,
  kinds: readonly number[],
  query: ChunkQuery,
  found: ChunkItem[],
): void {
  const { log, lane, from, fromMs, toMs, kinds: asked } = query;
  const body = chunkBody(tenant, query, row);
  const events = body && columnEvents(body, row.count);
  const [vehicle, name, laneOf, { segment }] = [log.vehicle, log.log, laneName(lane), row];
  for (let i = 0; i < kinds.length; i += 1) {
    const [seq, code] = [row.firstSeq + i, kinds[i] ?? 0];
    const isAfter = seq > from.seq || (seq === from.seq && segment > from.segment);
    if (!isAfter || (asked !== undefined && !asked.has(code))) continue;
    const event = events?.[i];
    const atMs = event === undefined ? row.firstAtMs : eventAtMs(event);
    if (atMs < fromMs || atMs > toMs) continue;
    const [kind, data] = [event?.kind ?? kindName(code), event?.data ?? null];
    const value = { vehicle, log: name, lane: laneOf, seq, atMs, kind, data };
    found.push({ seq, segment, value });
  }
}

type SegmentChunk = Omit<ChunkRow, "firstAtMs" | "lastAtMs"> & {
  readonly firstAtMs: number;
  readonly lane: number;
  readonly logId: number;
  readonly vehicle: VehicleId;
  readonly log: Uint8Array;
};
/** An event of a chunk as a row; without data where the key has been destroyed. */
type LooseRow = {
  readonly seq: number;
  readonly atMs: number;
  readonly kind: number;
  readonly data: Uint8Array | undefined;
};
export type LooseChunk = {
  readonly log: ChunkLog;
  readonly lane: number;
  readonly key: SubjectKey | undefined;
  readonly rows: readonly LooseRow[];
};

/** The events of some kinds out of the chunks of some segments, none of a fork. */
export function chunkRows(
  { tenant, keys }: Engine,
  sql: Sql,
  {
    from,
    to,
    kind: isAsked,
  }: {
    readonly from: number;
    readonly to: number;
    readonly kind: (code: number) => boolean;
  },
): readonly LooseChunk[] {
  const chunks = sql.all<SegmentChunk>(
    "SELECT c.segment_id AS segment, c.log_id AS logId, c.lane, c.first_seq AS firstSeq, c.count, c.first_at_ms AS firstAtMs, " +
      "c.kinds, c.sealed, c.data, l.vehicle, l.log FROM chunks c JOIN logs l ON l.id = c.log_id JOIN segments s ON s.id = c.segment_id " +
      "WHERE c.segment_id BETWEEN ? AND ? AND s.fork = 0 ORDER BY c.segment_id",
    ...[from, to],
  );
  return chunks.flatMap((chunk): readonly LooseChunk[] => {
    const kinds = chunkKinds(chunk.kinds, chunk.count);
    if (!kinds.some(isAsked)) return [];
    const { vehicle, lane } = chunk;
    const log = { id: chunk.logId, vehicle, bytes: chunk.log };
    const key = keys.existing(`vehicle:${vehicle}`);
    const body = chunkBody(tenant, { log, lane, key: () => key }, { ...chunk, lastAtMs: 0 });
    const events = body && checkColumns(body, chunk.count).rows();
    const rows = kinds.flatMap((kind, i) => {
      const seq = chunk.firstSeq + i;
      const atMs = events?.atMs[i] ?? chunk.firstAtMs;
      return isAsked(kind) ? [{ seq, kind, atMs, data: events && rowData(events, i) }] : [];
    });
    return [{ log, lane, key, rows }];
  });
}
