/** P-11: the vault as a sealed file. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes } from "@kerbside/protocol";
import { openVault } from "@kerbside/tenants";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { refuses } from "../../conformance/car-log.ts";

const test = suite<{ dir: string; file: string; key: Uint8Array }>("vault");

test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), "kerbside-vault-"));
  context.file = join(context.dir, "vault.sealed");
  context.key = randomBytes(32);
});
test.after.each(({ dir }) => rmSync(dir, { recursive: true, force: true }));

test("keeps secrets in a file that only its owner reads", async ({ file, key }) => {
  const vault = openVault(file, key, "demo/1", "write");
  assert.equal(await vault.names(), []);
  const canary = new TextEncoder().encode("the-command-key-in-the-clear");
  await vault.put("command/1", canary);
  await vault.put("ingest/1", randomBytes(64));
  await vault.put("command/1", canary);
  const again = openVault(file, key, "demo/1", "read");
  assert.equal([...(await again.names())].sort(), ["command/1", "ingest/1"]);
  assert.equal(await again.get("command/1"), canary);
  assert.is(await again.get("command/2"), undefined);
  assert.is(statSync(file).mode & 0o777, 0o600);
  assert.not(readFileSync(file).includes(Buffer.from(canary)));
});

test("P-11 a service that opens it for reading cannot write", async ({ file, key }) => {
  await openVault(file, key, "demo/1", "write").put("a/1", randomBytes(32));
  await refuses("forbidden", openVault(file, key, "demo/1", "read").put("a/2", randomBytes(32)));
});

test("P-10 another key or another tenant's name opens nothing", async ({ dir, file, key }) => {
  await openVault(file, key, "demo/1", "write").put("a/1", randomBytes(32));
  const rows: readonly [why: string, key: Uint8Array, owner: string][] = [
    ["another key", randomBytes(32), "demo/1"],
    ["another tenant", key, "rival/1"],
    ["the same tenant made anew", key, "demo/2"],
  ];
  for (const [why, otherKey, owner] of rows) {
    const copy = join(dir, "copy.sealed");
    copyFileSync(file, copy);
    const vault = openVault(copy, otherKey, owner, "write");
    await refuses("unauthenticated", vault.get("a/1"), why);
    await refuses("unauthenticated", vault.put("b/1", randomBytes(32)), `${why}, writing`);
    assert.equal(readFileSync(copy), readFileSync(file), `${why}: nothing was changed`);
  }
});

test("a change of any byte is noticed", async ({ file, key }) => {
  const vault = openVault(file, key, "demo/1", "write");
  await vault.put("a/1", randomBytes(8));
  await vault.put("b/1", randomBytes(8));
  const whole = readFileSync(file);
  for (const at of whole.keys()) {
    const bad = Buffer.from(whole);
    bad[at] = (bad[at] ?? 0) ^ 0x10;
    writeFileSync(file, bad);
    let read: unknown;
    try {
      read = [await vault.get("a/1"), await vault.get("b/1")];
    } catch {
      read = undefined;
    }
    assert.is(read, undefined, `byte ${at}`);
  }
  writeFileSync(file, whole.subarray(0, 40));
  await refuses("storage_failed", vault.names(), "cut short");
});

test("writers at the same time lose nothing", async ({ file, key }) => {
  const vaults = [1, 2, 3].map(() => openVault(file, key, "demo/1", "write"));
  const names = Array.from({ length: 30 }, (_, i) => `key/${i}`);
  await Promise.all(names.map((name, i) => vaults[i % 3]?.put(name, randomBytes(32))));
  assert.is((await vaults[0]?.names())?.length, 30);
});

test("names and sizes have bounds", async ({ file, key }) => {
  const vault = openVault(file, key, "demo/1", "write");
  for (const name of ["", "../a", "A", "a//b", "a/b/c/d/e", "__proto__"])
    await refuses("malformed", vault.put(name, randomBytes(1)), name);
  await refuses("malformed", vault.put("a", new Uint8Array(16 * 1024 + 1)));
});

test.run();
