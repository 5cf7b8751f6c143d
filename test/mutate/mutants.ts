/**
 * The mutants of a file. The types are taken off first (each becomes as many blanks), so that offsets are those of the
 * source, and what is changed is what runs.
 */
import { stripTypeScriptTypes } from "node:module";
import { type AnyNode, parse } from "acorn";
import { type Change, OPERATORS } from "./operators.ts";

export type Mutant = Change & {
  /** From the root of the repository. */
  readonly file: string;
  readonly line: number;
  /** The line it begins in, without what surrounds it. */
  readonly inLine: string;
  readonly was: string;
};

/** How much of a change is shown, in characters. */
const SHOWN_CHARS = 60;

/** The source without its types, as long as it was. */
export function strip(source: string): string {
  const stripped = stripTypeScriptTypes(source);
  if (stripped.length !== source.length) throw new Error("taking off the types moved the text");
  return stripped;
}

function isNode(value: unknown): value is AnyNode {
  return (
    typeof value === "object" &&
    value !== null &&
    "type" in value &&
    typeof value.type === "string" &&
    "start" in value
  );
}

function changesIn(
  node: AnyNode,
  source: string,
  above: readonly AnyNode[] = [],
): readonly Change[] {
  const below = [...above, node];
  const own = OPERATORS.flatMap((operator) => operator(node, { source, above }));
  const children = Object.values(node).flat().filter(isNode);
  return [...own, ...children.flatMap((child) => changesIn(child, source, below))];
}

/** The mutants of a file with this text, by where they are; no two of them make the same text. */
export function mutantsOf(file: string, text: string): readonly Mutant[] {
  const source = strip(text);
  const tree = parse(source, { ecmaVersion: "latest", sourceType: "module" });
  const seen = new Set<string>();
  return changesIn(tree, source)
    .map((change): Mutant => {
      const lineStart = text.lastIndexOf("\n", change.from - 1) + 1;
      const lineEnd = text.indexOf("\n", change.from);
      return {
        ...change,
        file,
        line: text.slice(0, change.from).split("\n").length,
        inLine: text.slice(lineStart, lineEnd < 0 ? undefined : lineEnd).trim(),
        was: text.slice(change.from, change.to),
      };
    })
    .filter((mutant) => {
      const key = `${mutant.from} ${mutant.to} ${mutant.text}`;
      if (seen.has(key) || mutant.was === mutant.text) return false;
      seen.add(key);
      return true;
    })
    .toSorted((a, b) => a.from - b.from || a.to - b.to);
}

const short = (text: string): string => {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= SHOWN_CHARS ? line : `${line.slice(0, SHOWN_CHARS)}…`;
};

/** A change in words: `a < b → a <= b`. Together with file and line of text it names the mutant. */
export function described({ was, text }: Pick<Mutant, "was" | "text">): string {
  return `${short(was)} → ${short(text) || "nothing"}`;
}
