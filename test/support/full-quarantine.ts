/** Rows of a tenant's quarantine made by the thousand. Nothing is sealed in them, so nobody can read them. */
import { join } from "node:path";
import BetterSqlite3 from "better-sqlite3";
import { tenantDirectories } from "./tenant-engine.ts";

export type MadeRows = {
  readonly count: number;
  readonly isOnlyCopy: boolean;
  /** One car's; else each is another's. */
  readonly vehicle?: string;
};

/** In the only tenant of a registry. Answers the id of the last one. */
export function fillQuarantine(dir: string, { count, isOnlyCopy, vehicle }: MadeRows): number {
  const [tenant = ""] = tenantDirectories(dir);
  const db = new BetterSqlite3(join(tenant, "store.sqlite"));
  try {
    const made = db.prepare(
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) " +
        "INSERT INTO quarantine (at_ms, vehicle, reason, topic, payload, only_copy) " +
        "SELECT 1, coalesce(?, 'other-' || i), 'made', 'kb/v1/demo/made/up/state', x'', ? FROM n",
    );
    return Number(made.run(count, vehicle ?? null, isOnlyCopy ? 1 : 0).lastInsertRowid);
  } finally {
    db.close();
  }
}
