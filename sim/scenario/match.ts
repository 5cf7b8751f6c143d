/** Whether what is there is what was expected: objects by the fields that are named, the rest by equality. */
import { isObject } from "../car/fields.ts";

const COMPARED = /^(>=|<=|>|<)\s*(-?[0-9.]+)$/;
const PATTERN = /^\/(.+)\/$/;

/** Why it is not, in words; undefined where it is. A list must hold a match for each expected part, in any order. */
export function mismatch(expected: unknown, found: unknown, where = ""): string | undefined {
  if (isObject(expected)) {
    if (!isObject(found)) return `${where || "it"} is ${shown(found)}, not an object`;
    for (const [name, part] of Object.entries(expected)) {
      const why = mismatch(part, found[name], where === "" ? name : `${where}.${name}`);
      if (why !== undefined) return why;
    }
    return undefined;
  }
  if (Array.isArray(expected)) {
    const parts: readonly unknown[] = Array.isArray(found) ? found : [];
    const missing = expected.find(
      (one) => !parts.some((part) => mismatch(one, part) === undefined),
    );
    return missing === undefined
      ? undefined
      : `${where} is ${shown(found)}, without ${shown(missing)}`;
  }
  return same(expected, found)
    ? undefined
    : `${where || "it"} is ${shown(found)}, not ${shown(expected)}`;
}

function same(expected: unknown, found: unknown): boolean {
  if (typeof expected !== "string") return Object.is(expected, found);
  const [, relation, text] = COMPARED.exec(expected) ?? [];
  if (relation !== undefined && typeof found === "number") {
    const bound = Number(text);
    if (relation === ">=") return found >= bound;
    if (relation === "<=") return found <= bound;
    return relation === ">" ? found > bound : found < bound;
  }
  const pattern = PATTERN.exec(expected)?.[1];
  if (pattern !== undefined) return typeof found === "string" && new RegExp(pattern).test(found);
  return expected === found;
}

const SHOWN_CHARS_MAX = 200;

/** Short, for reports. */
export function shown(value: unknown): string {
  const text = value === undefined ? "not there" : JSON.stringify(value);
  return text.length <= SHOWN_CHARS_MAX ? text : `${text.slice(0, SHOWN_CHARS_MAX)}…`;
}
