/** The privacy mode of a tenant: what is not to be kept of positions is never stored, whatever form it came in. */
import { type CarEvent, POSITION_RULES, withPosition, withPositions } from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, booking } from "../../conformance/car-log.ts";
import { makeWorld, type World } from "./harness.ts";

const NOW = Date.now();
const AT = { latitude: 52.517_036, longitude: 13.388_86 };
const at = (ms: number): Pick<CarEvent, "bootMs" | "wallOffsetMs" | "doubtMs"> => ({
  bootMs: ms,
  wallOffsetMs: NOW,
  doubtMs: 0,
});
const sampled = (ms: number): CarEvent => ({
  ...at(ms),
  kind: "position.sampled",
  data: { ...AT, headingDeg: 12, speedKmh: 30, accuracyM: 2 },
});
const SIGNALS = {
  "Vehicle.CurrentLocation.Latitude": AT.latitude,
  "Vehicle.CurrentLocation.Altitude": 34.5,
  "Vehicle.LowVoltageBattery.CurrentVoltage": 12.4,
};

const test = suite<{ world: World }>("privacy mode");
test.before.each(async (context) => {
  context.world = await makeWorld();
});
test.after.each(({ world }) => world.close());

test("P-20 each rule takes away what it says, and leaves what a rental or an alarm needs", () => {
  const parked: CarEvent = { ...at(1), kind: "vehicle.parked", data: AT };
  const alarm: CarEvent = {
    ...at(1),
    kind: "security.alarm",
    data: { alarm: "tow", values: SIGNALS },
  };
  for (const rule of POSITION_RULES)
    for (const event of [parked, alarm]) assert.is(withPosition(event, rule), event);
  assert.equal(withPosition(sampled(1), "coarse"), {
    ...at(1),
    kind: "position.sampled",
    data: { latitude: 52.52, longitude: 13.39, speedKmh: 30 },
  });
  assert.equal(withPosition(sampled(1), "none"), { ...at(1), kind: "position.withheld", data: {} });
  for (const kind of ["signals.changed", "signals.sampled"] as const) {
    const event: CarEvent = { ...at(1), kind, data: { values: SIGNALS } };
    const voltage = { "Vehicle.LowVoltageBattery.CurrentVoltage": 12.4 };
    assert.equal(withPosition(event, "none").data, { values: voltage });
    assert.equal(withPosition(event, "coarse").data, {
      values: { "Vehicle.CurrentLocation.Latitude": 52.52, ...voltage },
    });
  }
  const flow: CarEvent = {
    ...at(1),
    kind: "flow.reported",
    data: { flow: "f", event: "e", values: [{ name: "where", number: 52.517 }] },
  };
  assert.equal(withPosition(flow, "coarse").data, { ...flow.data, values: [{ name: "where" }] });
});

test("P-20 the rule goes by whether the car was rented when it happened", () => {
  const events = [sampled(1000), sampled(2000), sampled(3001)];
  const rentals = [{ fromMs: NOW + 2000, toMs: NOW + 3000 }];
  const kinds = (policy: Parameters<typeof withPositions>[1]) =>
    withPositions(events, policy, rentals).map(({ kind }) => kind.slice(9));
  assert.equal(kinds({ rented: "exact", free: "none" }), ["withheld", "sampled", "withheld"]);
  assert.equal(kinds({ rented: "none", free: "exact" }), ["sampled", "withheld", "sampled"]);
});

test("P-20 P-22 what is withheld is not in the store, in rows or in columns, and all is acknowledged", async ({
  world,
}) => {
  const { store } = world;
  const mine = booking("b-1", 1, { fromMs: NOW + 2000, toMs: NOW + 3000, state: "ended" });
  await store.putBooking(mine, AUDIT);
  await store.privacy.setPositions({ rented: "coarse", free: "none" }, AUDIT);
  const car = await world.car("car-1");
  const ingest = await world.worker();
  for (const columns of [false, true]) {
    const log = car.newLog();
    await ingest.handle(log.segment("track", [sampled(1000), sampled(2500)], { columns }));
  }
  await ingest.close();
  const stored = (await world.events("car-1")).flatMap((event) => ("kind" in event ? [event] : []));
  assert.equal(
    stored.map(({ kind, data }) => [kind, data]),
    [0, 1].flatMap(() => [
      ["position.withheld", {}],
      ["position.sampled", { latitude: 52.52, longitude: 13.39, speedKmh: 30 }],
    ]),
  );
  assert.is(world.acks.at(-1)?.lanes[0]?.upTo, 1, "the car may forget it");
  const last = async () =>
    (await store.latest(mine.vehicle)).find(({ kind }) => kind === "position.sampled")?.data;
  assert.ok(await last(), "while it is rented it is shown where it is");
  const later = await world.worker();
  await later.handle(car.newLog().segment("track", [sampled(3500)]));
  await later.close();
  assert.is(await last(), null, "and after that no longer where it last was");
  const trail = await store.auditTrail(0, 100);
  assert.ok(trail.some(({ reason }) => reason === "rented coarse, free none"));
});

test("an open booking lasts until it is ended, a cancelled one never was", async ({ world }) => {
  const { store } = world;
  const span = { fromMs: 10_000, toMs: 20_000 };
  const of = (id: string, state: "open" | "cancelled" | "ended") =>
    store.putBooking(booking(id, 1, { fromMs: 1000, toMs: 2000, state }), AUDIT);
  await of("b-1", "cancelled");
  await of("b-2", "ended");
  const vehicle = booking("b", 1).vehicle;
  assert.equal(await store.privacy.rentals(vehicle, span), []);
  await of("b-3", "open");
  assert.is((await store.privacy.rentals(vehicle, span)).length, 1);
});

test.run();
