/** Rows of events, a few in one statement, and their data as pieces of one value: a statement each costs twice as much. */
import type { Sql, SqlValue } from "./database.ts";

/** More are hardly faster, and each count has a statement of its own that is kept. */
const ROWS_AT_ONCE = 25;
/** Values that differ from row to row. */
const OWN_VALUES = 5;
/** What the data of so many rows seldom fills; one row alone may be longer. */
const DATA_BYTES = 16 * 1024;

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

/** Where the data of a statement is put together. Nobody waits in between, so it serves all. */
const room = new Uint8Array(DATA_BYTES);

export class EventRows {
  readonly #sql: Sql;
  readonly #place: RowsPlace;
  #seq: number;
  #values: SqlValue[] = [];
  #data: Uint8Array = room;
  #used = 0;

  constructor(sql: Sql, place: RowsPlace) {
    this.#sql = sql;
    this.#place = place;
    this.#seq = place.seq;
  }

  add(atMs: number, kind: number, sealing: number, data: Uint8Array): void {
    if (this.#used + data.length > this.#data.length) this.end();
    if (data.length > this.#data.length) this.#data = new Uint8Array(data.length);
    this.#data.set(data, this.#used);
    this.#values.push(atMs, kind, sealing, this.#used + 1, data.length);
    this.#used += data.length;
    if (this.#values.length === ROWS_AT_ONCE * OWN_VALUES) this.end();
  }

  /** Writes what is still to be written. */
  end(): void {
    const rows = this.#values.length / OWN_VALUES;
    const insert = INSERTS[rows];
    if (insert === undefined || rows === 0) return;
    const data = this.#data.subarray(0, Math.max(1, this.#used));
    this.#sql.many(insert)(this.#values, { ...this.#place, seq: this.#seq, data });
    this.#seq += rows;
    this.#values = [];
    this.#used = 0;
  }
}
