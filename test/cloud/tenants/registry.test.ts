/** P-10, P-12: one place a tenant, and the platform's own. */
import { copyFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { ProtocolError, randomBytes, tenantId } from "@kerbside/protocol";
import { clientSeal, openIssuerClients, openRegistry, openSignerTenants } from "@kerbside/tenants";
import BetterSqlite3 from "better-sqlite3";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, CAR, CarLog, refuses } from "../../conformance/car-log.ts";
import {
  allBytes,
  type TestRegistry,
  tenantDirectories,
  testRegistry,
} from "../../support/tenant-engine.ts";

const ISSUER_KEY = randomBytes(32);

const test = suite<{ files: TestRegistry }>("registry");
test.before.each(async (context) => {
  context.files = await testRegistry();
});
test.after.each(({ files }) => files.close());

async function tenantOf(files: TestRegistry, id: string) {
  const tenant = await files.registry.tenant(id);
  if (tenant === undefined) throw new ProtocolError("not_found", id);
  return tenant;
}

test("P-10 tenants have directories of their own, which their ids do not name", async ({
  files,
}) => {
  await files.create("demo");
  await files.create("rival");
  assert.equal(files.registry.list(), ["demo", "rival"]);
  const names = readdirSync(join(files.dir, "tenants"));
  assert.is(names.length, 2);
  for (const name of names) assert.match(name, /^[0-9a-f]{8}-[0-9a-f-]{27}$/);
  for (const directory of tenantDirectories(files.dir))
    for (const file of readdirSync(directory))
      assert.is(statSync(join(directory, file)).mode & 0o077, 0, `${file}: for its owner only`);
});

test("P-10 a tenant's data is in its own files and opens with no other's key", async ({
  files,
}) => {
  await files.create("demo");
  await files.create("rival");
  const [demo, rival] = [await tenantOf(files, "demo"), await tenantOf(files, "rival")];
  const log = new CarLog();
  await demo.store.commitSegments([log.next("state", [log.note(1, "canary-of-demo")])]);
  assert.equal((await rival.store.events({ limit: 10 })).items, []);
  const holding = tenantDirectories(files.dir).filter((d) =>
    allBytes(d).includes("canary-of-demo"),
  );
  assert.is(holding.length, 1);
  const bound = new TextEncoder().encode("x");
  const sealed = await demo.store.subjectKeys.seal("person:p", bound, bound);
  await rival.store.subjectKeys.seal("person:p", bound, bound);
  await refuses("unauthenticated", rival.store.subjectKeys.open("person:p", sealed, bound));
});

test("P-10 one tenant's files in another's place are refused", async ({ files }) => {
  await files.create("demo");
  await files.create("rival");
  await files.registry.close();
  const [one = "", two = ""] = tenantDirectories(files.dir);
  for (const name of ["store.sqlite", "vault.sealed"]) {
    copyFileSync(join(two, name), join(two, "kept"));
    copyFileSync(join(one, name), join(two, name));
    const registry = await files.again();
    const codes: string[] = [];
    for (const id of registry.list()) {
      const code = await registry.tenant(id).then(
        () => "opened",
        (error: unknown) => (error instanceof ProtocolError ? error.code : String(error)),
      );
      codes.push(code);
    }
    const refused = name === "store.sqlite" ? "storage_failed" : "unauthenticated";
    assert.equal(codes.sort(), ["opened", refused].sort(), name);
    copyFileSync(join(two, "kept"), join(two, name));
  }
});

test("a tenant is made whole or not at all", async ({ files }) => {
  const failing = files.create("demo", () => Promise.reject(new ProtocolError("conflict", "no")));
  await refuses("conflict", failing);
  assert.equal(files.registry.list(), []);
  assert.equal(tenantDirectories(files.dir), []);
  await files.create("demo");
  await refuses("conflict", files.create("demo"));
  assert.is(tenantDirectories(files.dir).length, 1, "and the one that was there stays");
  assert.is(await files.registry.tenant("nobody"), undefined);
  assert.is(await files.registry.tenant("../demo"), undefined);
});

