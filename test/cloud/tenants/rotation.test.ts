/** P-31, P-51: the transit key and the audit's key are replaced under running services, and nobody notices but the vault. */
import { join } from "node:path";
import {
  deriveKey,
  type FileLink,
  ProtocolError,
  randomBytes,
  signingKey,
  tenantId,
  toHex,
} from "@kerbside/protocol";
import { type HeadCopy, openIssuerTenants, type SqliteTenantStore } from "@kerbside/tenants";
import BetterSqlite3 from "better-sqlite3";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, CAR, refuses } from "../../conformance/car-log.ts";
import { PROFILE, person } from "../../conformance/people-store.ts";
import { type TestRegistry, tenantDirectories, testRegistry } from "../../support/tenant-engine.ts";

type AuditHead = { readonly seq: number; readonly hash: Uint8Array };
const DEMO = tenantId("demo");
const NONE = new Uint8Array(32);
const ZIP = Uint8Array.of(0x50, 0x4b, 3, 4, 1);
const NO_HEAD: AuditHead = { seq: 0, hash: NONE };

/** What is signed of a head: domain, owner, number, hash. */
function headBytes(owner: string, { seq, hash }: AuditHead): Uint8Array {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(seq));
  return Buffer.concat([Buffer.from(`kerbside/v1/audit/head\n${owner}\n`), number, hash]);
}
const test = suite<{ files: TestRegistry }>("rotation");
test.before.each(async (world) => {
  world.files = await testRegistry();
  await world.files.create("demo");
});
test.after.each(({ files }) => files.close());

test("P-31 a new transit key wraps every key, in all services that were open already", async ({
  files,
}) => {
  const issuerKey = randomBytes(32);
  await files.registry.admitIssuer(DEMO, issuerKey);
  const open = [await files.registry.tenant("demo"), await (await files.signer()).tenant("demo")];
  const issuer = await openIssuerTenants({ dir: files.dir, issuerKey });
  open.push(await issuer.tenant("demo"));
  const records = Array.from({ length: 3 }, () => person());
  for (const [i, record] of records.entries()) await open[i]?.store.people.putPerson(record, AUDIT);
  const keys = { signerKey: files.signerKey, issuerKey };
  assert.is(await files.registry.rotateTransit(DEMO, keys, AUDIT), 2);
  assert.is(await files.registry.rotateTransit(DEMO, keys, AUDIT), 3);
  const [directory = ""] = tenantDirectories(files.dir);
  const db = new BetterSqlite3(join(directory, "subjects.sqlite"), { readonly: true });
  const versions = db.prepare("SELECT DISTINCT transit FROM subject_keys").pluck().all();
  db.close();
  assert.equal(versions, [3]);
  for (const tenant of open) {
    if (tenant === undefined) throw new ProtocolError("not_found", "demo");
    for (const record of records)
      assert.equal((await tenant.store.people.person(record.person))?.profile, PROFILE);
    const found = await tenant.store.people.findPeople("email", PROFILE.email);
    assert.equal(found, records.map((each) => each.person).sort(), "indexes go on");
    const late = person();
    await tenant.store.people.putPerson(late, AUDIT);
    assert.equal((await open[0]?.store.people.person(late.person))?.profile, PROFILE);
    await tenant.store.subjectKeys.destroy(`person:${late.person}`);
  }
  await issuer.close();
});

test("P-51 heads are signed by the key in force, the old key vouches for the new, and signs nothing after it", async ({
  files,
}) => {
  const issuerKey = randomBytes(32);
  await files.registry.admitIssuer(DEMO, issuerKey);
  const signer = await files.signer();
  const issuer = await openIssuerTenants({ dir: files.dir, issuerKey });
  const stores: SqliteTenantStore[] = [];
  for (const each of [files.registry, signer, issuer]) {
    const tenant = await each.tenant("demo");
    if (tenant === undefined) throw new ProtocolError("not_found", "demo");
    stores.push(tenant.store);
  }
  const [store] = stores;
  if (store === undefined) return;
  const entries = async () => {
    for (const each of stores) await each.audit(AUDIT);
  };
  await entries();
  const old = signingKey(
    (await (await files.registry.tenant("demo"))?.vault.get("audit/1")) ?? NONE,
  );
  const keys = { signerKey: files.signerKey, issuerKey };
  assert.is(await files.registry.rotateAudit(DEMO, keys, AUDIT), 2);
  await entries();
  assert.is(await files.registry.rotateAudit(DEMO, keys, AUDIT), 3);
  await entries();
  for (const each of stores)
    assert.equal(each.verifyAudit(), { entries: 11, unanchored: 0, problems: [] });
  const trail = await store.auditTrail(0, 20);
  assert.equal(
    trail.filter(({ action }) => action === "audit.key").map(({ seq, subject }) => [seq, subject]),
    [
      [4, "audit-key:2"],
      [8, "audit-key:3"],
    ],
  );
  await store
    .audit({ ...AUDIT, action: "audit.key", reason: `public key ${"00".repeat(32)}` })
    .then(
      () => assert.unreachable("nobody announces a key of his own"),
      (error: unknown) => assert.instance(error, ProtocolError),
    );
  // Whoever has the first key only: it signs a head from after its time.
  const db = new BetterSqlite3(join(files.dir, "anchors.sqlite"), { readonly: true });
  const row = "SELECT seq, hash FROM anchors WHERE seq = ? AND owner LIKE 'demo/%'";
  const head = (seq: number) => db.prepare<[number], AuditHead>(row).get(seq) ?? NO_HEAD;
  const signed = (seq: number): HeadCopy => {
    const hash = new Uint8Array(head(seq).hash);
    return { seq, hash, signature: old.sign(headBytes("demo", { seq, hash })) };
  };
  assert.equal(store.verifyAudit([signed(4)]).problems, [], "the announcement itself");
  assert.equal(store.verifyAudit([signed(5)]).problems, [
    "anchor of entry 5: its signature does not verify",
  ]);
  db.close();
  await issuer.close();
});

