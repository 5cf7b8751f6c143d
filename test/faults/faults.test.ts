/** A share of what `npm run faults` runs: the same seeds each time (`npm run faults` draws fresh ones), and the ones that found something once. */
import { availableParallelism } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runSeeds, runThreads, type Summary } from "./threads.ts";

/** As many as there is time for, on a machine that others use too: some 20 a second on each core. */
const WORLDS_MAX = 2_000;
const MS_MAX = 45_000;
const FROM = 1_000_000;
/** What each of them found is told in docs/decisions/0052-faults.md and 0076-more-faults.md. */
const FOUND = [
  60, 85, 313, 1038, 1057, 1077, 1189, 20_248, 20_276, 1_000_132, 1_000_385, 1_000_586,
  3_103_956_099,
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
  const summary = await runThreads({ from: FROM, count: WORLDS_MAX, threads, msMax: MS_MAX });
  held(summary);
  const { worlds, inFlight } = summary;
  process.stdout.write(`${worlds} worlds, ${inFlight} faults with work in flight\n`);
  assert.ok(worlds > 20, `${worlds} worlds`);
  assert.ok(inFlight > 0, "faults landed with work in flight");
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
