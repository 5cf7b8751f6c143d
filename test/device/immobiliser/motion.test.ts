/** When a car counts as standing and as parked: rows of what is seen, one after the other. */
import {
  freshReading,
  isBusAsleep,
  MOTION_UNKNOWN,
  type Motion,
  type MotionInput,
  motionFacts,
  nextMotion,
} from "@kerbside/immobiliser";
import { test } from "uvu";
import * as assert from "uvu/assert";

const LIMITS = { standstillMs: 2000, standstillKmhMax: 0.5 };
const speed = (value: number): MotionInput => ({
  type: "speed",
  reading: { quality: "good", value },
});
const lost = (quality: "stale" | "invalid" | "unknown"): MotionInput => ({
  type: "speed",
  reading: { quality },
});
const off: MotionInput = { type: "ignition", off: { quality: "good", value: true } };
const on: MotionInput = { type: "ignition", off: { quality: "good", value: false } };
const offLost: MotionInput = { type: "ignition", off: { quality: "stale" } };

type Row = {
  why: string;
  seen: readonly (readonly [atMs: number, input: MotionInput])[];
  ends: Motion["value"];
};
const rows: readonly Row[] = [
  { why: "nothing seen", seen: [], ends: "unknown" },
  { why: "speed 0", seen: [[0, speed(0)]], ends: "standing" },
  { why: "noise up to the limit is rest", seen: [[0, speed(0.5)]], ends: "standing" },
  { why: "a little more is motion", seen: [[0, speed(0.51)]], ends: "moving" },
  {
    why: "stands 2 s, then ignition off",
    seen: [
      [0, speed(0)],
      [0, on],
      [2000, off],
    ],
    ends: "parked",
  },
  {
    why: "ignition off a moment too early",
    seen: [
      [0, speed(0)],
      [0, on],
      [1999, off],
    ],
    ends: "standing",
  },
  {
    why: "ignition was off before it was seen on",
    seen: [
      [0, speed(0)],
      [3000, off],
    ],
    ends: "standing",
  },
  {
    why: "ignition off while rolling, then it stands",
    seen: [
      [0, speed(9)],
      [10, on],
      [20, off],
      [5000, speed(0)],
      [9000, off],
    ],
    ends: "standing",
  },
  {
    why: "parked, the bus falls asleep",
    seen: [
      [0, speed(0)],
      [0, on],
      [2000, off],
      [3000, lost("stale")],
      [3000, offLost],
    ],
    ends: "parked",
  },
  {
    why: "parked, then a speed with a wrong checksum",
    seen: [
      [0, speed(0)],
      [0, on],
      [2000, off],
      [3000, lost("invalid")],
    ],
    ends: "unknown",
  },
  {
    why: "parked, then towed",
    seen: [
      [0, speed(0)],
      [0, on],
      [2000, off],
      [3000, { type: "moved" }],
    ],
    ends: "moving",
  },
  {
    why: "parked, then it rolls",
    seen: [
      [0, speed(0)],
      [0, on],
      [2000, off],
      [3000, speed(0.6)],
    ],
    ends: "moving",
  },
  {
    why: "parked, then ignition on",
    seen: [
      [0, speed(0)],
      [0, on],
      [2000, off],
      [3000, on],
    ],
    ends: "standing",
  },
  {
    why: "the sensor fails while it stands",
    seen: [
      [0, speed(0)],
      [0, on],
      [1000, lost("stale")],
      [2500, off],
    ],
    ends: "unknown",
  },
  {
    why: "standstill broken for a moment",
    seen: [
      [0, speed(0)],
      [0, on],
      [1500, speed(1)],
      [1600, speed(0)],
      [1600, on],
      [3000, off],
    ],
    ends: "standing",
  },
];

for (const { why, seen, ends } of rows) {
  test(`${why}: ${ends}`, () => {
    const state = seen.reduce<Motion>(
      (before, [atMs, input]) => nextMotion(before, input, atMs, LIMITS),
      MOTION_UNKNOWN,
    );
    assert.is(state.value, ends);
  });
}

