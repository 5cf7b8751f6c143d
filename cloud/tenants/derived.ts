/**
 * What is kept beside the events so that it need not be searched for, made once for those of a store from before it was
 * kept. It goes on at the next opening where it was cut off; new events are not waited with.
 */
import { vehicleId } from "@kerbside/protocol";
import { chunkRows } from "./chunks.ts";
import type { Sql } from "./database.ts";
import { type Engine, eventBinding, SEALING } from "./engine.ts";
import { tellNewest } from "./newest.ts";
import { isOfTrip, putTripEvent } from "./trips.ts";

export const DERIVED_SQL = `
CREATE TABLE derived /* what is still to be made of events from before */ (
  what /* trips */ TEXT PRIMARY KEY,
  next_segment /* where to go on */ INTEGER NOT NULL,
  last_segment /* the last that has to be looked at */ INTEGER NOT NULL
) STRICT;
INSERT INTO derived SELECT 'trips', 1, max(id) FROM segments HAVING max(id) IS NOT NULL;
`;

/** Chunks in one transaction: others wait no longer than that takes. */
const CHUNKS_AT_ONCE = 64;

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
function deriveSome(engine: Engine, sql: Sql, next: number, last: number): number {
  const chunks = chunkRows(engine, sql, {
    from: next,
    to: last,
    limit: CHUNKS_AT_ONCE,
    kind: isOfTrip,
  });
  for (const { log, lane, key, rows } of chunks.found) {
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
  return chunks.next;
}
