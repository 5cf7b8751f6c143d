/**
 * The signer's token buckets and notes as a file of its own beside the platform's: no other service writes it, and any
 * number of signers on the machine share it. It names cars, tenants, bookings and grants by their ids and nothing personal.
 */
import { openDatabase, type Sql } from "./database.ts";
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
  {
    name: "notes",
    sql: `
CREATE TABLE notes /* what may not come back: versions and ends that the signer has seen */ (
  key /* a booking, a grant or a car */ TEXT PRIMARY KEY,
  note /* JSON */ TEXT NOT NULL,
  until_ms /* Unix time from which it is forgotten */ INTEGER NOT NULL
) STRICT;
CREATE INDEX notes_until ON notes (until_ms);`,
  },
];
export const RATE_CLASSES: ColumnClasses = {
  migrations: MIGRATION_CLASSES,
  buckets: { key: ["Internal"], level: ["Internal"], at_ms: ["Internal"] },
  notes: { key: ["Internal"], note: ["Internal"], until_ms: ["Internal"] },
};

type Bucket = { readonly level: number; readonly atMs: number };
export type RateFile = {
  /** One durable change. Throws ProtocolError `storage_failed`. */
  readonly update: <T>(
    key: string,
    change: (before: Bucket | undefined) => { readonly after: Bucket; readonly value: T },
  ) => Promise<T>;
  readonly note: (key: string, nowMs: number) => Promise<string | undefined>;
  /** One durable change, or none where `change` answers undefined. Throws ProtocolError `storage_failed`. */
  readonly changeNote: (
    key: string,
    times: { readonly nowMs: number; readonly untilMs: number },
    change: (before: string | undefined) => string | undefined,
  ) => Promise<void>;
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
    note: async (key, nowMs) => db.read((sql) => readNote(sql, key, nowMs)),
    changeNote: async (key, { nowMs, untilMs }, change) =>
      db.write((sql) => {
        const after = change(readNote(sql, key, nowMs));
        if (after === undefined) return;
        sql.run("DELETE FROM notes WHERE until_ms < ?", nowMs);
        sql.run(
          "INSERT INTO notes (key, note, until_ms) VALUES (?, ?, ?) ON CONFLICT (key) DO " +
            "UPDATE SET note = excluded.note, until_ms = max(until_ms, excluded.until_ms)",
          ...[key, after, Math.round(untilMs)],
        );
      }),
    close: () => db.close(),
  };
}

function readNote(sql: Pick<Sql, "get">, key: string, nowMs: number): string | undefined {
  return sql.get<{ note: string }>(
    "SELECT note FROM notes WHERE key = ? AND until_ms >= ?",
    ...[key, nowMs],
  )?.note;
}
