/**
 * P-20, P-21: reads the schema of a live database and says which column has no class, which personal column or table
 * lacks its tag in its comment, and which tag stands where none belongs.
 */
import type { DataClass, PersonalTag } from "@kerbside/protocol";
import type { Sql } from "./database.ts";

/** Class and personal tags of every column, table by table. */
export type ColumnClasses = Readonly<
  Record<string, Readonly<Record<string, readonly [DataClass, ...PersonalTag[]]>>>
>;

const TAG = /#(PPI|GEO|SPI)\b/g;
/** Tables that SQLite keeps for itself. */
const OWN = /^sqlite_/;

/** The problems found, in words; empty when all is well. */
export function schemaProblems(sql: Sql, classes: ColumnClasses): readonly string[] {
  const tables = sql.all<{ name: string; sql: string }>(
    "SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name",
  );
  const problems: string[] = [];
  for (const table of tables) {
    if (OWN.test(table.name)) continue;
    const known = classes[table.name];
    if (known === undefined) {
      problems.push(`${table.name}: has no row in the table of classes`);
      continue;
    }
    const columns = sql
      .all<{ name: string }>("SELECT name FROM pragma_table_info(?)", table.name)
      .map((column) => column.name);
    const expected = new Set<string>();
    for (const column of columns) {
      const [dataClass, ...tags] = known[column] ?? [];
      if (dataClass === undefined) problems.push(`${table.name}.${column}: has no class`);
      for (const tag of tags) expected.add(tag);
      const found = tagsOf(commentAfter(table.sql, column));
      problems.push(...difference(`${table.name}.${column}`, new Set(tags), found));
    }
    const onTable = tagsOf(commentAfter(table.sql, table.name));
    problems.push(...difference(table.name, expected, onTable));
  }
  return problems;
}

function difference(
  where: string,
  expected: ReadonlySet<string>,
  found: ReadonlySet<string>,
): readonly string[] {
  const missing = [...expected].filter((tag) => !found.has(tag));
  const surplus = [...found].filter((tag) => !expected.has(tag));
  return [
    ...missing.map((tag) => `${where}: lacks #${tag} in its comment`),
    ...surplus.map((tag) => `${where}: has #${tag}, which its class does not give it`),
  ];
}

/** The comment that follows a name at the beginning of its definition. */
function commentAfter(create: string, name: string): string {
  const at = new RegExp(`(?:TABLE|[(,])\\s*"?${name}"?\\s*/\\*(.*?)\\*/`, "s").exec(create);
  return at?.[1] ?? "";
}

function tagsOf(comment: string): ReadonlySet<string> {
  return new Set([...comment.matchAll(TAG)].map((match) => match[1] ?? ""));
}
