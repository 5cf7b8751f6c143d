/**
 * `node scripts/client.ts`: writes the types and the table of operations of the client (shared/client/generated) from
 * the API's own description. A test holds what is there against what this would write.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { apiDescription } from "../cloud/commands/index.ts";
import { isObject, type Json, namedTypes, type Operation, operationsOf } from "./client/read.ts";
import { literal, typeText } from "./client/type-text.ts";

export const GENERATED: string = fileURLToPath(
  new URL("../shared/client/generated", import.meta.url),
);
const NOTE = "made by `node scripts/client.ts` from the API's description";

/** One field of what is asked, where there is any. */
function part(name: string, fields: readonly string[], optional: boolean): readonly string[] {
  if (fields.length === 0) return [];
  return [`readonly ${name}${optional ? "?" : ""}: { ${fields.join(" ")} };`];
}

function askText(operation: Operation, names: ReadonlyMap<string, string>): string {
  const places = operation.places.map((place) => `readonly ${place}: string;`);
  const query = operation.query.map(
    ({ name, type, doc }) => `/** ${doc} */ readonly ${name}?: ${type};`,
  );
  const { body } = operation;
  const bytes = body?.types.map(literal).join(" | ");
  const fields = [
    ...part("path", places, false),
    ...part("query", query, true),
    ...(operation.once
      ? ["/** Made where none is given. */ readonly idempotencyKey?: string;"]
      : []),
    ...(body?.schema === undefined
      ? []
      : [`readonly body${body.optional ? "?" : ""}: ${named(body.schema, names)};`]),
    ...(body === undefined || body.schema !== undefined
      ? []
      : [`readonly file: { readonly type: ${bytes}; readonly content: Content };`]),
  ];
  return fields.length === 0 ? "Nothing" : `{\n      ${fields.join("\n      ")}\n    }`;
}

/** A type by its name where it has one. */
function named(schema: Json, names: ReadonlyMap<string, string>): string {
  const text = typeText(schema, "");
  return names.get(text) ?? typeText(schema, "    ");
}

function answerText({ answers }: Operation, names: ReadonlyMap<string, string>): string {
  const texts = answers.map(({ schema, item }) =>
    item === undefined ? named(schema, names) : `Page<${named(item, names)}>`,
  );
  return [...new Set(texts)].join(" | ");
}

function operationText(operation: Operation, names: ReadonlyMap<string, string>): string {
  const { id, summary } = operation;
  return [
    `  /** ${summary}. */`,
    `  readonly ${id}: {`,
    `    readonly ask: ${askText(operation, names)};`,
    `    readonly answer: ${answerText(operation, names)};`,
    "  };",
  ].join("\n");
}

/** What a file uses of the names that others declare. */
function imports(text: string, tag: string, homes: ReadonlyMap<string, string>): readonly string[] {
  const uses = (name: string): boolean => new RegExp(`\\b${name}\\b`).test(text);
  const others = [...new Set(homes.values())].filter((home) => home !== tag).sort();
  const fromOthers = others.flatMap((home) => {
    const names = [...homes]
      .filter(([name, at]) => at === home && uses(name))
      .map(([name]) => name);
    return names.length === 0
      ? []
      : [`import type { ${names.sort().join(", ")} } from "./${home}.ts";`];
  });
  const shared = ["Content", "Nothing", "Page"].filter(uses);
  return shared.length === 0
    ? fromOthers
    : [`import type { ${shared.join(", ")} } from "../page.ts";`, ...fromOthers];
}

const pascal = (tag: string): string => tag.charAt(0).toUpperCase() + tag.slice(1);

function tagFile(
  tag: string,
  operations: readonly Operation[],
  named: ReturnType<typeof namedTypes>,
): string {
  const mine = named.types.filter(({ tag: home }) => home === tag);
  const types = mine.map(({ name, schema }) => `export type ${name} = ${typeText(schema, "")};`);
  const rows = operations.map((operation) => operationText(operation, named.names));
  const body = [...types, `export type ${pascal(tag)}Operations = {\n${rows.join("\n")}\n};`];
  const homes = new Map(named.types.map(({ name, tag: home }) => [name, home]));
  const head = imports(body.join("\n"), tag, homes);
  const top = `/** Of the API, what has the tag "${tag}": ${NOTE}. */`;
  return `${[[top, ...head].join("\n"), ...body].join("\n\n")}\n`;
}

function tableFile(operations: readonly Operation[], tags: readonly string[]): string {
  const rows = operations.map(({ id, method, path, once, body }) => {
    const more = `${once ? ", once: true" : ""}${body?.schema === undefined ? "" : ", json: true"}`;
    return `  ${id}: { method: "${method}", path: "${path}"${more} },`;
  });
  const types = tags.map((tag) => `${pascal(tag)}Operations`);
  return [
    `/** All of the API's operations: ${NOTE}. */`,
    'import type { OperationRow } from "../page.ts";',
    ...tags.map((tag) => `import type { ${pascal(tag)}Operations } from "./${tag}.ts";`),
    "",
    `export type Operations = ${types.join(" &\n  ")};`,
    "export const OPERATIONS: Readonly<Record<keyof Operations, OperationRow>> = {",
    ...rows,
    "};",
    "",
    ...tags.map((tag) => `export type * from "./${tag}.ts";`),
    "",
  ].join("\n");
}

/** Each file by its name. Throws where the description has what the client could not say. */
export function clientFiles(description: object): ReadonlyMap<string, string> {
  const operations = operationsOf(description);
  const tags = [...new Set(operations.map(({ tag }) => tag))].sort();
  const named = namedTypes(operations);
  const files = tags.map((tag): [string, string] => {
    const mine = operations.filter((operation) => operation.tag === tag);
    return [`${tag}.ts`, tagFile(tag, mine, named)];
  });
  return new Map([...files, ["operations.ts", tableFile(operations, tags)]]);
}

if (import.meta.main) {
  const description = await apiDescription();
  if (!isObject(description)) throw new Error("the description is no object");
  rmSync(GENERATED, { recursive: true, force: true });
  mkdirSync(GENERATED, { recursive: true });
  for (const [name, text] of clientFiles(description)) writeFileSync(join(GENERATED, name), text);
}
