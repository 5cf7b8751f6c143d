/** P-31: the transit key is replaced under running services, and nobody notices but the vault. */
import { join } from "node:path";
import { ProtocolError, randomBytes, tenantId } from "@kerbside/protocol";
import { openIssuerTenants } from "@kerbside/tenants";
import BetterSqlite3 from "better-sqlite3";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT } from "../../conformance/car-log.ts";
import { PROFILE, person } from "../../conformance/people-store.ts";
import { type TestRegistry, tenantDirectories, testRegistry } from "../../support/tenant-engine.ts";

const DEMO = tenantId("demo");
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

test.run();
