/**
 * The signer's token buckets as a file of its own beside the platform's: no other service writes it, and any number of
 * signers on the machine share it. It names cars and tenants by what the signer calls them and nothing personal.
 */
import { openDatabase } from "./database.ts";
import type { ColumnClasses } from "./schema-check.ts";
import { MIGRATION_CLASSES } from "./tenant-classes.ts";

const MIGRATIONS = [
  {
    name: "first",
    sql: `
CREATE TABLE buckets /* how often the signer may sign, and for whom */ (
  key /* a car or a tenant */ TEXT PRIMARY KEY,
  level /* tokens in it */ REAL NOT NULL,
  at_ms /* Unix time of that */ INTEGER NOT NULL
) STRICT;`,
  },
];
export const RATE_CLASSES: ColumnClasses = {
  migrations: MIGRATION_CLASSES,
  buckets: { key: ["Internal"], level: ["Internal"], at_ms: ["Internal"] },
};

type Bucket = { readonly level: number; readonly atMs: number };
export type RateFile = {
  /** One durable change. Throws ProtocolError `storage_failed`. */
  readonly update: <T>(
    key: string,
    change: (before: Bucket | undefined) => { readonly after: Bucket; readonly value: T },
  ) => Promise<T>;
  readonly close: () => void;
};

/** Buckets that were not used for `forgetMs` are forgotten. Throws ProtocolError as `openDatabase` does. */
export function openRateFile(file: string, forgetMs: number): RateFile {
  const db = openDatabase({ file, migrations: MIGRATIONS, create: true, nowMs: Date.now });
  return {
    update: async (key, change) =>
      db.write((sql) => {
        const before = sql.get<Bucket>(
          "SELECT level, at_ms AS atMs FROM buckets WHERE key = ?",
          key,
        );
        const { after, value } = change(before);
        sql.run("DELETE FROM buckets WHERE at_ms < ?", after.atMs - forgetMs);
        sql.run(
          "INSERT OR REPLACE INTO buckets (key, level, at_ms) VALUES (?, ?, ?)",
          ...[key, after.level, Math.round(after.atMs)],
        );
        return value;
      }),
    close: () => db.close(),
  };
}