test("only a parked car's last values stand while its bus sleeps", () => {
  const stale = { quality: "stale" } as const;
  const parked = motionFacts({ value: "parked", sinceMs: 1000 }, stale, stale, 9000, true);
  assert.equal(parked.speedKmh, { quality: "good", value: 0 });
  assert.equal(parked.ignitionOff, { quality: "good", value: true });
  assert.is(parked.standstillMs, 8000);
  assert.is(parked.ignitionOffSeenAfterStandstill, true);
  const standing = motionFacts(
    { value: "standing", sinceMs: 0, ignition: "off" },
    stale,
    stale,
    9000,
    true,
  );
  assert.equal(standing.speedKmh, stale);
  assert.is(standing.ignitionOffSeenAfterStandstill, false);
  assert.is(motionFacts({ value: "moving" }, stale, stale, 9000, true).standstillMs, 0);
  const wrong = motionFacts(
    { value: "parked", sinceMs: 0 },
    { quality: "invalid" },
    stale,
    9000,
    true,
  );
  assert.equal(wrong.speedKmh, { quality: "invalid" });
});

const PARAMETERS = { ...LIMITS, awakeFreshMs: 1000, asleepAfterMs: 5000 };

test("a reading is stale once the bus is awake and it is older than the profile allows", () => {
  const now = { quality: "good", value: 0 } as const;
  assert.is(freshReading(now, 1000, false, PARAMETERS), now);
  assert.equal(freshReading(now, 1001, false, PARAMETERS), { quality: "stale" });
  assert.is(freshReading(now, 1e9, true, PARAMETERS), now, "a bus that sleeps says nothing of age");
  const wrong = { quality: "invalid" } as const;
  assert.is(freshReading(wrong, 1e9, false, PARAMETERS), wrong);
});

test("a bus sleeps after its time without a frame; one that was never heard is not known to", () => {
  assert.is(isBusAsleep(undefined, 1e9, PARAMETERS), false);
  assert.is(isBusAsleep(1000, 5999, PARAMETERS), false);
  assert.is(isBusAsleep(1000, 6000, PARAMETERS), true);
});

test("a parked car whose speed goes stale on a bus that is awake is not known to stand", () => {
  const stale = { quality: "stale" } as const;
  const facts = motionFacts({ value: "parked", sinceMs: 0 }, stale, stale, 9000, false);
  assert.equal(facts.speedKmh, stale);
  assert.equal(facts.ignitionOff, stale);
});

test("a profile that asks for longer than 2 s gets it, and never for less", () => {
  const run = (standstillMs: number, offMs: number): string => {
    const limits = { standstillMs, standstillKmhMax: 1 };
    let state = MOTION_UNKNOWN;
    for (const [atMs, input] of [
      [0, speed(0.9)],
      [0, on],
      [offMs, off],
    ] as const)
      state = nextMotion(state, input, atMs, limits);
    return state.value;
  };
  assert.is(run(5000, 4999), "standing");
  assert.is(run(5000, 5000), "parked");
  assert.is(run(100, 1999), "standing");
});

test("an ignition seen before the car was seen to stand says nothing yet", () => {
  for (const input of [on, off, offLost])
    assert.is(nextMotion(MOTION_UNKNOWN, input, 0, LIMITS), MOTION_UNKNOWN);
  assert.is(nextMotion({ value: "moving" }, off, 0, LIMITS).value, "moving");
  const standing: Motion = { value: "standing", sinceMs: 0, ignition: "on" };
  assert.equal(nextMotion(standing, offLost, 9000, LIMITS), { ...standing, ignition: "unknown" });
  assert.is(nextMotion(standing, speed(0), 9000, LIMITS), standing);
  const parked: Motion = { value: "parked", sinceMs: 0 };
  assert.is(nextMotion(parked, offLost, 9000, LIMITS), parked);
  assert.is(nextMotion(parked, speed(0), 9000, LIMITS), parked);
});

test.run();
