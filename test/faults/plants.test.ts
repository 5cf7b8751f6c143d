/**
 * The simulation proves itself: each planted bug must be found in its world and said to be what it is, and that same
 * world must hold without it.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { PLANTS } from "./plants.ts";
import { runSeeds, runThreads } from "./threads.ts";

const ONE = { count: 1, threads: 1 } as const;
const WORLD_MS_MAX = 60_000;

for (const plant of PLANTS) {
  test(`is found: ${plant.name}`, async () => {
    const planted = await runThreads({
      ...ONE,
      from: plant.seed,
      edits: [plant],
      msMax: WORLD_MS_MAX,
    });
    const [failure] = planted.failures;
    assert.ok(failure !== undefined, `seed ${plant.seed} lets it pass`);
    assert.match(failure.problems.join("\n"), plant.says, `seed ${plant.seed}`);
  });
}

test("without them the same worlds hold", async () => {
  const seeds = new Set(PLANTS.map((plant) => plant.seed));
  const { failures, worlds } = await runSeeds([...seeds]);
  assert.equal(failures, []);
  assert.is(worlds, seeds.size);
});

test.run();
