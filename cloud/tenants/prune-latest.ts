/** Keeps the table of the newest events from growing with every boot of a car. */
import type { VehicleId } from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import { logsOf } from "./events.ts";

/**
 * Of each kind this many logs keep their newest event, the latest logs first. More than one, because the order of logs
 * may still change by what arrives late; when there are twice as many the rest is forgotten here, and stays in `events`.
 */
export const LATEST_LOGS_KEPT = 8;

/** Within the caller's transaction; a look into the index where there is nothing to do. */
export function pruneLatest(sql: Sql, vehicle: VehicleId): void {
  const crowded = sql.all<{ kind: number }>(
    "SELECT kind FROM latest WHERE vehicle = ? GROUP BY kind HAVING count(*) >= ?",
    vehicle,
    2 * LATEST_LOGS_KEPT,
  );
  if (crowded.length === 0) return;
  const rank = new Map(logsOf(sql, vehicle).map((log, i) => [log.id, i]));
  for (const { kind } of crowded) {
    const logs = sql
      .all<{ id: number }>(
        "SELECT log_id AS id FROM latest WHERE vehicle = ? AND kind = ?",
        vehicle,
        kind,
      )
      .sort((a, b) => (rank.get(b.id) ?? 0) - (rank.get(a.id) ?? 0));
    for (const { id } of logs.slice(LATEST_LOGS_KEPT))
      sql.run(
        "DELETE FROM latest WHERE vehicle = ? AND kind = ? AND log_id = ?",
        ...[vehicle, kind, id],
      );
  }
}
