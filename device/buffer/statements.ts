/** Every statement over the database, prepared once for a handle, with the type of what it gives. */
import type { Statement } from "better-sqlite3";
import type { Handle } from "./database.ts";

/** `held`: to be sent. `stored`: the tenant's store has it, but not yet all before it; only its hash is kept. */
export const SEGMENT_STATE = { held: 0, stored: 1 } as const;

/**
 * How a log ended. `settled`: not in order, but SQLite closed its file, so a missing write-ahead log is no loss.
 */
export const LOG_END = { open: 0, clean: 1, settled: 2 } as const;

export type LogRecord = {
  readonly slot: number;
  readonly log: Uint8Array;
  readonly opening: Uint8Array;
  readonly ack_key: Uint8Array;
  readonly opening_known: number;
  readonly clean: number;
  readonly started: number;
};
/** The last segment of a lane that was closed, whether or not it is still held. */
export type LaneRecord = {
  readonly number: number;
  readonly seq: number;
  readonly hash: Uint8Array;
};
export type SegmentRecord = {
  readonly place: number;
  readonly first: number;
  readonly count: number;
  readonly bytes: number;
  readonly state: number;
  readonly hash: Uint8Array;
  readonly replaced: Uint8Array | null;
  readonly header: Uint8Array;
  readonly body: Uint8Array | null;
};
export type RowRecord = { readonly place: number; readonly sealed: Uint8Array };
type Range = [first: number, last: number];

export type Statements = {
  readonly logs: Statement<[], LogRecord>;
  readonly logBySlot: Statement<[slot: number], LogRecord>;
  readonly logById: Statement<[log: Uint8Array], LogRecord>;
  readonly putLog: Statement<[LogRecord]>;
  readonly setEnd: Statement<[clean: number, slot: number]>;
  readonly setOpeningUnknown: Statement<[slot: number]>;
  readonly setOpeningKnown: Statement<[slot: number]>;
  readonly deleteLog: Statement<[slot: number]>;
  readonly lane: Statement<[slot: number, lane: number], LaneRecord>;
  readonly putLane: Statement<
    [slot: number, lane: number, number: number, seq: number, hash: Uint8Array]
  >;
  readonly deleteLanes: Statement<[slot: number]>;
  readonly segments: Statement<Range, SegmentRecord>;
  readonly segment: Statement<[place: number], SegmentRecord>;
  readonly heldPlaces: Statement<Range, { readonly place: number }>;
  readonly heldPlacesDown: Statement<Range, { readonly place: number }>;
  readonly heldCount: Statement<Range, { readonly count: number }>;
  readonly putSegment: Statement<[SegmentRecord]>;
  readonly dropSegment: Statement<
    [{ place: number; header: Uint8Array; hash: Uint8Array; replaced: Uint8Array; bytes: number }]
  >;
  readonly oldestWhole: Statement<Range, SegmentRecord>;
  /** Events that are held in whole segments. */
  readonly wholeEvents: Statement<Range, { readonly events: number }>;
  readonly firstMark: Statement<Range, { readonly at_ms: number }>;
  readonly lastMark: Statement<Range, { readonly place: number }>;
  /** The last one that is as old as `atMs`. */
  readonly lastOldMark: Statement<
    [first: number, last: number, atMs: number],
    { readonly place: number }
  >;
  readonly putMark: Statement<[place: number, atMs: number]>;
  readonly deleteMarks: Statement<Range>;
  readonly setStored: Statement<[place: number]>;
  readonly deleteSegments: Statement<Range>;
  readonly rows: Statement<Range, RowRecord>;
  readonly rowSizes: Statement<Range, { readonly count: number; readonly bytes: number | null }>;
  readonly putRow: Statement<[place: number, sealed: Uint8Array]>;
  readonly deleteRows: Statement<Range>;
  readonly segmentSizes: Statement<
    Range,
    { readonly count: number; readonly bytes: number | null }
  >;
};

