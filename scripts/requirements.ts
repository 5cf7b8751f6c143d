/**
 * Writes the column of tests in docs/requirements.md from what the names of tests cite; the other columns are people's.
 * `node scripts/requirements.ts` writes, and the house's tests check that it has been run.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const IDS: readonly string[] = [
  "01 02 03 10 11 12 13 14 15 20 21 22 23 30 31 32 33 34 40 41 42 43 50 51 52 53 54",
  "60 61 62 63 70 71 72 73 74 80 81 82 83 90 91 92 93 94 95",
].flatMap((line) => line.split(" ").map((number) => `P-${number}`));

export type Row = {
  readonly id: string;
  readonly words: string;
  readonly owner: string;
  readonly tests: string;
  readonly open: string;
};
const ROW = /^\| (P-\d\d) \| ([^|]*) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$/gm;
/** The name of a test, or of a row of a table of tests. */
const TITLE = /(?:\(\s*|why: |name: )["`]([^"`\n]*P-\d\d[^"`\n]*)["`]/g;

export function readRows(document: string): readonly Row[] {
  return [...document.matchAll(ROW)].map(
    ([, id = "", words = "", owner = "", tests = "", open = ""]) => ({
      id,
      words,
      owner,
      tests: tests.trim(),
      open: open.trim(),
    }),
  );
}

/** Test files by the requirement that a test in them cites by name. */
export function citations(root: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, Set<string>>();
  const names = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" });
  for (const name of names
    .filter((path) => path.endsWith(".test.ts") && !path.startsWith("house/"))
    .sort()) {
    const text = readFileSync(join(root, "test", name), "utf8");
    for (const [, title = ""] of text.matchAll(TITLE)) {
      for (const [id] of title.matchAll(/P-\d\d/g))
        found.set(id, (found.get(id) ?? new Set()).add(`test/${name}`));
    }
  }
  return new Map([...found].map(([id, files]) => [id, [...files]]));
}

/** The document with its column of tests made anew. */
export function rewritten(document: string, cited: ReadonlyMap<string, readonly string[]>): string {
  return document.replaceAll(
    ROW,
    (_row, id: string, words: string, owner: string, _tests, open: string) => {
      const tests = (cited.get(id) ?? []).map((file) => `\`${file}\``).join(", ");
      const state = tests === "" && open.trim() === "" ? "open" : open.trim();
      return `| ${id} | ${words} | ${owner} | ${tests} | ${state} |`;
    },
  );
}

if (import.meta.main) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const file = join(root, "docs/requirements.md");
  writeFileSync(file, rewritten(readFileSync(file, "utf8"), citations(root)));
}
