import { test } from "uvu";
import * as assert from "uvu/assert";
import { freshSeed, randomOf } from "./random.ts";
import { FuzzFailure, fuzz } from "./run.ts";
import { TARGETS } from "./targets.ts";

/** A few thousand inputs a target, or what there is time for; `npm run fuzz` runs a million. */
const INPUTS = 3000;
const TARGET_MS_MAX = 5000;

for (const target of TARGETS) {
  test(`fuzz ${target.name}: ${target.why}`, async () => {
    const seed = freshSeed();
    const started = performance.now();
    let inputs = 0;
    while (inputs < INPUTS && performance.now() - started < TARGET_MS_MAX) {
      await fuzz(target, seed + inputs, 100);
      inputs += 100;
    }
    process.stdout.write(`# ${target.name}: seed ${seed}, ${inputs} inputs\n`);
  });
}

test("a failure names the seed that makes it again", async () => {
  const broken = {
    name: "broken",
    why: "nothing",
    run: (random: { int: (below: number) => number }): void => {
      if (random.int(50) === 7) throw new Error("seven");
    },
  };
  const failure = await fuzz(broken, 1, 10_000).then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(failure instanceof FuzzFailure);
  const seed = Number(/at seed (\d+);/.exec(failure.message)?.[1]);
  assert.is(randomOf(seed).int(50), 7);
});

test.run();
