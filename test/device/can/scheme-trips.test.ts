import type { Collected, KnownTrip, TripMemory } from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SchemeCar, schemeOf, TRIP_SCHEME } from "../../support/scheme-car.ts";

/** Keeps the trip as a file would: the next car's boot clock is another one. */
function tripFile(): { readonly memory: TripMemory; writes: number } {
  let kept: KnownTrip | undefined;
  const file = {
    writes: 0,
    memory: {
      read: () => (kept === undefined ? undefined : { ...kept, startMs: -60_000 }),
      write: (trip: KnownTrip | undefined) => {
        kept = trip;
        file.writes += 1;
      },
    },
  };
  return file;
}

const TRIPS = new Set(["trip.started", "trip.ended"]);
const tripsOf = (events: readonly Collected[]): Collected[] =>
  events.filter(({ kind }) => TRIPS.has(kind));

test("a trip goes on as the same one when the agent starts anew, and when schemes are replaced", () => {
  const file = tripFile();
  const before = new SchemeCar({ trips: file.memory });
  before.run(1000);
  Object.assign(before, { terminal: "ON", kmh: 36, lock: "unlocked" });
  assert.equal(
    tripsOf(before.run(10_000)).map(({ kind }) => kind),
    ["trip.started"],
  );
  before.collector.apply([schemeOf(TRIP_SCHEME)]);
  assert.equal(tripsOf(before.run(10_000)), [], "none ended, none begun");
  before.collector.close();
  const after = new SchemeCar({ trips: file.memory });
  Object.assign(after, { terminal: "ON", kmh: 36, odometerM: before.odometerM });
  assert.equal(tripsOf(after.run(10_000)), [], "no second start");
  Object.assign(after, { terminal: "OFF", kmh: 0 });
  const [end, ...more] = tripsOf(after.run(200_000));
  assert.equal(more, []);
  if (end?.kind !== "trip.ended") throw new Error("no end");
  assert.ok(Math.abs(end.data.distanceM - 300) < 5, `${end.data.distanceM} m, of both parts`);
  assert.ok(end.data.durationS > 60, "since the first start");
  assert.is(file.memory.read(), undefined);
  assert.ok(file.writes <= 6, "flash is spared");
});

test("a trip whose car was switched off while the agent was away ends after it starts", () => {
  const file = tripFile();
  file.memory.write({ startMs: 0, startOdometerM: 4000, integralM: 0 });
  const parked = new SchemeCar({ trips: file.memory });
  assert.equal(
    tripsOf(parked.run(200_000)).map(({ kind }) => kind),
    ["trip.ended"],
  );
  file.memory.write({ startMs: 0, integralM: 700 });
  const silent = new SchemeCar({ trips: file.memory });
  silent.clock.pass(100_000);
  assert.equal(
    tripsOf(silent.events).map(({ kind }) => kind),
    ["trip.ended"],
    "its bus sleeps",
  );
});

test.run();
