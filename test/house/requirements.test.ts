/**
 * docs/requirements.md has a row for every requirement P-nn with the tests that cite it, in both directions, and says
 * what is still open. `node scripts/requirements.ts` writes the column of tests.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { citations, IDS, readRows, rewritten } from "../../scripts/requirements.ts";
import { root } from "./sources.ts";

const document = readFileSync(join(root, "docs/requirements.md"), "utf8");

test("every requirement has one row", () => {
  assert.equal(
    readRows(document).map(({ id }) => id),
    IDS,
  );
});

test("a row names just the tests that cite it", () => {
  const fresh = readRows(rewritten(document, citations(root)));
  const tests = new Map(fresh.map((row) => [row.id, row.tests]));
  const stale = readRows(document).filter((row) => row.tests !== tests.get(row.id));
  assert.equal(
    stale.map(({ id }) => id),
    [],
    "run node scripts/requirements.ts",
  );
});

test("a requirement that no test shows is open", () => {
  const silent = readRows(document).filter(
    ({ tests, open }) => tests === "" && !open.startsWith("open"),
  );
  assert.equal(
    silent.map(({ id }) => id),
    [],
  );
});

test.run();
