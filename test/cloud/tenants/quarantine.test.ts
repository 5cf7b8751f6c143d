/** What gives way in a full quarantine, and what never does. */
import { type QuarantineEntry, randomBytes, vehicleId } from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, CAR, OTHER_CAR } from "../../conformance/car-log.ts";
import { fillQuarantine } from "../../support/full-quarantine.ts";
import { type TestRegistry, testRegistry } from "../../support/tenant-engine.ts";

/** As the store has them. */
const OTHERS_MAX = 1000;
const ONLY_COPIES_OF_CAR_MAX = 1000;

type Store = NonNullable<Awaited<ReturnType<TestRegistry["registry"]["tenant"]>>>["store"];
const test = suite<{ files: TestRegistry; store: Store }>("quarantine");
test.before.each(async (context) => {
  context.files = await testRegistry();
  await context.files.create("demo");
  const store = (await context.files.registry.tenant("demo"))?.store;
  if (store === undefined) throw new Error("the tenant was not made");
  context.store = store;
});
test.after.each(({ files }) => files.close());

function entry(more: Partial<QuarantineEntry> = {}): QuarantineEntry {
  const payload = randomBytes(20);
  return { vehicle: CAR, reason: "r", topic: "kb/v1/demo/car-1/up/state", payload, ...more };
}
const only = (more: Partial<QuarantineEntry> = {}): QuarantineEntry =>
  entry({ isOnlyCopy: true, digest: randomBytes(32), ...more });

test("rubbish pushes out rubbish, and never what a car was told to forget", async ({
  files,
  store,
}) => {
  const kept = only();
  assert.equal(await store.quarantine(kept), { isKept: true, gaveWay: 0 });
  const last = fillQuarantine(files.dir, { count: OTHERS_MAX + 4, isOnlyCopy: false });
  const newest = entry({ vehicle: OTHER_CAR });
  assert.equal(await store.quarantine(newest), { isKept: true, gaveWay: 5 });
  assert.equal(store.quarantined(0, 1)[0]?.payload, kept.payload);
  assert.equal(store.quarantined(last, 2)[0]?.payload, newest.payload);
  assert.not(store.takeFromQuarantine(6, AUDIT));
  assert.ok(store.takeFromQuarantine(7, AUDIT));
});

test("one car's only copies fill its own room, and no other car's; a person is told once an hour", async ({
  files,
  store,
}) => {
  fillQuarantine(files.dir, {
    count: ONLY_COPIES_OF_CAR_MAX,
    isOnlyCopy: true,
    vehicle: String(CAR),
  });
  for (let i = 0; i < 3; i += 1)
    assert.equal(await store.quarantine(only()), { isKept: false, gaveWay: 0 });
  assert.is((await store.quarantine(only({ vehicle: OTHER_CAR }))).isKept, true);
  assert.is((await store.quarantine(entry())).isKept, true, "what the car keeps has its own room");
  assert.equal(
    store.alarms(0, 10).map(({ kind, vehicle }) => [kind, vehicle]),
    [["quarantine", CAR]],
  );
});

test("the same is kept once for a car, and for good once the car is to forget it", async ({
  store,
}) => {
  const digest = randomBytes(32);
  const reasons = (): readonly string[] => store.quarantined(0, 10).map(({ reason }) => reason);
  await store.quarantine(entry({ digest, reason: "no key" }));
  await store.quarantine(entry({ digest, reason: "no key" }));
  assert.equal(reasons(), ["no key"]);
  await store.quarantine(only({ digest, reason: "no kind" }));
  assert.equal(reasons(), ["no kind"]);
  assert.is((await store.quarantine(entry({ digest, reason: "no key" }))).isKept, true);
  assert.equal(reasons(), ["no kind"]);
  await store.quarantine(entry({ digest, vehicle: vehicleId("car-3"), reason: "another car" }));
  assert.equal(reasons(), ["no kind", "another car"]);
});

test.run();
