/** P-80: what a tenant does not keep for ever of its cars' events goes by class, and only that. */
import { ProtocolError, type RetentionTerms, type StoredEvent } from "@kerbside/protocol";
import type { SqliteTenantStore } from "@kerbside/tenants";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, CAR, CarLog, OTHER_CAR, refuses } from "../../conformance/car-log.ts";
import { type TestRegistry, testRegistry } from "../../support/tenant-engine.ts";

const DAY_MS = 86_400_000;

type World = { files: TestRegistry; store: SqliteTenantStore; at: { nowMs: number } };
const test = suite<World>("retention");
test.before.each(async (world) => {
  world.at = { nowMs: Date.UTC(2026, 0, 1) };
  world.files = await testRegistry(() => world.at.nowMs);
  await world.files.create("demo");
  const tenant = await world.files.registry.tenant("demo");
  if (tenant === undefined) throw new ProtocolError("not_found", "demo");
  world.store = tenant.store;
});
test.after.each(({ files }) => files.close());

const at = (log: CarLog, bootMs: number) => ({
  ...{ bootMs, wallOffsetMs: log.wallOffsetMs, doubtMs: 5 },
});
const ignition = (log: CarLog, bootMs: number) =>
  ({ kind: "ignition.changed", data: { state: "ON" }, ...at(log, bootMs) }) as const;
const tripEnd = (log: CarLog, bootMs: number) =>
  ({ kind: "trip.ended", data: { distanceM: 70, durationS: 60 }, ...at(log, bootMs) }) as const;

/** Kind and whether there is data, of all events in order. */
async function kept(store: SqliteTenantStore, vehicle = CAR): Promise<readonly string[]> {
  const { items } = await store.events({ vehicle, limit: 100 });
  return items.flatMap((item) =>
    "kind" in item ? [`${item.kind} ${item.data === null ? "gone" : "kept"}`] : [],
  );
}

test("P-80 positions go after their days, what else is personal after its own, the rest stays", async ({
  store,
  at: clock,
}) => {
  const log = new CarLog();
  await store.commitSegments([
    log.next("state", [log.note(1, "a"), ignition(log, 2), tripEnd(log, 3)]),
    log.next("state", [log.position(4), log.note(5, "b")]),
    log.next("track", [log.position(6), log.position(7)]),
  ]);
  await store.retention.setTerms({ positions: 7, personal: 30 }, AUDIT);
  assert.equal(await store.retention.terms(), { positions: 7, personal: 30 });
  const all = await kept(store);
  assert.is(await store.retention.sweep(), 0, "it came in just now");
  clock.nowMs += 7 * DAY_MS - 1;
  assert.is(await store.retention.sweep(), 0, "a moment too young");
  clock.nowMs += 2;
  assert.is(await store.retention.due(), 2);
  assert.equal(await kept(store), all);
  assert.is(await store.retention.sweep(), 2);
  assert.is(await store.retention.due(), 0);
  assert.equal(await kept(store), [
    ...["diagnostic.note kept", "ignition.changed kept", "trip.ended kept"],
    ...["position.sampled gone", "diagnostic.note kept"],
    ...["position.sampled gone", "position.sampled gone"],
  ]);
  const latest = (await store.latest(CAR)).find(({ kind }) => kind === "position.sampled");
  assert.is(latest?.data === null, false, "where the car is now is no history");
  clock.nowMs += 23 * DAY_MS;
  assert.is(await store.retention.sweep(), 1);
  assert.equal((await kept(store)).slice(0, 3), [
    ...["diagnostic.note kept", "ignition.changed gone", "trip.ended gone"],
  ]);
  assert.is((await store.trips({ limit: 10 })).items[0]?.ended, null, "the list of trips too");
  assert.is(await store.retention.sweep(), 0, "once");
  const trail = (await store.auditTrail(0, 100)).filter(({ action }) => action !== "tenant.create");
  assert.equal(
    trail.filter(({ actor }) => actor === "kerbside").map(({ action, reason }) => [action, reason]),
    [
      ["retention.sweep", "positions: 2 segments from 2 to 3"],
      ["retention.sweep", "personal: 1 segments from 1 to 1"],
    ],
  );
  assert.equal(store.verifyAudit().problems, []);
  assert.equal(store.schemaProblems(), []);
});

test("P-82 a car that a legal hold names is passed over, and looked at again when it ended", async ({
  store,
  at: clock,
}) => {
  const [log, other] = [new CarLog(), new CarLog(OTHER_CAR)];
  await store.putVehicle(
    {
      ...{ vehicle: CAR, profile: "p", certificateSerial: "01", enrolledAtMs: 1 },
      signingKey: new Uint8Array(32),
    },
    AUDIT,
  );
  await store.commitSegments([
    log.next("track", [log.position(1)]),
    other.next("track", [other.position(1)]),
  ]);
  await store.retention.setTerms({ positions: 7 }, AUDIT);
  const { nowMs } = clock;
  const span = { fromMs: nowMs - DAY_MS, toMs: nowMs + DAY_MS };
  const hold = { hold: "h-1", vehicle: CAR, ...span, reason: "claim", readers: ["law"] };
  await store.people.placeHold({ ...hold, placedAtMs: nowMs }, AUDIT);
  clock.nowMs += 8 * DAY_MS;
  assert.is(await store.retention.sweep(), 1);
  assert.equal(await kept(store), ["position.sampled kept"]);
  assert.equal(await kept(store, OTHER_CAR), ["position.sampled gone"]);
  await store.people.releaseHold("h-1", AUDIT);
  assert.is(await store.retention.sweep(), 1);
  assert.equal(await kept(store), ["position.sampled gone"]);
});

test("terms that are out of bounds are refused, and a class that is left out is kept again", async ({
  store,
  at: clock,
}) => {
  const rows: readonly [why: string, terms: Readonly<Record<string, unknown>>][] = [
    ["below a week", { positions: 6 }],
    ["beyond the longest legal term", { personal: 3654 }],
    ["no whole days", { positions: 7.5 }],
    ["no number", { positions: "7" }],
    ["another class", { everything: 7 }],
  ];
  for (const [, terms] of rows)
    await refuses("malformed", store.retention.setTerms(terms as RetentionTerms, AUDIT));
  await store.retention.setTerms({ positions: 7 }, AUDIT);
  await store.retention.setTerms({}, AUDIT);
  const log = new CarLog();
  await store.commitSegments([log.next("track", [log.position(1)])]);
  clock.nowMs += 5000 * DAY_MS;
  assert.is(await store.retention.sweep(), 0);
  assert.equal(await kept(store), ["position.sampled kept"]);
});

test("many segments go in small steps, and events that come in meanwhile are taken", async ({
  store,
  at: clock,
}) => {
  const log = new CarLog();
  const segments = Array.from({ length: 150 }, (_, i) => log.next("track", [log.position(i)]));
  await store.commitSegments(segments);
  await store.retention.setTerms({ positions: 7 }, AUDIT);
  clock.nowMs += 8 * DAY_MS;
  const swept = store.retention.sweep();
  await store.commitSegments([log.next("track", [log.position(1000)])]);
  assert.is(await swept, 150);
  const { items } = await store.events({ vehicle: CAR, limit: 1000 });
  const left = items.filter((item): item is StoredEvent => "kind" in item && item.data !== null);
  assert.equal(
    left.map(({ seq }) => seq),
    [151],
  );
});

test.run();
