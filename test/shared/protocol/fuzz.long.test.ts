/**
 * A part of `npm run test:long`; by hand `node test/shared/protocol/fuzz.long.test.ts [ROUNDS] [SEED]`. The targets of `fuzz.ts` for ROUNDS damages each
 * (default 200,000), and five times as many damaged frames on a live lock link. The same seed gives the same run.
 */
import { randomInt } from "node:crypto";
import { toHex } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { accepts, damaged, FUZZ_TARGETS, restructured } from "./fuzz.ts";
import { randomFrom, readyPair } from "./lock-pair.ts";

const ROUNDS = Number(process.argv[2] ?? 200_000);
const SEED = Number(process.argv[3] ?? randomInt(2 ** 32));
process.stdout.write(`seed ${SEED}, ${ROUNDS} rounds\n`);

for (const target of FUZZ_TARGETS)
  test(`${target.name}, seed ${SEED}`, () => {
    const random = randomFrom(SEED);
    for (let round = 0; round < ROUNDS; round += 1) {
      const damage = random() < 0.3 ? restructured : damaged;
      const bytes = damage(target.seeds, random);
      assert.not.throws(() => accepts(target, bytes), `round ${round} ${toHex(bytes)}`);
    }
  });

test(`a damaged frame never actuates what was not asked for, seed ${SEED}`, () => {
  const random = randomFrom(SEED);
  const pair = readyPair();
  let last = 0;
  for (let round = 1; round <= 5 * ROUNDS; round += 1) {
    const sent = pair.module.send({ type: "actuate", actuationId: round, action: "lock" }, 0);
    const bytes = damaged([sent.sent ? sent.bytesOut : new Uint8Array()], random);
    for (const message of pair.controller.receive(bytes, 0).messages) {
      const id = message.type === "actuate" && message.action === "lock" ? message.actuationId : 0;
      assert.ok(id > last && id <= round, `round ${round}`);
      last = id;
    }
  }
});

test.run();
