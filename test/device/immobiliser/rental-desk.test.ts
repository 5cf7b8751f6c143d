/** The shell around the rental: since when it is idle, what it tells, and whether that is on the disk. */
import { type CarRecord, NOTHING_SENSED, type Rental, RentalDesk } from "@kerbside/immobiliser";
import { DEFAULT_RENTAL_POLICY } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { manualClock } from "../../support/runtime.ts";

function bench(kept: Rental = { value: "none" }) {
  const clock = manualClock();
  const told: string[] = [];
  const state = { rental: kept, works: true, writes: 0, ignitionOn: false };
  const record: CarRecord = {
    rental: () => state.rental,
    sensed: () => NOTHING_SENSED,
    keepRental: async (rental) => {
      state.rental = rental;
      state.writes += 1;
      return state.works;
    },
    keepSensed: async () => true,
    works: () => state.works,
    damaged: false,
    close: async () => undefined,
  };
  const desk = new RentalDesk({
    record,
    policy: () => ({ ...DEFAULT_RENTAL_POLICY, unstartedMs: 60_000 }),
    clock,
    ignitionOn: () => state.ignitionOn,
    onChange: (effect) => told.push(effect.type),
  });
  return { clock, desk, told, state };
}

test("an unstarted rental is idle from its opening, and opening it again changes that not", async () => {
  const { clock, desk, told, state } = bench();
  clock.pass(50_000);
  await desk.open("b-1", "card", "c-1");
  assert.equal(state.rental, {
    value: "open",
    booking: "b-1",
    openedBy: "card",
    credential: "c-1",
    phase: "unstarted",
  });
  clock.pass(40_000);
  await desk.open("b-1", "command");
  clock.pass(19_999);
  assert.is(state.rental.value, "open");
  clock.pass(1);
  assert.is(state.rental.value, "none");
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(told, ["started", "ended"]);
  desk.stop();
});

test("opened with the ignition on it is a drive from the first, and no time ends it", async () => {
  const { clock, desk, told, state } = bench();
  state.ignitionOn = true;
  await desk.open("b-1", "phone", "p-1");
  assert.is(state.rental.value === "open" && state.rental.phase, "driving");
  clock.pass(24 * 3_600_000);
  assert.is(state.rental.value, "open");
  await desk.take({ type: "ignition", on: false });
  assert.is(state.rental.value === "open" && state.rental.phase, "parked");
  assert.equal(told, ["started"]);
  desk.stop();
});

test("one that was open before the start is idle from the start, and stopped is stopped", async () => {
  const open: Rental = { value: "open", booking: "b-1", openedBy: "card", phase: "unstarted" };
  const first = bench(open);
  first.clock.pass(59_999);
  assert.is(first.state.rental.value, "open");
  first.clock.pass(1);
  assert.is(first.state.rental.value, "none");
  const second = bench(open);
  second.desk.stop();
  second.clock.pass(600_000);
  assert.is(second.state.rental.value, "open");
  first.desk.stop();
});

test("what it says of the disk is what the record says, also where there was nothing to write", async () => {
  const { desk, state } = bench();
  assert.is(await desk.open("b-1", "command"), true);
  assert.is(await desk.take({ type: "door_opened" }), true);
  assert.is(state.writes, 2);
  state.works = false;
  assert.is(await desk.take({ type: "door_opened" }), false);
  assert.is(await desk.end("b-1", "ended", []), false);
  assert.is(state.writes, 3);
  desk.stop();
});

test("for the interlocks: the booking, none, or that nobody knows", () => {
  const rows: readonly (readonly [Rental, unknown])[] = [
    [{ value: "none" }, { quality: "good", value: undefined }],
    [{ value: "unknown" }, { quality: "unknown" }],
    [
      { value: "open", booking: "b-1", openedBy: "card", phase: "driving" },
      { quality: "good", value: "b-1" },
    ],
  ];
  for (const [rental, reading] of rows) {
    const { desk } = bench(rental);
    assert.equal(desk.openRental(), reading);
    desk.stop();
  }
});

test.run();
