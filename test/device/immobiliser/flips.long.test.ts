/** Millions of frames spoilt by chance; a part of `npm run test:long`. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { actuateOnTheLine, flipped } from "../../support/actuate-frame.ts";

const ROUNDS = 5_000_000;
const FLIPS_MAX = 12;

test(`${ROUNDS} spoilt frames actuate nothing`, () => {
  const seed = Math.trunc(Math.random() * 2 ** 31);
  process.stdout.write(`# seed ${seed}\n`);
  let state = seed;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.trunc((state / 2 ** 32) * limit);
  };
  const { frame, actuations } = actuateOnTheLine();
  for (let round = 0; round < ROUNDS; round += 1) {
    const bits = new Set<number>();
    const wanted = 1 + below(FLIPS_MAX);
    while (bits.size < wanted) bits.add(below(frame.length * 8));
    if (actuations(flipped(frame, [...bits])) > 0) assert.unreachable(`round ${round}`);
  }
  assert.is(actuations(frame), 1);
});

test.run();
