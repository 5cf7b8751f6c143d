/** What a tenant is billed by: totals, of nobody in particular (P-42, P-54). */
import type { Sql } from "./database.ts";

export type TenantUsage = {
  /** Enrolled and not revoked, now. */
  readonly cars: number;
  /** Since the tenant is there. */
  readonly bookings: number;
  readonly commands: number;
  /** Stored, whether or not they are kept still. */
  readonly events: number;
};

export function readUsage(sql: Sql): TenantUsage {
  const one = (from: string): number => sql.get<{ n: number }>(`SELECT ${from}`)?.n ?? 0;
  return {
    cars: one("count(*) AS n FROM vehicles WHERE revoked_at_ms IS NULL"),
    bookings: one("count(*) AS n FROM bookings"),
    commands: one("count(*) AS n FROM commands"),
    events: one("coalesce(sum(count), 0) AS n FROM segments WHERE gone = 0 AND fork = 0"),
  };
}
