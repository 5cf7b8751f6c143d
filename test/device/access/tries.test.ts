/** Delays after failed tries, to the millisecond, and what is remembered of them. */
import {
  delayMsAfter,
  failuresAfter,
  PIN_FAILURES_MAX,
  TRIES_FREE,
  TRIES_HALVED_MS,
  TRY_DELAY_MS_MAX,
  TryLimits,
} from "@kerbside/access";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("P-20 the bounds are those that the documentation gives", () => {
  assert.equal([TRIES_FREE, PIN_FAILURES_MAX, TRY_DELAY_MS_MAX], [3, 10, 900_000]);
});

const DELAYS: readonly (readonly [failures: number, ms: number])[] = [
  [0, 0],
  [2, 0],
  [3, 10_000],
  [4, 20_000],
  [5, 40_000],
  [9, 640_000],
  [10, 900_000],
  [23, 900_000],
  [5000, 900_000],
];
for (const [failures, ms] of DELAYS)
  test(`after ${failures} failures the next try waits ${ms} ms`, () => {
    assert.is(delayMsAfter(failures), ms);
  });

test("a delay runs from the failure before, and is over to the millisecond", () => {
  const limits = new TryLimits(new Map(), 0);
  assert.is(limits.waitMs("pin:a", 0), 0, "never tried");
  for (const nowMs of [100, 200, 5000]) limits.count("pin:a", nowMs);
  assert.is(limits.failures("pin:a", 5000), 3);
  assert.is(limits.waitMs("pin:a", 5000), 10_000);
  assert.is(limits.waitMs("pin:a", 8000), 7000);
  assert.is(limits.waitMs("pin:a", 14_999), 1);
  assert.is(limits.waitMs("pin:a", 15_000), 0);
  assert.is(limits.waitMs("pin:a", 1e9), 0);
  assert.is(limits.waitMs("pin:b", 5000), 0, "another's tries");
});

test("after a restart the delay begins anew in full, from the start of this boot", () => {
  const limits = new TryLimits(new Map([["pin:a", 4]]), 7000);
  assert.is(limits.failures("pin:a", 7000), 4);
  assert.is(limits.waitMs("pin:a", 7000), 20_000);
  assert.is(limits.waitMs("pin:a", 26_999), 1);
  assert.equal([...limits.count("pin:a", 30_000)], [["pin:a", 5]]);
  assert.is(limits.waitMs("pin:a", 30_000), 40_000);
});

test("what is given out and taken in are copies: the counters are changed by tries alone", () => {
  const kept = new Map([["uid", 1]]);
  const limits = new TryLimits(kept, 0);
  kept.set("uid", 9);
  assert.is(limits.failures("uid", 0), 1);
  const counted = limits.count("uid", 0);
  limits.count("uid", 0);
  assert.equal([...counted], [["uid", 2]]);
});

test("what was right is forgotten, what nobody can try any more too, and nothing else", () => {
  const limits = new TryLimits(new Map(Object.entries({ uid: 2, "pin:a": 1, "pin:b": 4 })), 0);
  assert.equal(limits.clear("uid", 0), new Map(Object.entries({ "pin:a": 1, "pin:b": 4 })));
  assert.is(limits.clear("uid", 0), undefined, "nothing to forget");
  assert.is(limits.failures("uid", 0), 0);
  assert.equal(
    limits.retain((what) => what !== "pin:a", 0),
    new Map([["pin:b", 4]]),
  );
  assert.is(limits.failures("pin:a", 0), 0);
  assert.is(limits.failures("pin:b", 0), 4);
});

const HOUR_MS = 3_600_000;
test("each quiet hour halves what was tried of numbers and keys; wrong PINs count for good", () => {
  assert.is(TRIES_HALVED_MS, HOUR_MS);
  for (const [failures, quietMs, left] of [
    [10, 0, 10],
    [10, HOUR_MS - 1, 10],
    [10, HOUR_MS, 5],
    [10, 2 * HOUR_MS, 2],
    [10, 3 * HOUR_MS, 1],
    [10, 4 * HOUR_MS, 0],
    [5000, 365 * 24 * HOUR_MS, 0],
  ] as const)
    assert.is(failuresAfter(failures, quietMs), left, `${failures} after ${quietMs}`);
  const limits = new TryLimits(new Map(Object.entries({ uid: 10, "card:a": 10, "pin:a": 9 })), 0);
  assert.is(limits.failures("uid", HOUR_MS), 5);
  assert.is(limits.failures("card:a", HOUR_MS), 5);
  assert.is(limits.failures("pin:a", 9 * HOUR_MS), 9);
  const counted = limits.count("uid", HOUR_MS);
  assert.equal(
    [...counted],
    [
      ["uid", 6],
      ["card:a", 5],
      ["pin:a", 9],
    ],
    "kept as they stand",
  );
  assert.is(limits.failures("uid", 2 * HOUR_MS - 1), 6, "the hour begins anew with a failure");
  assert.equal(
    limits.retain(() => true, 9 * HOUR_MS),
    new Map([["pin:a", 9]]),
  );
});

test("waiting for counts to halve wins a guesser nothing: fewer than five tries an hour, forever", () => {
  let best = 0;
  for (let from = 1; from <= 40; from += 1) {
    let ms = HOUR_MS;
    let tries = 0;
    for (let failures = failuresAfter(from, HOUR_MS); failures < from; failures += 1) {
      ms += delayMsAfter(failures);
      tries += 1;
    }
    best = Math.max(best, (tries * HOUR_MS) / ms);
  }
  assert.ok(best > 4 && best < 5, `${best} tries an hour`);
});

test("after a restart what is certainly past counts, for delay and halving, as soon as it is known", () => {
  let agedMs = 0;
  const kept = new Map(Object.entries({ uid: 10, "pin:a": 4 }));
  const limits = new TryLimits(kept, 0, () => agedMs);
  assert.is(limits.waitMs("uid", 0), TRY_DELAY_MS_MAX, "time is unknown: in full");
  agedMs = 300_000;
  assert.is(limits.waitMs("uid", 0), TRY_DELAY_MS_MAX - 300_000);
  assert.is(limits.waitMs("pin:a", 0), 0, "20 s are long over");
  agedMs = 2 * HOUR_MS;
  assert.is(limits.failures("uid", 0), 2);
  assert.is(limits.waitMs("uid", 0), 0);
  limits.count("uid", 0);
  assert.is(limits.waitMs("uid", 0), delayMsAfter(3), "what is tried now is not of then");
});

test.run();
