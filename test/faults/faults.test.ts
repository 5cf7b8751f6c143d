/** A share of what `npm run faults` runs: the same seeds each time (`npm run faults` draws fresh ones), and the ones that found something once. */
import { availableParallelism } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runSeeds, runThreads, type Summary } from "./threads.ts";

/** They take some 45 ms of a core each. */
const WORLDS = 2_000;
/** On a machine with much else to do not all are run, which is said; fewer than half of them are too few. */
const MS_MAX = 180_000;
const FROM = 2_000_000;
/** What each of them found is told in docs/decisions: 0052-faults.md, 0076-more-faults.md, 0109-where-faults-land.md. */
const FOUND = [
  60, 85, 313, 1038, 1057, 1077, 1189, 20_122, 20_190, 20_248, 20_276, 1_000_132, 1_000_385,
  1_000_586, 1_001_714, 1_002_059, 1_004_413, 2_000_218, 278_213_445, 938_421_472, 938_433_579,
  3_103_956_099, 4_219_098_619, 4_219_102_185,
];

function held({ failures }: Summary): void {
  assert.equal(
    failures.map(({ seed, faults, problems }) => ({ seed, faults, problems })),
    [],
    "again: npm run faults -- --seed N",
  );
}

test(`P-30 whatever befalls it, nothing is lost, doubled or readable (from seed ${FROM})`, async () => {
  const threads = availableParallelism();
  const summary = await runThreads({ from: FROM, count: WORLDS, threads, msMax: MS_MAX });
  held(summary);
  const { worlds, inFlight } = summary;
  const share = worlds === WORLDS ? "all" : "no more in that time";
  process.stdout.write(`${worlds} worlds (${share}), ${inFlight} faults with work in flight\n`);
  assert.ok(worlds >= WORLDS / 2, `${worlds} worlds of ${WORLDS}`);
  assert.ok(inFlight > worlds / 5, `${inFlight} faults landed with work in flight`);
});

test("what was found once stays mended", async () => {
  const summary = await runSeeds(FOUND);
  held(summary);
  assert.is(summary.worlds, FOUND.length);
});

test("a seed gives the same world again", async () => {
  const [one, other] = await Promise.all(
    [1, 2].map(() => runThreads({ from: 7, count: 5, threads: 1 })),
  );
  assert.equal(one, other);
});

test.run();
