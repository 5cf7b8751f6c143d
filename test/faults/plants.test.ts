/** The simulation proves itself: each planted bug must be found, and said to be what it is. */
import { availableParallelism } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { PLANTS } from "./plants.ts";
import { runThreads, type Summary } from "./threads.ts";

/** Worlds in which a planted bug must show. The seeds are fixed: they are known to be enough. */
const WORLDS_MAX = 300;
const FROM = 1;
const MS_MAX = 20_000;

const found = new Map<string, Promise<Summary>>();
const queue = [...PLANTS];
/** Runs the plants, as many at once as there are cores. */
async function drain(): Promise<void> {
  for (let plant = queue.shift(); plant !== undefined; plant = queue.shift()) {
    const edits = [plant];
    const run = runThreads({
      from: FROM,
      count: WORLDS_MAX,
      threads: 1,
      edits,
      untilFailure: true,
      msMax: MS_MAX,
    });
    found.set(plant.name, run);
    await run.catch(() => undefined);
  }
}
const drained = Promise.all(Array.from({ length: availableParallelism() }, drain));

for (const { name, says } of PLANTS) {
  test(`is found: ${name}`, async () => {
    await drained;
    const summary = await found.get(name);
    const [failure] = summary?.failures ?? [];
    assert.ok(failure !== undefined, `${summary?.worlds} worlds from seed ${FROM} let it pass`);
    const said = failure.problems.join("\n");
    assert.match(said, says, `seed ${failure.seed}`);
  });
}

test.run();
