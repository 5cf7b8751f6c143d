/** Tenants ordered through the API, and made half by a process that ended: they are made to their end, with all keys. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { quotasOf, randomBytes, signingKey, tenantId, toHex } from "@kerbside/protocol";
import { openIssuerClients, openRegistry, type Registry } from "@kerbside/tenants";
import BetterSqlite3 from "better-sqlite3";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { provisionTenant, VAULT_NAMES } from "../../cloud/provisioning.ts";
import { fulfilOrders } from "../../cloud/tenant-orders.ts";
import { AUDIT, refuses } from "../conformance/car-log.ts";
import { silentLog } from "../support/runtime.ts";

type World = { dir: string; registry: Registry };
const test = suite<World>("orders of tenants");
const DEMO = tenantId("demo");
const keys = { signerKey: randomBytes(32), issuerKey: randomBytes(32) };
const TERMS = { region: "local", quotas: quotasOf({ cars: 7 }) };
/** Longer than anybody takes to make a tenant. */
const AGED_S = 120;

test.before.each(async (world) => {
  world.dir = mkdtempSync(join(tmpdir(), "kerbside-orders-"));
  world.registry = await openRegistry({ dir: world.dir, masterKey: randomBytes(32), create: true });
});
test.after.each(async ({ dir, registry }) => {
  await registry.close();
  rmSync(dir, { recursive: true });
});

function look({ registry, dir }: World): Promise<readonly string[]> {
  return fulfilOrders(registry, dir, keys, silentLog);
}

/** As a process leaves it that ends where the trigger fires. */
async function cutShort(world: World, when: string): Promise<void> {
  const { registry, dir } = world;
  await registry.platform.desk.order(DEMO, TERMS, AUDIT);
  const db = new BetterSqlite3(join(dir, "platform.sqlite"));
  db.exec(`CREATE TRIGGER cut ${when} BEGIN SELECT RAISE(ABORT, 'cut'); END`);
  assert.equal(await look(world), []);
  db.exec("DROP TRIGGER cut");
  db.close();
}

const text = (dir: string, name: string): string =>
  readFileSync(join(dir, "secrets", name), "utf8").trim();

async function assertWhole({ registry, dir }: World): Promise<void> {
  const seed = new Uint8Array(Buffer.from(text(dir, "authority-demo"), "base64url"));
  const tenant = await registry.tenant("demo");
  const pinned = await tenant?.vault.get(VAULT_NAMES.authority);
  assert.is(toHex(signingKey(seed).publicKey), toHex(pinned ?? new Uint8Array()));
  const clients = openIssuerClients(dir, keys.issuerKey);
  for (const name of ["demo-backend", "demo-operator"])
    assert.is((await clients.verifyClient(name, text(dir, `client-${name}`)))?.tenant, "demo");
  clients.close();
  assert.equal(
    readdirSync(join(dir, "secrets")).filter((name) => name.endsWith(".making")),
    [],
  );
  assert.equal(registry.platform.desk.orders(), []);
  const [ready] = await registry.platform.desk.tenants();
  assert.equal([ready?.state, ready?.quotas.cars], ["ready", 7]);
}

for (const { why, when } of [
  { why: "before its first client", when: "BEFORE INSERT ON clients" },
  {
    why: "between its clients",
    when: "BEFORE INSERT ON clients WHEN NEW.client = 'demo-operator'",
  },
])
  test(`cut short ${why}, it is left alone for a while, and then made to its end`, async (world) => {
    const { registry, dir } = world;
    await cutShort(world, when);
    const [state] = await registry.platform.desk.tenants();
    assert.is(state?.state, "ordered", "not ready, and not given up");
    assert.equal(await look(world), [], "somebody may be at it");
    const options = { registry, dir, id: DEMO, ...keys, audit: AUDIT };
    await refuses("conflict", provisionTenant(options));
    const aside = readdirSync(join(dir, "secrets")).filter((name) =>
      /^authority-demo\./.test(name),
    );
    assert.is(aside.length, 1);
    const then = Date.now() / 1000 - AGED_S;
    utimesSync(join(dir, "secrets", aside[0] ?? ""), then, then);
    assert.equal(await look(world), ["demo"]);
    await assertWhole(world);
  });

test("cut short before it was there, nothing of it is left, and another order makes it", async (world) => {
  const { registry, dir } = world;
  await cutShort(world, "BEFORE INSERT ON tenants");
  assert.equal(readdirSync(join(dir, "secrets")), []);
  assert.equal(readdirSync(join(dir, "tenants")), []);
  assert.is((await registry.platform.desk.tenants())[0]?.state, "failed");
  await registry.platform.desk.order(DEMO, TERMS, AUDIT);
  assert.equal(await look(world), ["demo"]);
  await assertWhole(world);
});

test("cut short before the order was crossed out, it is crossed out", async (world) => {
  const { registry, dir } = world;
  await cutShort(world, "BEFORE DELETE ON tenant_orders");
  assert.ok(existsSync(join(dir, "secrets", "authority-demo")));
  const before = text(dir, "client-demo-backend");
  assert.equal(await look(world), ["demo"]);
  assert.is(text(dir, "client-demo-backend"), before);
  await assertWhole(world);
  await refuses("conflict", provisionTenant({ registry, dir, id: DEMO, ...keys, audit: AUDIT }));
});

test.run();