test("a removed tenant is gone with its files, clients and tokens", async ({ files }) => {
  await files.create("demo");
  const { platform } = files.registry;
  const demo = tenantId("demo");
  const client = { client: "demo-backend", tenant: demo, scopes: ["a"] };
  const secret = await platform.createClient(client, clientSeal(ISSUER_KEY), AUDIT);
  const clients = openIssuerClients(files.dir, ISSUER_KEY);
  assert.ok(await clients.verifyClient("demo-backend", secret));
  await files.registry.remove(demo, AUDIT);
  assert.equal(tenantDirectories(files.dir), []);
  assert.is(await files.registry.tenant("demo"), undefined);
  assert.is(await clients.verifyClient("demo-backend", secret), undefined);
  clients.close();
  await refuses("not_found", files.registry.remove(demo, AUDIT));
  await files.create("demo");
  assert.ok(await files.registry.tenant("demo"), "and can be made anew");
});

test("a tenant that another process removed is closed here, and the others stay open", async ({
  files,
}) => {
  await files.create("demo");
  await files.create("rival");
  const other = await files.again();
  const [demo, rival] = [await other.tenant("demo"), await other.tenant("rival")];
  await files.registry.remove(tenantId("demo"), AUDIT);
  assert.ok((await demo?.store.vehicles())?.length === 0, "its handle still reads what is gone");
  assert.equal(other.list(), ["rival"]);
  await Promise.resolve();
  await refuses(
    "storage_failed",
    Promise.resolve(demo).then((tenant) => tenant?.store.vehicles()),
  );
  assert.equal(await rival?.store.vehicles(), []);
});

test("P-11 the signer opens its own vaults, by its own key, for reading", async ({ files }) => {
  await files.create("demo", ({ signerVault }) => signerVault.put("command/1", randomBytes(32)));
  const signer = await (await files.signer()).tenant("demo");
  assert.is((await signer?.vault.get("command/1"))?.length, 32);
  await refuses("forbidden", signer?.vault.put("command/2", randomBytes(32)) ?? Promise.resolve());
  const node = await tenantOf(files, "demo");
  assert.is(await node.vault.get("command/1"), undefined, "the node has no such key");
  const wrong = await openSignerTenants({ dir: files.dir, signerKey: files.masterKey });
  await refuses("unauthenticated", wrong.tenant("demo"));
  await wrong.close();
  await signer?.store.putBooking(
    {
      booking: "b-1",
      vehicle: CAR,
      holder: "p",
      fromMs: 1,
      toMs: 2,
      state: "reserved",
      version: 1,
      mac: new Uint8Array(32),
    },
    AUDIT,
  );
  assert.is((await node.store.booking("b-1"))?.holder, "p", "both read personal fields");
});

test("P-12 a client's secret is kept as a hash, and revoked it opens nothing", async ({
  files,
}) => {
  await files.create("demo");
  const { platform } = files.registry;
  const client = { client: "demo-backend", tenant: tenantId("demo"), scopes: ["a", "b"] };
  const seal = clientSeal(ISSUER_KEY);
  const secret = await platform.createClient(client, seal, AUDIT);
  const clients = openIssuerClients(files.dir, ISSUER_KEY);
  assert.not(allBytes(files.dir).includes(secret));
  assert.not(allBytes(files.dir).includes(Buffer.from(secret, "base64url")));
  assert.equal(await clients.verifyClient("demo-backend", secret), client);
  const rows = [`${secret}x`, "", secret.slice(1), "x".repeat(100_000)];
  for (const wrong of rows) assert.is(await clients.verifyClient("demo-backend", wrong), undefined);
  assert.is(await clients.verifyClient("nobody", secret), undefined);
  await refuses("conflict", platform.createClient(client, seal, AUDIT));
  const [demo, other] = [tenantId("demo"), tenantId("other")];
  assert.ok(files.registry.hasClient(demo, "demo-backend"));
  assert.not(files.registry.hasClient(other, "demo-backend"));
  await refuses("not_found", platform.revokeClient(other, "demo-backend", AUDIT));
  await platform.revokeClient(demo, "demo-backend", AUDIT);
  assert.not(files.registry.hasClient(demo, "demo-backend"));
  assert.equal(
    platform.clients(demo).map(({ client, revokedAtMs }) => [client, revokedAtMs !== undefined]),
    [["demo-backend", true]],
  );
  assert.is(await clients.verifyClient("demo-backend", secret), undefined);
  assert.is(await clients.client("demo-backend"), undefined);
  clients.close();
});

