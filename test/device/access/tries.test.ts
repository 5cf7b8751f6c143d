/** Delays after failed tries, to the millisecond, and what is remembered of them. */
import {
  delayMsAfter,
  PIN_FAILURES_MAX,
  TRIES_FREE,
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
  assert.is(limits.failures("pin:a"), 3);
  assert.is(limits.waitMs("pin:a", 5000), 10_000);
  assert.is(limits.waitMs("pin:a", 8000), 7000);
  assert.is(limits.waitMs("pin:a", 14_999), 1);
  assert.is(limits.waitMs("pin:a", 15_000), 0);
  assert.is(limits.waitMs("pin:a", 1e9), 0);
  assert.is(limits.waitMs("pin:b", 5000), 0, "another's tries");
});

test("after a restart the delay begins anew in full, from the start of this boot", () => {
  const limits = new TryLimits(new Map([["pin:a", 4]]), 7000);
  assert.is(limits.failures("pin:a"), 4);
  assert.is(limits.waitMs("pin:a", 7000), 20_000);
  assert.is(limits.waitMs("pin:a", 26_999), 1);
  assert.equal([...limits.count("pin:a", 30_000)], [["pin:a", 5]]);
  assert.is(limits.waitMs("pin:a", 30_000), 40_000);
});

test("what is given out and taken in are copies: the counters are changed by tries alone", () => {
  const kept = new Map([["uid", 1]]);
  const limits = new TryLimits(kept, 0);
  kept.set("uid", 9);
  assert.is(limits.failures("uid"), 1);
  const counted = limits.count("uid", 0);
  limits.count("uid", 0);
  assert.equal([...counted], [["uid", 2]]);
});

test("what was right is forgotten, what nobody can try any more too, and nothing else", () => {
  const limits = new TryLimits(new Map(Object.entries({ uid: 2, "pin:a": 1, "pin:b": 4 })), 0);
  assert.equal(limits.clear("uid"), new Map(Object.entries({ "pin:a": 1, "pin:b": 4 })));
  assert.is(limits.clear("uid"), undefined, "nothing to forget");
  assert.is(limits.failures("uid"), 0);
  assert.equal(
    limits.retain((what) => what !== "pin:a"),
    new Map([["pin:b", 4]]),
  );
  assert.is(limits.failures("pin:a"), 0);
  assert.is(limits.failures("pin:b"), 4);
});

test.run();
