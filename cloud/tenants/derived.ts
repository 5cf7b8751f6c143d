/**
 * What is kept beside the events so that it need not be searched for, made once for those of a store from before it was
 * kept. It goes on at the next opening where it was cut off; new events are not waited with.
 */
import { type VehicleId, vehicleId } from "@kerbside/protocol";
import { chunkRows, type LooseChunk } from "./chunks.ts";
import type { Sql } from "./database.ts";
import { type Engine, eventBinding, SEALING } from "./engine.ts";
import { tellNewest } from "./newest.ts";
import { type RowSealing, RowSeals } from "./row-seals.ts";
import { isOfTrip, putTripEvent, TRIP_KINDS } from "./trips.ts";

export const DERIVED_SQL = `
CREATE TABLE derived /* what is still to be made of events from before */ (
  what /* trips */ TEXT PRIMARY KEY,
  next_segment /* where to go on */ INTEGER NOT NULL,
  last_segment /* the last that has to be looked at */ INTEGER NOT NULL
) STRICT;
INSERT INTO derived SELECT 'trips', 1, max(id) FROM segments HAVING max(id) IS NOT NULL;
`;

/** Segments in one transaction: others wait no longer than that takes. */
const SEGMENTS_AT_ONCE = 64;

/** A look at an empty table where there is nothing to do. Throws what the store throws; what was made before stays. */
export function derive(engine: Engine): void {
  const { store } = engine;
  const todo = (): Todo | undefined =>
    store.one<Todo>("SELECT next_segment AS next, last_segment AS last FROM derived");
  const first = todo();
  if (first === undefined) return;
  if (first.next === 1) store.write(tellAll);
  for (let at: Todo | undefined = first; at !== undefined; at = todo()) {
    const { next, last } = at;
    store.write((sql) => {
      const after = deriveSome(engine, sql, next, last);
      if (after > last) sql.run("DELETE FROM derived");
      else sql.run("UPDATE derived SET next_segment = ?", after);
    });
  }
}

type Todo = { readonly next: number; readonly last: number };

function tellAll(sql: Sql): void {
  for (const { vehicle } of sql.all<{ vehicle: string }>("SELECT DISTINCT vehicle FROM latest"))
    tellNewest(sql, vehicleId(vehicle));
}

/** Answers where to go on. */
function deriveSome(engine: Engine, sql: Sql, from: number, last: number): number {
  const ids = sql.all<{ id: number }>(
    "SELECT id FROM segments WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?",
    ...[from, last, SEGMENTS_AT_ONCE],
  );
  const to = ids.length < SEGMENTS_AT_ONCE ? last : (ids.at(-1)?.id ?? last);
  for (const { log, lane, key, rows } of [
    ...chunkRows(engine, sql, { from, to, kind: isOfTrip }),
    ...tripRows(engine, sql, from, to),
  ]) {
    const { vehicle } = log;
    for (const { seq, atMs, kind, data } of rows) {
      const place = { vehicle, log: log.id, lane, seq, kind, atMs };
      const bound = eventBinding(engine.tenant, { vehicle, log: log.bytes, lane, seq, kind });
      putTripEvent(
        sql,
        data === undefined || key === undefined
          ? { ...place, sealing: SEALING.erased, data: new Uint8Array() }
          : { ...place, sealing: SEALING.sealed, data: key.seal(data, bound) },
      );
    }
  }
  return to + 1;
}

type TripRow = RowSealing & {
  readonly atMs: number;
  readonly lane: number;
  readonly logId: number;
  readonly vehicle: VehicleId;
  readonly log: Uint8Array;
};

/** The same where the events are rows. */
function tripRows(engine: Engine, sql: Sql, from: number, to: number): readonly LooseChunk[] {
  const seals = new RowSeals(sql, engine.tenant);
  const found = sql.all<TripRow>(
    "SELECT e.seq, e.segment_id AS segment, e.kind, e.sealed, e.data, e.at_ms AS atMs, e.lane, l.id AS logId, l.vehicle, l.log " +
      "FROM segments s JOIN logs l ON l.id = s.log_id JOIN events e ON e.log_id = s.log_id AND e.lane = s.lane " +
      "AND e.seq BETWEEN s.first_seq AND s.first_seq + s.count - 1 AND e.segment_id = s.id " +
      "WHERE s.id BETWEEN ? AND ? AND s.fork = 0 AND e.kind IN (SELECT value FROM json_each(?))",
    ...[from, to, JSON.stringify(TRIP_KINDS)],
  );
  return found.map((row) => {
    const { seq, kind, atMs, lane, vehicle } = row;
    const log = { id: row.logId, vehicle, bytes: row.log };
    const key = engine.keys.existing(`vehicle:${vehicle}`);
    const data = key && seals.plain({ log, lane }, row, key);
    return { log, lane, key, rows: [{ seq, kind, atMs, data }] };
  });
}
