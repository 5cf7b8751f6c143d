/** The mutation tester is tested: what it changes, that a change arrives, and that nothing dies that was not changed. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { survey, Trials } from "./engine.ts";
import { described, type Mutant, mutantsOf } from "./mutants.ts";
import { openPool } from "./pool.ts";
import { EXPLAINED } from "./survivors.ts";
import { ROOT, sourcesOf, TARGETS, testsOf } from "./targets.ts";

const CHANGES: readonly { readonly source: string; readonly changes: readonly string[] }[] = [
  {
    source: "f(a < b)",
    changes: ["a < b → false", "a < b → true", "< → <=", "< → >=", "f(a < b) → ;"],
  },
  { source: "const a = b === c", changes: ["=== → !==", "b === c → false", "b === c → true"] },
  { source: "const a = b && c", changes: ["&& → ||", "b → true", "c → true"] },
  { source: "const a = b ?? c", changes: ["?? → &&"] },
  { source: "const a = !b", changes: ["! → nothing"] },
  { source: "const a = b?.c", changes: ["?. → ."] },
  { source: "const a = [b, c]", changes: ["[b, c] → []", "b, → nothing", ", c → nothing"] },
  { source: "const a = { b: 1 }", changes: ["1 → 2", "{ b: 1 } → {}"] },
  { source: "const a: number = 5 as number", changes: ["5 → 6"] },
  { source: "const a = (b: string) => b", changes: ["b → undefined"] },
  { source: "const a = b.some(c)", changes: ["some → every"] },
  { source: "const a = b.toString(c)", changes: [] },
  { source: "a += 1", changes: ["+= → -=", "1 → 2", "a += 1 → ;"] },
  { source: "const a = /^b$/", changes: ["/^b$/ → /^b/", "/^b$/ → /b$/"] },
  { source: 'throw new RangeError("words for a reader")', changes: [] },
  { source: 'const a = field(0, b, { ...c, doc: "what it is" })', changes: ["0 → 1"] },
];
for (const { source, changes } of CHANGES)
  test(`changes of: ${source}`, () => {
    assert.equal(mutantsOf("x.ts", source).map(described).toSorted(), [...changes].toSorted());
  });

test("a mutant says where it is, and types are no part of it", () => {
  const text = "type A = 1 | 2;\nexport const a: A = 1;\n";
  const [mutant, ...more] = mutantsOf("x.ts", text);
  assert.equal(more, []);
  assert.equal(
    [mutant?.line, mutant?.inLine, mutant?.was, mutant?.text],
    [2, "export const a: A = 1;", "1", "2"],
  );
});

test("every target has sources, tests, and a plant that is there just once", () => {
  for (const target of TARGETS) {
    assert.ok(sourcesOf(target).length > 0 && testsOf(target).length > 0, target.name);
    const text = readFileSync(join(ROOT, target.plant.file), "utf8");
    assert.is(text.split(target.plant.from).length, 2, target.name);
  }
});

test("every explained survivor names a mutant that there is, and gives its reason", () => {
  for (const { file, inLine, change, why } of EXPLAINED) {
    const found = mutantsOf(file, readFileSync(join(ROOT, file), "utf8")).some(
      (mutant) => mutant.inLine === inLine && described(mutant) === change,
    );
    assert.ok(found, `${file}: ${change} in ${inLine}`);
    assert.ok(why.length > 20, `${file}: ${change}`);
  }
});

test("a change arrives where it is tested, and without one nothing fails", async () => {
  const pool = openPool(1);
  try {
    const file = "device/access/tries.ts";
    const text = readFileSync(join(ROOT, file), "utf8");
    const mutants: readonly Mutant[] = mutantsOf(file, text).filter(({ inLine }) =>
      inLine.startsWith("if (failures < TRIES_FREE)"),
    );
    assert.ok(mutants.length >= 4);
    const tests = ["test/device/access/tries.test.ts"];
    const { tests: count, left, reaching } = await survey(pool, mutants, tests, () => undefined);
    assert.equal(left, [], "each test passes by itself");
    assert.ok(count > 5);
    const trials = new Trials(pool);
    for (const mutant of mutants) {
      const ending = await trials.try(mutant, reaching.get(mutant) ?? []);
      assert.is(ending.kind, "killed", described(mutant));
    }
    const [first] = mutants;
    assert.ok(first !== undefined);
    const same = { ...first, text: first.was };
    const ending = await trials.try(same, reaching.get(first) ?? []);
    assert.is(ending.kind, "survived", "a change that changes nothing");
  } finally {
    pool.close();
  }
});

test.run();