test("P-02 whoever writes to the platform's store makes no client that the issuer believes", async ({
  files,
}) => {
  await files.create("demo");
  const { platform } = files.registry;
  const client = { client: "demo-backend", tenant: tenantId("demo"), scopes: ["a"] };
  const secret = await platform.createClient(client, clientSeal(ISSUER_KEY), AUDIT);
  // As somebody who took over the node would, with all of the node's secrets and without the issuer's.
  const forged = { ...client, client: "forged" };
  const own = await platform.createClient(forged, clientSeal(files.masterKey), AUDIT);
  const clients = openIssuerClients(files.dir, ISSUER_KEY);
  assert.is(await clients.verifyClient("forged", own), undefined);
  const rows: readonly (readonly [why: string, change: string])[] = [
    ["more scopes", "UPDATE clients SET scopes = 'a b'"],
    ["another's secret", "UPDATE clients SET salt = x'00', secret_hash = x'00'"],
    ["no seal", "UPDATE clients SET seal = NULL"],
  ];
  const database = new BetterSqlite3(join(files.dir, "platform.sqlite"));
  const keep = database.prepare("SELECT * FROM clients WHERE client = 'demo-backend'").get();
  assert.ok(keep);
  for (const [why, change] of rows) {
    const { changes } = database.prepare(`${change} WHERE client = 'demo-backend'`).run();
    assert.is(changes, 1);
    assert.is(await clients.client("demo-backend"), undefined, why);
    const { scopes, salt, secret_hash, seal } = keep as Record<string, unknown>;
    database
      .prepare(
        "UPDATE clients SET scopes = ?, salt = ?, secret_hash = ?, seal = ? WHERE client = ?",
      )
      .run(scopes, salt, secret_hash, seal, "demo-backend");
    assert.ok(await clients.verifyClient("demo-backend", secret), "as it was");
  }
  database.exec("UPDATE clients SET seal = NULL");
  assert.is(platform.sealClients(clientSeal(ISSUER_KEY)), 2, "once, by whoever sets the cloud up");
  assert.ok(await clients.verifyClient("demo-backend", secret));
  database.close();
  clients.close();
});

test("an enrolment token lets one car in, once, in time", async ({ files }) => {
  await files.create("demo");
  const { platform } = files.registry;
  const address = { tenant: tenantId("demo"), vehicle: CAR };
  const grant = { ...address, profile: "kerbside-sim", lifeMs: 60_000 };
  const old = await platform.issueEnrolmentToken(grant, AUDIT);
  const token = await platform.issueEnrolmentToken(grant, AUDIT);
  assert.is(await platform.checkEnrolmentToken(address, old), undefined, "a newer one ended it");
  assert.is(await platform.checkEnrolmentToken(address, token), "kerbside-sim");
  const other = { ...address, tenant: tenantId("rival") };
  assert.is(await platform.checkEnrolmentToken(other, token), undefined);
  assert.is(await platform.consumeEnrolmentToken(other, token), false);
  const second = (await files.again()).platform;
  const taken = await Promise.all(
    [platform, second, platform, second].map((p) => p.consumeEnrolmentToken(address, token)),
  );
  assert.equal(taken.filter(Boolean).length, 1);
  assert.is(await platform.checkEnrolmentToken(address, token), undefined);
  const late = await platform.issueEnrolmentToken({ ...grant, lifeMs: -1 }, AUDIT);
  assert.is(await platform.consumeEnrolmentToken(address, late), false);
  assert.not(allBytes(files.dir).includes(token));
});

test("what is damaged is named in one line", async ({ files }) => {
  await files.create("demo");
  await files.registry.close();
  const [directory = ""] = tenantDirectories(files.dir);
  const store = join(directory, "store.sqlite");
  rmSync(`${store}-wal`, { force: true });
  writeFileSync(store, "this is no database, whatever its name says");
  const registry = await files.again();
  try {
    await registry.tenant("demo");
    assert.unreachable("expected storage_failed");
  } catch (error) {
    assert.ok(error instanceof ProtocolError && error.code === "storage_failed");
    assert.match(error.message, /store\.sqlite: is damaged/);
  }
  const wrongKey = openRegistry({ dir: files.dir, masterKey: randomBytes(32) });
  await (await files.again()).platform.vault.put("a", randomBytes(1));
  await refuses(
    "unauthenticated",
    wrongKey.then(() => openRegistry({ dir: files.dir, masterKey: randomBytes(32) })),
  );
  const nowhere = openRegistry({ dir: join(files.dir, "nowhere"), masterKey: files.masterKey });
  await refuses("not_found", nowhere);
  const newer = new BetterSqlite3(join(files.dir, "anchors.sqlite"));
  newer.exec("INSERT INTO migrations VALUES (2, 'from the future', 0)");
  newer.close();
  await refuses("storage_failed", files.again(), "a newer schema");
  assert.ok(basename(directory).length > 0);
});

test.run();
