/** Each fault followed by each: a world for every pair. */
import { availableParallelism } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SEED_MAX } from "../fuzz/random.ts";
import { runThreads } from "./threads.ts";

/** The square of the rows of both tables of faults, which are counted where the worlds are. */
const PAIRS = 37 ** 2;
/** On a machine with much else to do not all are run, which is said; fewer than half of them are too few. */
const MS_MAX = 180_000;

test("any fault, and any other soon after: nothing is lost, doubled or readable", async () => {
  const threads = availableParallelism();
  const from = SEED_MAX + 1 - PAIRS;
  const { failures, worlds } = await runThreads({ from, count: PAIRS, threads, msMax: MS_MAX });
  process.stdout.write(`${worlds} of ${PAIRS} pairs\n`);
  assert.equal(
    failures.map(({ seed, faults, problems }) => ({ seed, faults, problems })),
    [],
    "again: npm run faults -- --seed N",
  );
  assert.ok(worlds >= PAIRS / 2, `${worlds} of ${PAIRS} pairs`);
});

test.run();
