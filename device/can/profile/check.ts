/** Text to a document that a schema allows, or the list of what is wrong, with paths. */
import type { TSchema } from "typebox";
import { Check, Errors } from "typebox/value";
import type { ProfileProblem } from "./model.ts";

export const DOCUMENT_BYTES_MAX: number = 1024 * 1024;
const VALUES_TOLD = 8;
/** Keys that would reach beyond the document where it is read as an object. */
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly ProfileProblem[] };

/**
 * A checker of documents by one schema, `T` being what it describes. Not compiled: that would take longer at each start
 * than the few documents do.
 */
export function checkerOf<T>(
  schema: TSchema,
): (file: string, text: string | Uint8Array) => Checked<T> {
  const check = valueCheckerOf<T>(schema);
  return (file, text) => {
    const parsed = parse(file, text);
    return parsed.ok ? check(file, parsed.value, "") : parsed;
  };
}

/** As `checkerOf`, for a part of a document that was read; `at` is the path to it. */
export function valueCheckerOf<T>(
  schema: TSchema,
): (file: string, value: unknown, at: string) => Checked<T> {
  const allows = (value: unknown): value is T => Check(schema, value);
  return (file, value, at) => {
    if (allows(value)) return { ok: true, value };
    const problems = new Map<string, ProfileProblem>();
    for (const error of Errors(schema, value)) {
      // "additionalProperties" is told by the key itself.
      if (error.keyword === "additionalProperties") continue;
      const path = at + error.instancePath;
      const message = error.keyword === "boolean" ? "unknown key" : wordsOf(error);
      if (!problems.has(path)) problems.set(path, { file, path, severity: "error", message });
    }
    return { ok: false, problems: [...problems.values()] };
  };
}

function wordsOf(error: { readonly message: string; readonly params: unknown }): string {
  const { params } = error;
  const isObject = typeof params === "object" && params !== null;
  if (isObject && "allowedValue" in params)
    return `expected ${JSON.stringify(params.allowedValue)}`;
  if (isObject && "allowedValues" in params && Array.isArray(params.allowedValues)) {
    const { allowedValues: all } = params;
    const more = all.length > VALUES_TOLD ? `, … (${all.length} in all)` : "";
    return `expected one of ${all.slice(0, VALUES_TOLD).join(", ")}${more}`;
  }
  if (isObject && "requiredProperties" in params) {
    return `missing: ${JSON.stringify(params.requiredProperties)}`;
  }
  return error.message;
}

function parse(file: string, text: string | Uint8Array): Checked<unknown> {
  const refuse = (message: string): Checked<unknown> => ({
    ok: false,
    problems: [{ file, path: "", severity: "error", message }],
  });
  if (text.length > DOCUMENT_BYTES_MAX) {
    return refuse(`${text.length} bytes, more than ${DOCUMENT_BYTES_MAX}`);
  }
  try {
    const source =
      typeof text === "string" ? text : new TextDecoder("utf-8", { fatal: true }).decode(text);
    const value: unknown = JSON.parse(source, (key, item: unknown) => {
      if (FORBIDDEN_KEYS.has(key)) throw new SyntaxError(`key ${key} is not allowed`);
      return item;
    });
    return { ok: true, value };
  } catch (error) {
    return refuse(`no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}