export function prepare(db: Handle): Statements {
  return {
    logs: db.prepare("SELECT * FROM logs ORDER BY started"),
    logBySlot: db.prepare("SELECT * FROM logs WHERE slot = ?"),
    logById: db.prepare("SELECT * FROM logs WHERE log = ?"),
    putLog: db.prepare(
      `INSERT INTO logs (slot, log, opening, ack_key, opening_known, clean, started)
       VALUES (@slot, @log, @opening, @ack_key, @opening_known, @clean, @started)`,
    ),
    setEnd: db.prepare("UPDATE logs SET clean = ? WHERE slot = ?"),
    setOpeningUnknown: db.prepare("UPDATE logs SET opening_known = 0 WHERE slot = ?"),
    setOpeningKnown: db.prepare("UPDATE logs SET opening_known = 1 WHERE slot = ?"),
    deleteLog: db.prepare("DELETE FROM logs WHERE slot = ?"),
    lane: db.prepare("SELECT number, seq, hash FROM lanes WHERE slot = ? AND lane = ?"),
    putLane: db.prepare(
      "INSERT OR REPLACE INTO lanes (slot, lane, number, seq, hash) VALUES (?, ?, ?, ?, ?)",
    ),
    deleteLanes: db.prepare("DELETE FROM lanes WHERE slot = ?"),
    segments: db.prepare("SELECT * FROM segments WHERE place BETWEEN ? AND ? ORDER BY place"),
    segment: db.prepare("SELECT * FROM segments WHERE place = ?"),
    heldPlaces: db.prepare(
      `SELECT place FROM segments WHERE place BETWEEN ? AND ? AND state = ${SEGMENT_STATE.held} ORDER BY place`,
    ),
    heldPlacesDown: db.prepare(
      `SELECT place FROM segments WHERE place BETWEEN ? AND ? AND state = ${SEGMENT_STATE.held} ORDER BY place DESC`,
    ),
    heldCount: db.prepare(
      `SELECT count(*) AS count FROM segments WHERE place BETWEEN ? AND ? AND state = ${SEGMENT_STATE.held}`,
    ),
    putSegment: db.prepare(
      `INSERT INTO segments (place, first, count, bytes, state, hash, replaced, header, body)
       VALUES (@place, @first, @count, @bytes, @state, @hash, @replaced, @header, @body)`,
    ),
    dropSegment: db.prepare(
      `UPDATE segments SET header = @header, hash = @hash, replaced = @replaced, bytes = @bytes, body = NULL
       WHERE place = @place`,
    ),
    oldestWhole: db.prepare(
      `SELECT * FROM segments WHERE place BETWEEN ? AND ? AND state = ${SEGMENT_STATE.held} AND replaced IS NULL
       ORDER BY place LIMIT 1`,
    ),
    wholeEvents: db.prepare(
      `SELECT coalesce(sum(count), 0) AS events FROM segments
       WHERE place BETWEEN ? AND ? AND state = ${SEGMENT_STATE.held} AND replaced IS NULL`,
    ),
    firstMark: db.prepare(
      "SELECT at_ms FROM marks WHERE place BETWEEN ? AND ? ORDER BY place LIMIT 1",
    ),
    lastMark: db.prepare(
      "SELECT place FROM marks WHERE place BETWEEN ? AND ? ORDER BY place DESC LIMIT 1",
    ),
    lastOldMark: db.prepare(
      "SELECT place FROM marks WHERE place BETWEEN ? AND ? AND at_ms <= ? ORDER BY place DESC LIMIT 1",
    ),
    putMark: db.prepare("INSERT INTO marks (place, at_ms) VALUES (?, ?)"),
    deleteMarks: db.prepare("DELETE FROM marks WHERE place BETWEEN ? AND ?"),
    setStored: db.prepare(
      `UPDATE segments SET state = ${SEGMENT_STATE.stored}, header = x'', body = NULL, bytes = 0
       WHERE place = ?`,
    ),
    deleteSegments: db.prepare("DELETE FROM segments WHERE place BETWEEN ? AND ?"),
    rows: db.prepare("SELECT place, sealed FROM rows WHERE place BETWEEN ? AND ? ORDER BY place"),
    rowSizes: db.prepare(
      "SELECT count(*) AS count, sum(length(sealed)) AS bytes FROM rows WHERE place BETWEEN ? AND ?",
    ),
    putRow: db.prepare("INSERT INTO rows (place, sealed) VALUES (?, ?)"),
    deleteRows: db.prepare("DELETE FROM rows WHERE place BETWEEN ? AND ?"),
    segmentSizes: db.prepare(
      "SELECT count(*) AS count, sum(bytes) AS bytes FROM segments WHERE place BETWEEN ? AND ?",
    ),
  };
}
