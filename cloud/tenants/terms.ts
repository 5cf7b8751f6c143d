/** What is agreed with each tenant, tenants that were ordered and are not made yet, and what their cars have sent. */
import {
  type PlatformDesk,
  type PlatformTenant,
  ProtocolError,
  quotasOf,
  type TenantId,
  type TenantTerms,
  tenantId,
} from "@kerbside/protocol";
import type { PlatformAudited } from "./anchors.ts";
import type { Database, Sql } from "./database.ts";
import type { ColumnClasses } from "./schema-check.ts";

export const TERMS_SQL = `
ALTER TABLE tenants ADD COLUMN region /* where its data is processed */ TEXT NOT NULL DEFAULT 'local';
ALTER TABLE tenants ADD COLUMN quotas /* bounds that were agreed, as JSON */ TEXT NOT NULL DEFAULT '{}';
CREATE TABLE tenant_orders /* tenants that are still to be made */ (
  tenant /* id */ TEXT PRIMARY KEY,
  region /* where its data is to be processed */ TEXT NOT NULL,
  quotas /* bounds that were agreed, as JSON */ TEXT NOT NULL,
  ordered_at_ms /* Unix time */ INTEGER NOT NULL,
  failed /* a code of the table of errors, where it could not be made */ TEXT
) STRICT;
CREATE TABLE ingest_usage /* what the cars of a tenant have sent each day */ (
  tenant /* id */ TEXT NOT NULL,
  day /* days since 1970, UTC */ INTEGER NOT NULL,
  bytes /* of all their messages */ INTEGER NOT NULL,
  PRIMARY KEY (tenant, day)
) STRICT, WITHOUT ROWID;
`;

const internal = ["Internal"] as const;
export const TERMS_CLASSES: ColumnClasses = {
  tenant_orders: {
    tenant: internal,
    region: internal,
    quotas: internal,
    ordered_at_ms: internal,
    failed: internal,
  },
  ingest_usage: { tenant: internal, day: internal, bytes: internal },
};

/** The most rows that are shown. */
const ROWS_MAX = 10_000;
const USAGE_DAYS_KEPT = 400;

type Row = { readonly region: string; readonly quotas: string };
type TenantRow = Row & { readonly tenant: string; readonly created_at_ms: number };
type OrderRow = Row & {
  readonly tenant: string;
  readonly ordered_at_ms: number;
  readonly failed: string | null;
};

function termsOf({ region, quotas }: Row): TenantTerms {
  return { region, quotas: quotasOf({ ...JSON.parse(quotas) }) };
}

export function readTerms(platform: Database, id: string): TenantTerms | undefined {
  const row = platform.one<Row>("SELECT region, quotas FROM tenants WHERE tenant = ?", id);
  return row === undefined ? undefined : termsOf(row);
}

export function putTerms(sql: Sql, id: TenantId, { region, quotas }: TenantTerms): void {
  sql.run(
    "UPDATE tenants SET region = ?, quotas = ? WHERE tenant = ?",
    ...[region, JSON.stringify(quotas), id],
  );
}

export type Order = { readonly tenant: TenantId; readonly terms: TenantTerms };
/** The desk, and what whoever has all services' keys does with what is on it. */
export type Orders = Omit<PlatformDesk, "remove" | "benchmark"> & {
  readonly orders: () => readonly Order[];
  /** The order is fulfilled. */
  readonly done: (tenant: TenantId) => void;
  readonly failed: (tenant: TenantId, code: string) => void;
};

export function orderDesk(
  platform: Database,
  audited: PlatformAudited,
  nowMs: () => number,
): Orders {
  const tenantOf = ({ created_at_ms: sinceMs, tenant, ...row }: TenantRow): PlatformTenant => ({
    ...{ tenant, state: "ready", sinceMs },
    ...termsOf(row),
  });
  const orderOf = ({
    tenant,
    ordered_at_ms: sinceMs,
    failed,
    ...row
  }: OrderRow): PlatformTenant => ({
    ...{ tenant, sinceMs, ...termsOf(row) },
    ...(failed === null ? { state: "ordered" } : { state: "failed", why: failed }),
  });
  return {
    tenants: async () =>
      platform.read((sql) => [
        ...sql
          .all<TenantRow>(
            // One that is being made is still ordered: its clients come last.
            "SELECT tenant, region, quotas, created_at_ms FROM tenants WHERE tenant NOT IN (SELECT tenant FROM tenant_orders WHERE failed IS NULL) ORDER BY tenant LIMIT ?",
            ROWS_MAX,
          )
          .map(tenantOf),
        ...sql
          .all<OrderRow>("SELECT * FROM tenant_orders ORDER BY tenant LIMIT ?", ROWS_MAX)
          .map(orderOf),
      ]),
    order: async (tenant, { region, quotas }, audit) =>
      audited(audit, (sql) => {
        const there = sql.get("SELECT 1 FROM tenants WHERE tenant = ?", tenant);
        const ordered = sql.get(
          "SELECT 1 FROM tenant_orders WHERE tenant = ? AND failed IS NULL",
          tenant,
        );
        if (there !== undefined || ordered !== undefined)
          throw new ProtocolError("conflict", `tenant ${tenant}: is there already`);
        sql.run(
          "INSERT OR REPLACE INTO tenant_orders (tenant, region, quotas, ordered_at_ms) VALUES (?, ?, ?, ?)",
          ...[tenant, region, JSON.stringify(quotas), nowMs()],
        );
      }),
    agree: async (tenant, quotas, audit) =>
      audited(audit, (sql) => {
        const row = sql.get<TenantRow>(
          "SELECT tenant, region, quotas, created_at_ms FROM tenants WHERE tenant = ?",
          tenant,
        );
        if (row === undefined)
          throw new ProtocolError("not_found", `tenant ${tenant}: is not there`);
        const next = quotasOf({ ...JSON.parse(row.quotas), ...quotas });
        sql.run(
          "UPDATE tenants SET quotas = ? WHERE tenant = ?",
          ...[JSON.stringify(next), tenant],
        );
        return { ...tenantOf(row), quotas: next };
      }),
    orders: () =>
      platform
        .read((sql) => sql.all<OrderRow>("SELECT * FROM tenant_orders WHERE failed IS NULL"))
        .map((row) => ({ tenant: tenantId(row.tenant), terms: termsOf(row) })),
    done: (tenant) =>
      platform.write((sql) => sql.run("DELETE FROM tenant_orders WHERE tenant = ?", tenant)),
    failed: (tenant, code) =>
      platform.write((sql) =>
        sql.run("UPDATE tenant_orders SET failed = ? WHERE tenant = ?", code, tenant),
      ),
  };
}

/** Of all nodes together. */
export type IngestUsage = {
  /** Adds to a day's bytes, and returns what they are then. */
  readonly add: (tenant: TenantId, day: number, bytes: number) => number;
};

export function ingestUsage(platform: Database): IngestUsage {
  return {
    add: (tenant, day, bytes) =>
      platform.write((sql) => {
        sql.run(
          "INSERT INTO ingest_usage (tenant, day, bytes) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes",
          ...[tenant, day, bytes],
        );
        sql.run(
          "DELETE FROM ingest_usage WHERE tenant = ? AND day < ?",
          tenant,
          day - USAGE_DAYS_KEPT,
        );
        return (
          sql.get<{ bytes: number }>(
            "SELECT bytes FROM ingest_usage WHERE tenant = ? AND day = ?",
            ...[tenant, day],
          )?.bytes ?? 0
        );
      }),
  };
}
