/**
 * P-22: whatever the cloud's processes keep in memory beyond a call is in the table of docs/caches.md, with its bound, what
 * personal data is in it, and how that goes. Found by how it is written: a map, a set or a cache of entries that is a
 * field, or begins empty in a function.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readSources, root } from "./sources.ts";

const KEPT = "new (?:Map|Set|WeakMap|WeakSet|Lru)\\b";
const FIELD = new RegExp(`#(\\w+)(?:: [^=;\\n]*)? =\\s+${KEPT}`, "g");
/** Of a module, unless it is a table that nothing is added to. */
const MODULE = new RegExp(
  `^(?:export )?(?:const|let) (\\w+)(?:: (?!Readonly)[^=\\n]*)? = ${KEPT}`,
  "gm",
);
/** Begins empty: what is made of something is made for one call. */
const EMPTY = new RegExp(
  `^ {2}(?:const|let) (\\w+)(?:: [^=\\n]*)? = ${KEPT}(?:<[^\\n]*>)?\\(\\);`,
  "gm",
);

/** Begins empty as a part of something. */
const PART = new RegExp(`\\b(\\w+): ${KEPT}(?:<[^\\n]*>)?\\(\\)`, "g");

/** Those that end with the call, the transaction or the command that made them. */
const OF_ONE_CALL: ReadonlySet<string> = new Set([
  "cli/command.ts said",
  "commands/rentals.ts found",
  "commands/rentals.ts told",
  "provisioning.ts found",
  "telemetry-list.ts refused",
  "telemetry-list.ts seen",
  "tenants/anchor-copies.ts heads",
  "tenants/anchor-copies.ts upTo",
  "tenants/batch.ts logs",
  "tenants/batch.ts newest",
  "tenants/batch.ts reordered",
  "tenants/batch.ts single",
  "tenants/batch.ts spans",
  "tenants/batch.ts touched",
  "tenants/events.ts found",
  "tenants/latest.ts found",
  "tenants/log-order.ts ranks",
  "tenants/log-order.ts seen",
  "tenants/marks.ts tips",
  "tenants/newest.ts best",
  "tenants/rental-news.ts told",
  "tenants/retention.ts due",
  "tenants/rivals.ts found",
  "tenants/row-seals.ts opened",
  "tenants/row-seals.ts rows",
  "watching.ts usage",
]);

type Place = { readonly at: string; readonly bound: string; readonly emptied: string };

function listed(): readonly Place[] {
  return readFileSync(join(root, "docs/caches.md"), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => {
      const [, file = "", name = "", , personal = "", bound = "", emptied = ""] = line
        .split("|")
        .map((cell) => cell.trim().replaceAll("`", ""));
      assert.ok(personal !== "", line);
      return { at: `${file} ${name}`, bound, emptied };
    });
}

/** `file name` of each, below `cloud/`. */
function found(path: string, text: string): readonly string[] {
  const file = path.replace(/^cloud\//, "");
  return [FIELD, MODULE, EMPTY, PART].flatMap((form) =>
    [...text.matchAll(form)].map(([, name = ""]) => `${file} ${name}`),
  );
}

test("P-22 all memory that outlives a call is listed with its bound, and nothing else is", () => {
  const there = readSources()
    .filter(({ path }) => /^cloud\/(?!console\/).*\.ts$/.test(path))
    .flatMap(({ path, text }) => found(path, text));
  const rows = listed();
  const known = new Set([...rows.map(({ at }) => at), ...OF_ONE_CALL]);
  assert.equal(there.filter((at) => !known.has(at)).sort(), [], "to be listed in docs/caches.md");
  const real = new Set(there);
  assert.equal([...known].filter((at) => !real.has(at)).sort(), [], "listed, and not there");
  for (const { at, bound, emptied } of rows) assert.ok(bound !== "" && emptied !== "", at);
  const both = rows.map(({ at }) => at).filter((at) => OF_ONE_CALL.has(at));
  assert.equal(both, []);
});

test("P-22 each way of writing such a memory is found", () => {
  const text = [
    "class A {",
    "  readonly #one = new Map<string, Person>();",
    "  readonly #two: ReadonlyMap<string, Person> = new Map();",
    "  #three = new WeakMap<object, Person>();",
    "}",
    "const four = new Set<string>();",
    "const TABLE: ReadonlySet<string> = new Set();",
    "function f() {",
    "  const five = new Map<string, { readonly a: number }>();",
    "  const made = new Map(list.map((each) => [each, 1]));",
    "  return { five, made, seven: new Map() };",
    "}",
    "    this.#six = new Lru(10);",
  ].join("\n");
  const names = found("cloud/a.ts", text).map((at) => at.replace("a.ts ", ""));
  assert.equal(names.sort(), ["five", "four", "one", "seven", "six", "three", "two"]);
});

test.run();
