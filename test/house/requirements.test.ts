/**
 * docs/requirements.md has a row for every requirement P-nn, which names the tests that show it or says `open`. Both
 * ways: a row that names a test must be cited by that test, and a requirement that a test cites is not `open`.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readSources, root } from "./sources.ts";

const IDS: readonly string[] = [
  "01 02 03 10 11 12 13 14 15 20 21 22 23 30 31 32 33 34 40 41 42 43 50 51 52 53 54",
  "60 61 62 63 70 71 72 73 74 80 81 82 83 90 91 92 93 94 95",
].flatMap((line) => line.split(" ").map((number) => `P-${number}`));

type Row = { readonly id: string; readonly shownBy: string };
const rows: readonly Row[] = [
  ...readFileSync(join(root, "docs/requirements.md"), "utf8").matchAll(
    /^\| (P-\d\d) \|.*\| ([^|]*) \|$/gm,
  ),
].map(([, id = "", shownBy = ""]) => ({ id, shownBy }));

/** Test files by the requirement that the name of one of their tests cites. */
const cited = new Map<string, Set<string>>();
for (const { path, text } of readSources()) {
  if (!path.endsWith(".test.ts") || path.startsWith("test/house/")) continue;
  for (const [, title = ""] of text.matchAll(/\(\s*["`]([^"`\n]*P-\d\d[^"`\n]*)["`]/g)) {
    for (const [id] of title.matchAll(/P-\d\d/g))
      cited.set(id, (cited.get(id) ?? new Set()).add(path));
  }
}

test("every requirement has one row", () => {
  assert.equal(
    rows.map(({ id }) => id),
    IDS,
  );
});

test("a row names tests that exist and cite it, or says open", () => {
  const wrong: string[] = [];
  for (const { id, shownBy } of rows) {
    const files = [...shownBy.matchAll(/`(test\/[^`]+)`/g)].map(([, file = ""]) => file);
    if (files.length === 0 && !shownBy.startsWith("open"))
      wrong.push(`${id}: neither a test nor open`);
    for (const file of files) {
      if (!existsSync(join(root, file))) wrong.push(`${id}: ${file} does not exist`);
      else if (cited.get(id)?.has(file) !== true) wrong.push(`${id}: ${file} does not cite it`);
    }
  }
  assert.equal(wrong, []);
});

test("what a test cites is named in its row", () => {
  const missing = rows.flatMap(({ id, shownBy }) =>
    [...(cited.get(id) ?? [])]
      .filter((file) => !shownBy.includes(`\`${file}\``))
      .map((file) => `${id}: ${file}`),
  );
  assert.equal(missing, []);
});

test.run();
