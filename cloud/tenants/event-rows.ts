/** Rows of events, a few in one statement: a statement each costs twice as much. */
import type { Sql, SqlValue } from "./database.ts";

/** More are no faster, and each count has a statement of its own that is kept. */
const ROWS_AT_ONCE = 25;
/** Columns that differ from row to row. */
const OWN_COLUMNS = 4;

export type RowsPlace = {
  readonly log: number;
  readonly lane: number;
  readonly segment: number;
  /** Of the first row; the others follow it without a hole. */
  readonly seq: number;
};

const INSERTS: readonly string[] = Array.from({ length: ROWS_AT_ONCE + 1 }, (_, rows) => {
  const values = Array.from(
    { length: rows },
    (_, i) => `(@log, @lane, @seq + ${i}, @segment, ?, ?, ?, ?)`,
  );
  return `INSERT INTO events (log_id, lane, seq, segment_id, at_ms, kind, sealed, data) VALUES ${values.join(", ")}`;
});

export class EventRows {
  readonly #sql: Sql;
  readonly #place: RowsPlace;
  #seq: number;
  #values: SqlValue[] = [];

  constructor(sql: Sql, place: RowsPlace) {
    this.#sql = sql;
    this.#place = place;
    this.#seq = place.seq;
  }

  add(atMs: number, kind: number, sealing: number, data: Uint8Array): void {
    this.#values.push(atMs, kind, sealing, data);
    if (this.#values.length === ROWS_AT_ONCE * OWN_COLUMNS) this.end();
  }

  /** Writes what is still to be written. */
  end(): void {
    const rows = this.#values.length / OWN_COLUMNS;
    const insert = INSERTS[rows];
    if (insert === undefined || rows === 0) return;
    this.#sql.many(insert)(this.#values, { ...this.#place, seq: this.#seq });
    this.#seq += rows;
    this.#values = [];
  }
}
