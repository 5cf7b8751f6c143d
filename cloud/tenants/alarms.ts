/** What a person should look at: copied modules, broken chains. */
import type { Sql } from "./database.ts";

export type Alarm = {
  readonly id: number;
  readonly atMs: number;
  readonly vehicle: string;
  readonly kind: string;
  readonly detail: string;
};

/** In the order in which they were raised. */
export function readAlarms(sql: Sql, after: number, limit: number): readonly Alarm[] {
  return sql.all<Alarm>(
    "SELECT id, at_ms AS atMs, vehicle, kind, detail FROM alarms WHERE id > ? ORDER BY id LIMIT ?",
    after,
    limit,
  );
}
