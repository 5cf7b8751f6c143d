/** Rows of events, a few in one statement, and their data as pieces of one value: a statement each costs twice as much. */
import type { Sql, SqlValue } from "./database.ts";

/** More are hardly faster, and each count has a statement of its own that is kept. */
const ROWS_AT_ONCE = 25;
/** Values that differ from row to row. */
const OWN_VALUES = 5;

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
    (_, i) => `(@log, @lane, @seq + ${i}, @segment, ?, ?, ?, substr(@data, ?, ?))`,
  );
  return `INSERT INTO events (log_id, lane, seq, segment_id, at_ms, kind, sealed, data) VALUES ${values.join(", ")}`;
});

/** SQLite takes nothing for NULL. */
const SOME = new Uint8Array(1);

export class EventRows {
  readonly #sql: Sql;
  readonly #place: RowsPlace;
  /** Of all rows, in order. */
  readonly #data: Uint8Array;
  #seq: number;
  #values: SqlValue[] = [];
  /** The part of the data that the rows that wait to be written have. */
  #from = 0;
  #to = 0;

  constructor(sql: Sql, place: RowsPlace, data: Uint8Array) {
    this.#sql = sql;
    this.#place = place;
    this.#data = data;
    this.#seq = place.seq;
  }

  /** The next row. Its data is what lies between the two places. */
  add(atMs: number, kind: number, sealing: number, from: number, to: number): void {
    if (this.#values.length === 0) this.#from = from;
    this.#values.push(atMs, kind, sealing, from - this.#from + 1, to - from);
    this.#to = to;
    if (this.#values.length === ROWS_AT_ONCE * OWN_VALUES) this.end();
  }

  /** Writes what is still to be written. */
  end(): void {
    const rows = this.#values.length / OWN_VALUES;
    const insert = INSERTS[rows];
    if (insert === undefined || rows === 0) return;
    const data = this.#to > this.#from ? this.#data.subarray(this.#from, this.#to) : SOME;
    this.#sql.many(insert)(this.#values, { ...this.#place, seq: this.#seq, data });
    this.#seq += rows;
    this.#values = [];
  }
}
