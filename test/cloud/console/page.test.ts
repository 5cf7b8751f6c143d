/** What the operators' page concludes from what it is told: pure functions of its own. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ledOn } from "../../../cloud/console/web/outlines.ts";
import { inTrouble, markerOf, matches } from "../../../cloud/console/web/src/finding.ts";
import { distinct, fold } from "../../../cloud/console/web/src/fold.ts";
import { standing } from "../../../cloud/console/web/src/standing.ts";
import type { Booking, CarEvent, FleetCar } from "../../../cloud/console/web/src/types.ts";
import { usable } from "../../../cloud/console/web/src/usable.ts";
import { de } from "../../../cloud/console/web/src/words/de.ts";
import { en } from "../../../cloud/console/web/src/words/en.ts";

let seq = 0;
function event(second: number, kind: string, data: CarEvent["data"]): CarEvent {
  seq += 1;
  const at = new Date(Date.UTC(2026, 0, 1, 8, 0, second)).toISOString();
  return { vehicle: "car-1", log: "aa", lane: "state", seq, at, kind, data };
}

test("what no event has said is unknown, never closed or locked", () => {
  const state = fold([]);
  assert.is(state.locked, undefined);
  assert.equal(state.doors, {});
  assert.is(state.speedKmh, undefined);
  assert.is(state.place, undefined);
});

test("the newest word counts, whatever order events come in", () => {
  const events = [
    event(9, "lock.changed", { locked: true }),
    event(3, "lock.changed", { locked: false }),
    event(1, "door.changed", { door: "driver", open: true }),
    event(4, "position.sampled", { latitude: 48, longitude: 11, speedKmh: 30, headingDeg: 90 }),
    event(5, "vehicle.parked", { latitude: 48.1, longitude: 11 }),
    event(2, "fault.raised", { code: "can.silent" }),
    event(6, "fault.cleared", { code: "can.silent" }),
    event(7, "fault.raised", { code: "lock.jam" }),
  ];
  for (const given of [events, events.toReversed()]) {
    const { locked, doors, speedKmh, place, faults, track } = fold(given);
    assert.is(locked, true);
    assert.equal(doors, { driver: true });
    assert.is(speedKmh, 0);
    assert.is(place?.latitude, 48.1);
    assert.is(track.length, 2);
    assert.equal([...faults], ["lock.jam"]);
  }
});

test("a trip that ended takes the place of the one under way", () => {
  const { trips } = fold([
    event(10, "trip.started", {}),
    event(70, "trip.ended", { distanceM: 500, durationS: 60 }),
    event(90, "trip.started", {}),
  ]);
  assert.equal(
    trips.map(({ distanceM, endedAt }) => [distanceM, endedAt === undefined]),
    [
      [500, false],
      [undefined, true],
    ],
  );
});

test("the same event from two lists is one", () => {
  const one = event(1, "agent.started", {});
  assert.is(distinct([one, { ...one }, event(2, "agent.started", {})]).length, 2);
});

const car = (more: Partial<FleetCar>): FleetCar => ({
  ...{ vehicle: "car-1", profile: "kerbside-sim", online: true, revoked: false },
  ...more,
});

test("a search finds by every word, anywhere", () => {
  const found = car({ vehicle: "blue-7", fault: "can.silent" });
  for (const question of ["", "blue", "BLUE sim", "silent", " blue  can "]) {
    assert.ok(matches(found, question), question);
  }
  for (const question of ["red", "blue red"]) assert.not(matches(found, question), question);
});

test("alarms come first, the newest of them before the others; cars without trouble do not come", () => {
  const cars = [
    car({ vehicle: "c", fault: "x" }),
    car({ vehicle: "ok" }),
    car({ vehicle: "a", alarm: "tow", alarmAt: "2026-01-01T00:00:00Z" }),
    car({ vehicle: "b", alarm: "tow", alarmAt: "2026-01-02T00:00:00Z" }),
  ];
  assert.equal(
    inTrouble(cars).map(({ vehicle }) => vehicle),
    ["b", "a", "c"],
  );
});

test("a car without a position has no mark; trouble shows before motion, motion before connection", () => {
  assert.is(markerOf(car({})), undefined);
  const at = { latitude: 1, longitude: 2 };
  const tones = [
    car({ ...at, fault: "x", speedKmh: 50 }),
    car({ ...at, speedKmh: 50 }),
    car(at),
    car({ ...at, online: false }),
  ].map((one) => markerOf(one)?.tone);
  assert.equal(tones, ["bad", "moving", "good", "off"]);
});

test("bookings that a command can be for: open ones first, ended ones for a quarter of an hour", () => {
  const now = Date.UTC(2026, 0, 1, 12);
  const iso = (minutes: number): string => new Date(now + minutes * 60_000).toISOString();
  const booking = (name: string, state: Booking["state"], from: number, to: number): Booking => ({
    ...{ booking: name, vehicle: "car-1", version: 1, state },
    ...{ from: iso(from), to: iso(to) },
  });
  const names = usable(
    [
      booking("just ended", "ended", -90, -14),
      booking("long ended", "ended", -90, -16),
      booking("next", "reserved", 5, 60),
      booking("now", "reserved", -5, 60),
      booking("overdue", "open", -120, -60),
      booking("cancelled", "cancelled", -5, 60),
    ],
    now,
  ).map(({ booking: name }) => name);
  assert.equal(names, ["overdue", "now", "just ended"]);
});

test("a booking that a card opened is the likeliest, and is said to be under way", () => {
  const since = new Date(Date.UTC(2026, 0, 1)).toISOString();
  const booking = (name: string, rental?: Booking["rental"]): Booking => ({
    ...{ booking: name, vehicle: "car-1", state: "reserved", version: 1 },
    ...{ from: since, to: new Date(Date.UTC(2026, 0, 2)).toISOString() },
    ...(rental === undefined ? {} : { rental }),
  });
  const driven = booking("driven", { state: "open", by: "card", since });
  const names = usable([booking("next"), driven], Date.UTC(2026, 0, 1, 1));
  assert.equal(
    names.map((one) => one.booking),
    ["driven", "next"],
  );
  for (const [state, rental, words] of [
    ["reserved", undefined, ["reserved"]],
    ["reserved", { state: "open", by: "card", since }, ["underWay", "openedByCard"]],
    ["reserved", { state: "open", since }, ["underWay"]],
    ["reserved", { state: "ended", by: "phone", since }, ["returned"]],
    ["open", { state: "open", by: "command", since }, ["opened"]],
    ["ended", { state: "open", by: "phone", since }, ["ended", "underWay", "openedByPhone"]],
    ["ended", { state: "ended", since }, ["ended"]],
  ] as const)
    assert.equal(standing({ state, rental }), words);
});

test("an outline that leaps across the 180th meridian is led on beyond it, and comes back", () => {
  const east = [
    [170, 60],
    [-179, 61],
    [-170, 65],
    [179, 70],
    [170, 60],
  ];
  assert.equal(
    ledOn(east).map(([longitude]) => longitude),
    [170, 181, 190, 179, 170],
  );
  const home = [
    [5, 50],
    [7, 52],
    [-3, 51],
    [5, 50],
  ];
  assert.equal(ledOn(home), home);
});

test("both languages fill in the same places", () => {
  const places = (text: string): readonly string[] =>
    [...text.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const [word, text] of Object.entries(en)) {
    assert.equal(places(de[word as keyof typeof en]), places(text), word);
  }
});

test.run();
