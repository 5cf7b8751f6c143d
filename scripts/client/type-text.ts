/** JSON Schema (2020-12), as far as the API's description uses it, as the text of a type. */

type Schema = Readonly<Record<string, unknown>>;

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export const literal = (value: unknown): string => JSON.stringify(value);

const PLAIN: Readonly<Record<string, string>> = {
  string: "string",
  boolean: "boolean",
  integer: "number",
  number: "number",
};

/** `indent` is that of the line it begins on. Throws on what it does not know, rather than to say `unknown`. */
export function typeText(schema: unknown, indent: string): string {
  if (!isSchema(schema)) throw new Error("expected a schema");
  const { type, enum: values, properties, items } = schema;
  if (Array.isArray(values)) return values.map(literal).join(" | ");
  if (type === "array") return `readonly (${typeText(items, indent)})[]`;
  if (type === "object" && isSchema(properties)) return objectText(schema, properties, indent);
  if (typeof type === "string" && PLAIN[type] !== undefined) return PLAIN[type];
  // Anything at all, which a schema without a word of type says.
  const rest = Object.keys(schema).filter((word) => word !== "description" && word !== "examples");
  if (rest.length === 0) return "unknown";
  throw new Error(`a schema of ${rest.join(", ")} has no type yet`);
}

function objectText({ required }: Schema, properties: Schema, indent: string): string {
  const needed = new Set(Array.isArray(required) ? required : []);
  const inner = `${indent}  `;
  const fields = Object.entries(properties).map(([name, field]) => {
    const doc = isSchema(field) ? field["description"] : undefined;
    const words = typeof doc === "string" ? `/** ${doc.replaceAll("*/", "* /")} */ ` : "";
    const key = /^[a-z]\w*$/i.test(name) ? name : literal(name);
    return `${inner}${words}readonly ${key}${needed.has(name) ? "" : "?"}: ${typeText(field, inner)};`;
  });
  return fields.length === 0 ? "Nothing" : `{\n${fields.join("\n")}\n${indent}}`;
}
