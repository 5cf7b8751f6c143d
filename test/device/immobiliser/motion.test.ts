/** When a car counts as standing and as parked: rows of what is seen, one after the other. */
import {
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
  const standing = motionFacts(
    { value: "standing", sinceMs: 0, ignition: "off" },
    stale,
    stale,
    9000,
    true,
  );
  assert.equal(standing.speedKmh, stale);
  assert.is(standing.ignitionOffSeenAfterStandstill, false);
  const wrong = motionFacts(
    { value: "parked", sinceMs: 0 },
    { quality: "invalid" },
    stale,
    9000,
    true,
  );
  assert.equal(wrong.speedKmh, { quality: "invalid" });
});

test.run();