test("P-51 the platform's own trail changes its key too, in all processes, one change at a time, and certifies by it", async ({
  files,
}) => {
  const { registry } = files;
  const other = await files.again();
  const entries = (): void => {
    for (const { platform } of [registry, other]) platform.audit(AUDIT);
  };
  entries();
  assert.is(await registry.platform.rotateAudit(AUDIT), 2);
  entries();
  const both = [registry, other].map(({ platform }) => platform.rotateAudit(AUDIT));
  const ends = await Promise.allSettled(both);
  assert.equal(ends.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  entries();
  // One that was put into the vault and never announced, as by a crash in between, is passed over.
  await registry.platform.vault.put("audit/4", randomBytes(32));
  assert.is(await other.platform.rotateAudit(AUDIT), 5);
  entries();
  const { platform } = await files.again();
  for (const each of [registry.platform, other.platform, platform])
    assert.equal(each.verifyAudit(), { entries: 19, unanchored: 0, problems: [] });
  assert.throws(
    () =>
      platform.audit({ ...AUDIT, action: "audit.key", reason: `public key ${"00".repeat(32)}` }),
    (error: unknown) => error instanceof ProtocolError && error.code === "malformed",
  );
  const db = new BetterSqlite3(join(files.dir, "anchors.sqlite"), { readonly: true });
  const row = "SELECT seq, hash FROM anchors WHERE seq = ? AND owner = 'platform'";
  const forged = (seed: Uint8Array | undefined, seq: number): readonly string[] => {
    const found = db.prepare<[number], AuditHead>(row).get(seq) ?? NO_HEAD;
    const hash = new Uint8Array(found.hash);
    const signature = signingKey(seed ?? NONE).sign(headBytes("platform", { seq, hash }));
    return platform.verifyAudit([{ seq, hash, signature }]).problems;
  };
  const first = deriveKey(files.masterKey, "kerbside/v1/platform-audit");
  const second = await platform.vault.get("audit/2");
  const bad = (seq: number) => [`anchor of entry ${seq}: its signature does not verify`];
  assert.equal(forged(first, 5), [], "the announcement of the second, by the first");
  assert.equal(forged(first, 6), bad(6), "the first signs nothing after it");
  assert.equal(forged(second, 8), [], "the second, until the third is announced");
  assert.equal(forged(second, 19), bad(19));
  assert.equal(forged(await platform.vault.get("audit/4"), 19), bad(19), "it was never announced");
  db.close();
  const newest = signingKey((await platform.vault.get("audit/5")) ?? NONE);
  const certificate = await registry.remove(DEMO, AUDIT);
  assert.is(certificate.publicKey, toHex(newest.publicKey));
  assert.equal(platform.verifyAudit().problems, []);
});

test("P-31 what was sealed by the 256th transit key and later ones is opened by them, up to the last there can be", async ({
  files,
}) => {
  const store = async (): Promise<SqliteTenantStore> => {
    const tenant = await (await files.again()).tenant("many");
    if (tenant === undefined) throw new ProtocolError("not_found", "many");
    return tenant.store;
  };
  await files.create("many", async ({ vault, signerVault }) => {
    for (const each of [vault, signerVault]) await each.put("transit/254", NONE);
  });
  const keys = { signerKey: files.signerKey, issuerKey: randomBytes(32) };
  const many = tenantId("many");
  const owner = `vehicle:${CAR}` as const;
  const links: FileLink[] = [];
  let file = "";
  for (const version of [255, 256, 257]) {
    assert.is(await files.registry.rotateTransit(many, keys, AUDIT), version);
    const now = await store();
    file ||= (await now.files.putFile({ kind: "diagnostics", owner, content: ZIP }, AUDIT)).file;
    links.push(await now.files.linkFile(file, 60_000, AUDIT));
    await now.quarantine({
      reason: "seal",
      topic: `t/${version}`,
      payload: Uint8Array.of(version),
    });
  }
  const last = await store();
  assert.equal(
    last.quarantined(0, 10).map(({ topic, payload }) => [topic, ...payload]),
    [255, 256, 257].map((version) => [`t/${version}`, version & 0xff]),
  );
  for (const link of links) {
    assert.equal((await last.files.openLink(file, link, "test")).content, ZIP);
    const forged = { ...link, mac: `${link.mac.slice(0, -2)}00` };
    await refuses("not_found", last.files.openLink(file, forged, "test"));
  }
  assert.equal(
    links.map(({ mac }) => mac.length),
    [66, 70, 70],
  );
  await files.create("full", async ({ vault, signerVault }) => {
    for (const each of [vault, signerVault]) await each.put("transit/999", NONE);
  });
  await refuses("limit_reached", files.registry.rotateTransit(tenantId("full"), keys, AUDIT));
});

test.run();
