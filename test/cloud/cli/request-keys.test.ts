/** `request-key`: the operator gives and takes back keys, and asks for signatures; all of it in the signer's vault. */
import { createHash, generateKeyPairSync } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { takeBack } from "@kerbside/commands";
import { tenantId } from "@kerbside/protocol";
import { openRegistry, openSignerTenants, PAYMENTS_SECRET } from "@kerbside/tenants";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { callCloud } from "../../support/cloud-call.ts";
import { jsonLines, runCloud } from "../../support/cloud-process.ts";

const test = suite("request keys");
const base = mkdtempSync(join(tmpdir(), "kerbside-request-keys-"));
const dir = join(base, "cloud");
const of = ["--data", dir, "--tenant", "demo"];
const key = [...of, "--client", "backend", "--key-id", "k1"];
const { publicKey, privateKey } = generateKeyPairSync("ed25519");
const own = join(base, "key.pem");
const secret = join(base, "private.pem");
let env: Readonly<Record<string, string>> = {};

test.before(async () => {
  const made = await runCloud(["tenant", "create", "demo", "--data", dir, "--dev"]);
  assert.is(made.code, 0, made.err);
  const text = (name: string) => readFileSync(join(dir, "secrets", name), "utf8").trim();
  env = { KERBSIDE_MASTER_KEY: text("master-key"), KERBSIDE_SIGNER_KEY: text("signer-key") };
  writeFileSync(own, publicKey.export({ format: "pem", type: "spki" }));
  writeFileSync(secret, privateKey.export({ format: "pem", type: "pkcs8" }));
});
test.after(() => rmSync(base, { recursive: true, force: true }));

async function inVault(): Promise<{ keys: readonly Uint8Array[]; asked: number | undefined }> {
  const signerKey = new Uint8Array(Buffer.from(env["KERBSIDE_SIGNER_KEY"] ?? "", "base64url"));
  const tenants = await openSignerTenants({ dir, signerKey });
  try {
    const vault = (await tenants.tenant(tenantId("demo")))?.vault;
    if (vault === undefined) throw new Error("the tenant is missing");
    const names = (await vault.names()).filter((name) => name.startsWith("request-key/"));
    const keys = await Promise.all(names.map(async (name) => (await vault.get(name)) ?? []));
    const asked = (await vault.get("signed-requests"))?.[0];
    return { keys: keys.map((one) => Uint8Array.from(one)), asked };
  } finally {
    await tenants.close();
  }
}

async function listed(): Promise<readonly unknown[]> {
  const { code, out, err } = await callCloud(["request-key", "list", ...of, "--json"], env);
  assert.is(code, 0, err);
  return jsonLines(out);
}

test("P-51 a key is added, asked for and taken back, and the audit keeps it", async () => {
  const spki = publicKey.export({ format: "der", type: "spki" });
  const added = await callCloud(["request-key", "add", ...key, "--public-key", own], env);
  assert.is(added.code, 0, added.err);
  const required = await callCloud(["request-key", "require", ...of, "--signed", "yes"], env);
  assert.is(required.code, 0, required.err);
  assert.equal(await inVault(), { keys: [new Uint8Array(spki)], asked: 1 });
  const mine = { tenant: "demo", client: "backend", keyId: "k1" };
  const sha256 = createHash("sha256").update(spki).digest("hex");
  assert.equal(await listed(), [
    { ...mine, sha256 },
    { tenant: "demo", signed: true },
  ]);
  const revoked = await callCloud(["request-key", "revoke", ...key], env);
  assert.is(revoked.code, 0, revoked.err);
  assert.equal(await listed(), [
    { ...mine, revoked: true },
    { tenant: "demo", signed: true },
  ]);
  const freed = await callCloud(["request-key", "require", ...of, "--signed", "no"], env);
  assert.is(freed.code, 0, freed.err);
  assert.equal(await inVault(), { keys: [Uint8Array.of(0)], asked: 0 });
});

test("P-51 a key that was taken back through the API is listed so, and not taken again", async () => {
  const { publicKey: other } = generateKeyPairSync("ed25519");
  const spki = new Uint8Array(other.export({ format: "der", type: "spki" }));
  const file = join(base, "other.pem");
  writeFileSync(file, other.export({ format: "pem", type: "spki" }));
  const words = [...of, "--client", "backend", "--key-id", "k2"];
  const add = () => callCloud(["request-key", "add", ...words, "--public-key", file], env);
  assert.is((await add()).code, 0);
  const signerKey = new Uint8Array(Buffer.from(env["KERBSIDE_SIGNER_KEY"] ?? "", "base64url"));
  const tenants = await openSignerTenants({ dir, signerKey });
  try {
    // As the signer does it.
    const signers = await tenants.tenant(tenantId("demo"));
    if (signers === undefined) throw new Error("the tenant is missing");
    await takeBack(signers.vault, signers.revoked, { subject: "backend", keyId: "k2" });
  } finally {
    await tenants.close();
  }
  const sha256 = createHash("sha256").update(spki).digest("hex");
  const mine = { tenant: "demo", client: "backend", keyId: "k2" };
  assert.equal((await listed())[1], { ...mine, revoked: true, sha256 });
  const again = await add();
  assert.is(again.code, 1);
  assert.match(again.err, /k2: this key was taken back; expected another one/);
});

test("what is no public key, no known key or no answer is refused", async () => {
  const refused = async (...words: string[]): Promise<number | null> =>
    (await callCloud(["request-key", ...words], env)).code;
  assert.is.not(await refused("add", ...key, "--public-key", secret), 0, "a private key");
  const unknown = [...of, "--client", "nobody", "--key-id", "k1"];
  assert.is.not(await refused("revoke", ...unknown), 0, "a key that is not there");
  assert.is(await refused("require", ...of, "--signed", "perhaps"), 2);
});

test("P-23 a payment provider is named by a file that its owner alone can read, and its key is not said", async () => {
  const file = join(base, "provider.json");
  const token = "sk_live_0123456789abcdef";
  writeFileSync(file, JSON.stringify({ url: "https://pay.example/v1/", token }), { mode: 0o644 });
  const words = ["payments", "set", ...of, "--provider", file, "--json"];
  const open = await callCloud(words, env);
  assert.is(open.code, 2, open.err);
  chmodSync(file, 0o600);
  const done = await callCloud(words, env);
  assert.is(done.code, 0, done.err);
  assert.equal(jsonLines(done.out), [{ tenant: "demo", provider: "pay.example" }]);
  const masterKey = new Uint8Array(Buffer.from(env["KERBSIDE_MASTER_KEY"] ?? "", "base64url"));
  const registry = await openRegistry({ dir, masterKey });
  try {
    const vault = (await registry.tenant(tenantId("demo")))?.vault;
    assert.match(Buffer.from((await vault?.get(PAYMENTS_SECRET)) ?? []).toString(), token);
  } finally {
    await registry.close();
  }
  for (const { out, err } of [open, done]) assert.not(`${out}${err}`.includes(token));
});

test.run();
