/** P-83: a tenant that is being made or taken away when everything ends is made or gone afterwards, and never half. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tenantId } from "@kerbside/protocol";
import BetterSqlite3 from "better-sqlite3";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, refuses } from "../../conformance/car-log.ts";
import { type TestRegistry, tenantDirectories, testRegistry } from "../../support/tenant-engine.ts";

type World = { files: TestRegistry; now: { ms: number } };
const test = suite<World>("unsettled tenants");
const DEMO = tenantId("demo");
/** So many that taking them away takes a while, which is looked into. */
const FILES = 2000;

test.before.each(async (world) => {
  world.now = { ms: 0 };
  world.files = await testRegistry(() => Date.now() + world.now.ms);
  await world.files.create("demo");
});
test.after.each(({ files }) => files.close());

function certificates({ dir }: TestRegistry): number {
  const db = new BetterSqlite3(join(dir, "platform.sqlite"), { readonly: true });
  const count = db.prepare("SELECT count(*) FROM erasures").pluck().get();
  db.close();
  return Number(count);
}

function broken({ dir }: TestRegistry, trigger: string): () => void {
  const db = new BetterSqlite3(join(dir, "platform.sqlite"));
  db.exec(
    `CREATE TRIGGER broken BEFORE INSERT ON ${trigger} BEGIN SELECT RAISE(ABORT, 'broken'); END`,
  );
  return () => {
    db.exec("DROP TRIGGER broken");
    db.close();
  };
}

test("P-83 killed while a tenant is taken away: no certificate of what is still there, and the rest is taken on", async ({
  files,
}) => {
  const [directory = ""] = tenantDirectories(files.dir);
  for (let i = 0; i < FILES; i += 1) writeFileSync(join(directory, `x${i}`), "");
  const script = fileURLToPath(new URL("./removal-process.ts", import.meta.url));
  const key = Buffer.from(files.masterKey).toString("hex");
  const child = spawn(process.execPath, [script, files.dir, key], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  // Looked at without a pause: it is over in some tens of milliseconds.
  while (readdirSync(directory).length >= FILES);
  child.kill("SIGKILL");
  await once(child, "close");
  assert.ok(existsSync(directory), "it was killed in the midst of it");
  assert.is(certificates(files), 0);
  const after = await files.again();
  assert.is(await after.tenant("demo"), undefined, "nobody opens what is left");
  assert.equal(after.settle(), [DEMO]);
  assert.equal(tenantDirectories(files.dir), []);
  assert.is(certificates(files), 1);
  assert.equal(after.settle(), [], "once");
  assert.equal(after.platform.verifyAudit().problems, []);
  await refuses("not_found", after.remove(DEMO, AUDIT));
});

test("P-83 a certificate that cannot be written comes later, by asking again or by itself", async ({
  files,
}) => {
  const mend = broken(files, "erasures");
  await refuses("storage_failed", files.registry.remove(DEMO, AUDIT));
  assert.equal(tenantDirectories(files.dir), []);
  assert.is(certificates(files), 0);
  mend();
  const certificate = await files.registry.remove(DEMO, AUDIT);
  assert.match(JSON.stringify(certificate), "demo");
  assert.is(certificates(files), 1);
  await files.create("demo");
  assert.ok(await files.registry.tenant("demo"), "the name is free again");
});

test("a tenant that never came to be leaves nothing, and one that is just being made is left alone", async ({
  files,
  now,
}) => {
  const mend = broken(files, "tenants");
  await refuses("storage_failed", files.create("rival"));
  assert.is(tenantDirectories(files.dir).length, 1);
  mend();
  // As a process leaves it that ends before the row is there.
  const left = "00000000-0000-4000-8000-000000000000";
  const db = new BetterSqlite3(join(files.dir, "platform.sqlite"));
  const row = db.prepare("INSERT INTO unsettled VALUES (?, 'rival', 'make', ?, 'tester')");
  row.run(left, Date.now());
  db.close();
  const path = join(files.dir, "tenants", left);
  await files.create("third", async () => {
    writeFileSync(path, "");
    assert.equal(files.registry.settle(), []);
  });
  assert.ok(existsSync(path));
  now.ms = 3_600_001;
  assert.equal(files.registry.settle(), ["rival"]);
  assert.not(existsSync(path));
  assert.equal(files.registry.list(), ["demo", "third"]);
});

test.run();
