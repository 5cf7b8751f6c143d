/**
 * Every reader of strange bytes against damaged golden bytes. The seed is in the name of the test; the round in the
 * message of a failure. The long run is `fuzz.long.test.ts`.
 */
import { randomInt } from "node:crypto";
import { toHex } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { accepts, damaged, FUZZ_TARGETS, restructured } from "./fuzz.ts";
import { randomFrom } from "./lock-pair.ts";

const ROUNDS = 2000;
const SEED = randomInt(2 ** 32);

for (const target of FUZZ_TARGETS)
  test(`${target.name} refuses or reads damaged bytes and does nothing else, seed ${SEED}`, () => {
    const random = randomFrom(SEED);
    for (const seed of target.seeds) assert.ok(accepts(target, seed), "the golden bytes");
    for (let round = 0; round < ROUNDS; round += 1) {
      const damage = random() < 0.3 ? restructured : damaged;
      const bytes = damage(target.seeds, random);
      assert.not.throws(
        () => accepts(target, bytes),
        `seed ${SEED} round ${round} ${toHex(bytes)}`,
      );
    }
  });

test.run();
