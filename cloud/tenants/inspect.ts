/** Looking into the tables themselves: whether their schema is as it should be, and rows without what is personal. */
import { ProtocolError, toHex } from "@kerbside/protocol";
import type { Database } from "./database.ts";
import { type ColumnClasses, schemaProblems } from "./schema-check.ts";
import { SUBJECT_CLASSES, TENANT_CLASSES } from "./tenant-classes.ts";

/** The most rows that one look shows. */
export const INSPECTED_ROWS_MAX = 1000;

export type TableRow = Readonly<Record<string, string | number | null>>;
export type Inspection = {
  /** P-21, over the live files. */
  readonly schemaProblems: () => readonly string[];
  /**
   * P-62: rows of a table with those of its columns that are Public or Internal and have no tag, bytes in hexadecimal.
   * Reads and nothing else. Throws ProtocolError `not_found` where there is no such table, or nothing of it may be shown.
   */
  readonly readTable: (table: string, skip: number, limit: number) => readonly TableRow[];
};

export function inspection(files: {
  readonly store: Database;
  readonly subjects: Database;
}): Inspection {
  return {
    schemaProblems: () => [
      ...files.store.read((sql) => schemaProblems(sql, TENANT_CLASSES)),
      ...files.subjects.read((sql) => schemaProblems(sql, SUBJECT_CLASSES)),
    ],
    readTable: (table, skip, limit) => {
      const columns = shownColumns(TENANT_CLASSES, table);
      // Both are names out of the table of classes.
      const text = `SELECT ${columns.join(", ")} FROM ${table} ORDER BY 1, ${columns.length} LIMIT ? OFFSET ?`;
      const rows = files.store.read((sql) =>
        sql.all<Readonly<Record<string, string | number | Uint8Array | null>>>(
          text,
          ...[Math.min(limit, INSPECTED_ROWS_MAX), skip],
        ),
      );
      return rows.map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([name, value]) => [
            name,
            value instanceof Uint8Array ? toHex(value) : value,
          ]),
        ),
      );
    },
  };
}

/** Throws ProtocolError `not_found`. */
export function shownColumns(classes: ColumnClasses, table: string): readonly string[] {
  const columns = Object.hasOwn(classes, table) ? (classes[table] ?? {}) : {};
  const shown = Object.entries(columns)
    .filter(([, [dataClass, ...tags]]) => isLow(dataClass) && tags.length === 0)
    .map(([name]) => name);
  if (shown.length === 0)
    throw new ProtocolError("not_found", "table: there is none such, or nothing of it is shown");
  return shown;
}

const isLow = (dataClass: string): boolean => dataClass === "Public" || dataClass === "Internal";
