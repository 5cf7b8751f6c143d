/** The interlock table, exhausted: every combination of what each fact can be, for every action. */

import { type CarFacts, judgeAction, type Reading, STANDSTILL_MS_MIN } from "@kerbside/immobiliser";
import { ACTIONS, type Action } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

const unknowns = ["stale", "invalid", "unknown"] as const;
const speeds: readonly Reading<number>[] = [
  { quality: "good", value: 0 },
  { quality: "good", value: 0.5 },
  { quality: "good", value: 0.51 },
  { quality: "good", value: 50 },
  ...unknowns.map((quality) => ({ quality })),
];
const gnssSpeeds: readonly Reading<number>[] = [
  { quality: "good", value: 0 },
  { quality: "good", value: 5.1 },
  { quality: "unknown" },
];
const flags: readonly Reading<boolean>[] = [
  { quality: "good", value: true },
  { quality: "good", value: false },
  { quality: "stale" },
];
const both = [true, false];

function* everyCar(): Generator<CarFacts> {
  for (const speedKmh of speeds)
    for (const gnssSpeedKmh of gnssSpeeds)
      for (const ignitionOff of flags)
        for (const doorsClosed of flags)
          for (const standstillMs of [0, STANDSTILL_MS_MIN - 1, STANDSTILL_MS_MIN])
            for (const ignitionOffSeenAfterStandstill of both)
              for (const noRentalOpen of flags)
                for (const storageWorks of both)
                  yield {
                    speedKmh,
                    gnssSpeedKmh,
                    ignitionOff,
                    doorsClosed,
                    standstillMs,
                    ignitionOffSeenAfterStandstill,
                    noRentalOpen,
                    storageWorks,
                  };
}

const isGood = <T>(reading: Reading<T>, is: (value: T) => boolean): boolean =>
  reading.quality === "good" && is(reading.value);
const moves = ({ speedKmh, gnssSpeedKmh }: CarFacts): boolean =>
  isGood(speedKmh, (v) => v > 0.5) || isGood(gnssSpeedKmh, (v) => v > 5);

/** What each action needs, said a second time and plainly, as design states it. */
const EXPECTED: Readonly<Record<Action, (facts: CarFacts) => boolean>> = {
  unlock: (f) => !moves(f),
  trunk: (f) => !moves(f),
  find: (f) => !moves(f),
  lock: (f) => !moves(f) && !isGood(f.doorsClosed, (closed) => !closed),
  release: () => true,
  unlock_and_release: (f) => !moves(f),
  immobilise: stands,
  lock_and_immobilise: (f) => stands(f) && !isGood(f.doorsClosed, (closed) => !closed),
  end_rental: () => false,
};
function stands(f: CarFacts): boolean {
  return (
    f.speedKmh.quality === "good" &&
    !moves(f) &&
    f.standstillMs >= STANDSTILL_MS_MIN &&
    isGood(f.ignitionOff, (off) => off) &&
    f.ignitionOffSeenAfterStandstill &&
    isGood(f.noRentalOpen, (none) => none) &&
    f.storageWorks
  );
}

for (const action of ACTIONS) {
  test(`${action}: allowed just where it should be, in every combination`, () => {
    let allowed = 0;
    let cars = 0;
    for (const facts of everyCar()) {
      cars += 1;
      const ruling = judgeAction(action, facts);
      if (ruling.allowed) allowed += 1;
      else assert.ok(ruling.unmet.length > 0, "a refusal names its reasons");
      assert.is(ruling.allowed, EXPECTED[action](facts), JSON.stringify(facts));
    }
    assert.ok(cars > 4000);
    if (action === "end_rental") assert.is(allowed, 0);
    else assert.ok(allowed > 0, "the row can be met");
  });
}

test("every unmet condition is named at once, in words", () => {
  const ruling = judgeAction("lock_and_immobilise", {
    speedKmh: { quality: "good", value: 30 },
    gnssSpeedKmh: { quality: "unknown" },
    ignitionOff: { quality: "stale" },
    doorsClosed: { quality: "good", value: false },
    standstillMs: 0,
    ignitionOffSeenAfterStandstill: false,
    noRentalOpen: { quality: "good", value: false },
    storageWorks: false,
  });
  const unmet = ruling.allowed ? [] : ruling.unmet;
  assert.equal(
    unmet.map(({ condition }) => condition),
    [
      "doors_closed",
      "standstill",
      "ignition_off_unknown",
      "ignition_off_after_standstill",
      "no_open_rental",
      "storage",
    ],
  );
  for (const { words } of unmet) assert.match(words, /^[A-Z].*\.$/);
});

test.run();
