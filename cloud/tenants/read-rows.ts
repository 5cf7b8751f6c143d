/**
 * Rows of events read back as few large values: for each row and each blob the driver makes an object of the language,
 * dearly. Which rows a span of time can be in is told by the segments, so that the rest of a log is not looked at.
 */
import { ProtocolError, SEGMENT_EVENTS_MAX } from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import { SEALING } from "./engine.ts";
import type { ColumnClasses } from "./schema-check.ts";

export const ROW_SPANS_SQL = `
CREATE TABLE row_spans /* when the events of a segment were, where each has a row #SPI */ (
  log_id /* of logs */ INTEGER NOT NULL REFERENCES logs (id),
  lane /* place in the list of lanes */ INTEGER NOT NULL,
  first_seq /* of its events */ INTEGER NOT NULL,
  segment_id /* of segments */ INTEGER NOT NULL REFERENCES segments (id),
  count /* of its events */ INTEGER NOT NULL,
  first_at_ms /* Unix time of its earliest event by the car's clocks #SPI */ INTEGER NOT NULL,
  last_at_ms /* Unix time of its latest event #SPI */ INTEGER NOT NULL,
  PRIMARY KEY (log_id, lane, first_seq, segment_id)
) STRICT, WITHOUT ROWID;
-- Of those from before it is not known: any time.
INSERT INTO row_spans SELECT s.log_id, s.lane, s.first_seq, s.id, s.count, -9007199254740991, 9007199254740991
  FROM segments s WHERE s.gone = 0 AND NOT EXISTS (SELECT 1 FROM chunks c WHERE c.segment_id = s.id);
`;

export const ROW_SPAN_CLASSES: ColumnClasses = {
  row_spans: {
    log_id: ["Internal"],
    lane: ["Internal"],
    first_seq: ["Internal"],
    segment_id: ["Internal"],
    count: ["Internal"],
    first_at_ms: ["Confidential", "SPI"],
    last_at_ms: ["Confidential", "SPI"],
  },
};

export type RowSpan = {
  /** Of logs. */
  readonly log: number;
  readonly lane: number;
  readonly segment: number;
  readonly firstSeq: number;
  readonly count: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
};

export function putRowSpan(sql: Sql, span: RowSpan): void {
  const { log, lane, firstSeq, segment, count, firstAtMs, lastAtMs } = span;
  sql.run(
    "INSERT INTO row_spans (log_id, lane, first_seq, segment_id, count, first_at_ms, last_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
    ...[log, lane, firstSeq, segment, count, firstAtMs, lastAtMs],
  );
}

export type EventRow = {
  readonly seq: number;
  readonly segment: number;
  readonly at_ms: number;
  readonly kind: number;
  readonly sealed: number;
  readonly data: Uint8Array;
};

export type RowsWanted = {
  /** Of logs. */
  readonly log: number;
  readonly lane: number;
  /** Only what comes after it. */
  readonly from: { readonly seq: number; readonly segment: number };
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
  /** Numbers of kinds; undefined: all. */
  readonly kinds: readonly number[] | undefined;
  readonly wanted: number;
};

/** The first `wanted` rows after a place, in order of number and segment. */
export function readRows(sql: Sql, asked: RowsWanted): readonly EventRow[] {
  const range = rangeOf(sql, asked);
  if (range === undefined) return [];
  const { log, lane, fromMs, toMs, wanted } = asked;
  const kinds = asked.kinds === undefined ? null : JSON.stringify(asked.kinds);
  const columns = sql.get<Columns>(
    READ,
    ...[log, lane, range.after.seq, range.after.segment, range.end],
    ...[fromMs ?? Number.MIN_SAFE_INTEGER, toMs ?? Number.MAX_SAFE_INTEGER],
    ...[kinds, kinds, wanted],
  );
  return columns === undefined || columns.data === null ? [] : rowsOf(columns, columns.data);
}

type Range = { readonly after: RowsWanted["from"]; readonly end: number };

/**
 * What the clocks of a car did does not matter: between the first and the last segment that may hold something each
 * row is looked at. Undefined where none may.
 */
function rangeOf(sql: Sql, { log, lane, from, fromMs, toMs }: RowsWanted): Range | undefined {
  if (fromMs === undefined && toMs === undefined)
    return { after: from, end: Number.MAX_SAFE_INTEGER };
  const found = sql.get<{ first: number | null; end: number | null }>(
    "SELECT min(first_seq) AS first, max(first_seq + count) AS end FROM row_spans " +
      "WHERE log_id = ? AND lane = ? AND first_seq > ? AND first_seq + count > ? AND last_at_ms >= ? AND first_at_ms <= ?",
    ...[log, lane, from.seq - SEGMENT_EVENTS_MAX, from.seq],
    ...[fromMs ?? Number.MIN_SAFE_INTEGER, toMs ?? Number.MAX_SAFE_INTEGER],
  );
  const { first, end } = found ?? { first: null, end: null };
  if (first === null || end === null) return undefined;
  const isWithin = from.seq >= first;
  return { after: isWithin ? from : { seq: first - 1, segment: Number.MAX_SAFE_INTEGER }, end };
}

/** Each a column of all rows, as an array in JSON; the data one after the other, null where there are no rows. */
type Columns = {
  readonly seqs: string;
  readonly segments: string;
  readonly times: string;
  /** Length of the data, kind and sealing in one number. */
  readonly heads: string;
  readonly data: Uint8Array | null;
};
const SEALINGS_MAX = Object.keys(SEALING).length;
/** Numbers of kinds are below it. */
const KINDS_MAX = 65_536;

const READ: string =
  "SELECT json_group_array(seq) AS seqs, json_group_array(segment_id) AS segments, json_group_array(at_ms) AS times, " +
  `json_group_array((length(data) * ${KINDS_MAX} + kind) * ${SEALINGS_MAX} + sealed) AS heads, ` +
  "CAST(group_concat(data, '') AS BLOB) AS data FROM (SELECT seq, segment_id, at_ms, kind, sealed, data FROM events " +
  "WHERE log_id = ? AND lane = ? AND (seq, segment_id) > (?, ?) AND seq < ? AND at_ms BETWEEN ? AND ? " +
  "AND (? IS NULL OR kind IN (SELECT value FROM json_each(?))) ORDER BY seq, segment_id LIMIT ?)";

/** Throws ProtocolError `storage_failed` where the columns are not of one length. */
function rowsOf(columns: Columns, data: Uint8Array): readonly EventRow[] {
  const seqs = numbers(columns.seqs);
  const segments = numbers(columns.segments);
  const times = numbers(columns.times);
  const heads = numbers(columns.heads);
  const rows: EventRow[] = [];
  let at = 0;
  for (const [i, seq] of seqs.entries()) {
    const head = heads[i] ?? 0;
    const sealed = head % SEALINGS_MAX;
    const kind = Math.floor(head / SEALINGS_MAX) % KINDS_MAX;
    const end = at + Math.floor(head / (SEALINGS_MAX * KINDS_MAX));
    const [segment = 0, at_ms = 0] = [segments[i], times[i]];
    rows.push({ seq, segment, at_ms, kind, sealed, data: data.subarray(at, end) });
    at = end;
  }
  const isWhole = [segments, times, heads].every(({ length }) => length === seqs.length);
  if (!isWhole || at !== data.length)
    throw new ProtocolError("storage_failed", "events: their columns are not of one length");
  return rows;
}

function numbers(column: string): readonly number[] {
  const values: unknown = JSON.parse(column);
  if (!Array.isArray(values)) throw new ProtocolError("storage_failed", "events: no column");
  return values;
}
