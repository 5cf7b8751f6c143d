/** What is agreed with a tenant: its region, which no other node serves, and its bounds. */
import { randomUUID } from "node:crypto";
import {
  type PersonRecord,
  quotasOf,
  randomBytes,
  regionOf,
  signingKey,
  type TenantTerms,
  tenantId,
  vehicleId,
} from "@kerbside/protocol";
import { openRegistry, openSignerTenants, type Registry } from "@kerbside/tenants";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, refuses } from "../../conformance/car-log.ts";
import { type TestRegistry, testRegistry } from "../../support/tenant-engine.ts";

const DEMO = tenantId("demo");
const test = suite<{ files: TestRegistry }>("what is agreed with tenants");

test.before.each(async (context) => {
  context.files = await testRegistry();
});
test.after.each(({ files }) => files.close());

async function make(files: TestRegistry, id: string, terms?: TenantTerms): Promise<void> {
  const provision = async (): Promise<void> => undefined;
  await files.registry.create(tenantId(id), files.signerKey, AUDIT, provision, terms);
}

async function storeOf(registry: Registry) {
  const tenant = await registry.tenant(DEMO);
  if (tenant === undefined) throw new Error("it was made");
  return tenant.store;
}

function car(name: string, revokedAtMs?: number) {
  return {
    ...{ vehicle: vehicleId(name), profile: "p", certificateSerial: "01", enrolledAtMs: 1 },
    signingKey: signingKey(randomBytes(32)).publicKey,
    ...(revokedAtMs === undefined ? {} : { revokedAtMs }),
  };
}

test("P-14 a tenant is there for services of its region, and for no others", async ({ files }) => {
  const { dir, masterKey, signerKey } = files;
  await make(files, "demo", { region: "eu-central", quotas: quotasOf({}) });
  await make(files, "local-one");
  const regions = new Set(["local"]);
  const node = await openRegistry({ dir, masterKey, regions });
  const signer = await openSignerTenants({ dir, signerKey, regions });
  for (const service of [node, signer]) {
    assert.is(await service.tenant("demo"), undefined, "as if there were none");
    assert.equal(service.list(), ["local-one"]);
    assert.ok(await service.tenant("local-one"));
  }
  const there = await openRegistry({ dir, masterKey, regions: new Set(["eu-central", "local"]) });
  assert.ok(await there.tenant("demo"));
  assert.is(there.terms("demo")?.region, "eu-central");
  for (const each of [node, signer, there]) await each.close();
});

test("cars above what was agreed are refused; a revoked one makes room", async ({ files }) => {
  await make(files, "demo", { region: "local", quotas: quotasOf({ cars: 2 }) });
  const store = await storeOf(files.registry);
  await store.putVehicle(car("car-1"), AUDIT);
  await store.putVehicle(car("car-2"), AUDIT);
  await refuses("limit_reached", store.putVehicle(car("car-3"), AUDIT));
  await store.putVehicle(car("car-2"), AUDIT);
  await store.putVehicle(car("car-1", 5), AUDIT);
  await store.putVehicle(car("car-3"), AUDIT);
  await refuses("limit_reached", store.putVehicle(car("car-1"), AUDIT), "it was revoked");
  assert.is((await store.vehicles()).length, 3);
});

test("P-50 what is agreed anew counts at once, and is on the platform's record", async ({
  files,
}) => {
  await make(files, "demo", { region: "local", quotas: quotasOf({ people: 1 }) });
  const store = await storeOf(files.registry);
  const { desk, verifyAudit } = files.registry.platform;
  const person = (): PersonRecord => ({
    ...{ person: randomUUID(), state: "active", createdAtMs: 1 },
    profile: { name: "Ada" },
  });
  const first = person();
  await store.people.putPerson(first, AUDIT);
  await store.people.putPerson({ ...first, profile: { name: "Bea" } }, AUDIT);
  await refuses("limit_reached", store.people.putPerson(person(), AUDIT));
  const before = verifyAudit().entries;
  const agreed = await desk.agree(DEMO, { people: 2 }, AUDIT);
  assert.equal(agreed.quotas, quotasOf({ people: 2 }));
  assert.is(verifyAudit().entries, before + 1);
  await store.people.putPerson(person(), AUDIT);
  await refuses("limit_reached", store.people.putPerson(person(), AUDIT));
  await refuses("not_found", desk.agree(tenantId("none"), { people: 2 }, AUDIT));
});

test("an order stands until it is fulfilled, fails with a reason, and is not given twice", async ({
  files,
}) => {
  const { desk } = files.registry.platform;
  const terms = { region: "eu-central", quotas: quotasOf({ cars: 7 }) };
  await desk.order(DEMO, terms, AUDIT);
  await refuses("conflict", desk.order(DEMO, terms, AUDIT));
  assert.equal(desk.orders(), [{ tenant: DEMO, terms }]);
  desk.failed(DEMO, "storage_failed");
  assert.equal(desk.orders(), []);
  const [failed] = await desk.tenants();
  assert.equal([failed?.state, failed?.why], ["failed", "storage_failed"]);
  await desk.order(DEMO, terms, AUDIT);
  await make(files, "demo", terms);
  assert.equal(
    (await desk.tenants()).map(({ state }) => state),
    ["ordered"],
    "until it is done",
  );
  desk.done(DEMO);
  await refuses("conflict", desk.order(DEMO, terms, AUDIT));
  const [ready, ...others] = await desk.tenants();
  assert.equal(
    [ready?.state, ready?.region, ready?.quotas.cars, others],
    ["ready", "eu-central", 7, []],
  );
});

test("what all nodes took in a day adds up, whoever asks", async ({ files }) => {
  const other = await files.again();
  assert.is(files.registry.platform.usage.add(DEMO, 20_000, 100), 100);
  assert.is(other.platform.usage.add(DEMO, 20_000, 11), 111);
  assert.is(other.platform.usage.add(DEMO, 20_001, 5), 5);
});

test("bounds and regions that are none are refused", () => {
  for (const wrong of [{ cars: -1 }, { cars: 1.5 }, { cars: "7" }, { wheels: 4 }])
    assert.throws(() => quotasOf(wrong), /expected/);
  for (const wrong of ["", "EU", "eu/central", "../x", "x".repeat(40)])
    assert.throws(() => regionOf(wrong), /expected/);
});

test.run();
