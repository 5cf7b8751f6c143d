/**
 * Which of the newest events of each log is a car's newest of its kind. It is told when events are written, because a
 * fleet's state is read far more often than the order of a car's logs changes: that order takes all its logs to tell.
 */
import type { VehicleId } from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import { logsOf } from "./events.ts";

export const NEWEST_SQL = `
ALTER TABLE latest ADD COLUMN newest /* 1: across logs too */ INTEGER NOT NULL DEFAULT 0;
CREATE INDEX latest_newest ON latest (vehicle, kind) WHERE newest = 1;
`;

type Row = { readonly kind: number; readonly log: number; readonly newest: number };

/** Within the caller's transaction, after whatever may have changed the order of a car's logs or what is in them. */
export function tellNewest(sql: Sql, vehicle: VehicleId): void {
  const rows = sql.all<Row>(
    "SELECT kind, log_id AS log, newest FROM latest WHERE vehicle = ?",
    vehicle,
  );
  const isOneLog = rows.every(({ log }) => log === rows[0]?.log);
  const rank = new Map(isOneLog ? [] : logsOf(sql, vehicle).map(({ id }, i) => [id, i]));
  const best = new Map<number, Row>();
  for (const row of rows) {
    const known = best.get(row.kind);
    if (known === undefined || (rank.get(row.log) ?? 0) > (rank.get(known.log) ?? 0))
      best.set(row.kind, row);
  }
  for (const row of rows) {
    const newest = best.get(row.kind) === row ? 1 : 0;
    if (newest !== row.newest)
      sql.run(
        "UPDATE latest SET newest = ? WHERE vehicle = ? AND kind = ? AND log_id = ?",
        ...[newest, vehicle, row.kind, row.log],
      );
  }
}
