/** The keys that callers sign with, listed and taken back through the signer, which decides all of it itself. */
import { createHash, generateKeyPairSync, type KeyObject } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  askForSignedRequests,
  putRequestKey,
  requestKeys,
  type SignerClient,
} from "@kerbside/commands";
import { randomBytes, type TenantId, toHex, type Vault } from "@kerbside/protocol";
import { makeBackup, openSignerTenants, restoreBackup } from "@kerbside/tenants";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DEMO } from "./car.ts";
import { record } from "./recorded.ts";
import { signedRequest, type ToSign } from "./request-signing.ts";
import { CAR, OTHER } from "./rig.ts";
import {
  announce,
  audit,
  codeOf,
  type SignerPlace,
  type StartedSigner,
  signerPlace,
  startSigner,
} from "./signer-rig.ts";

type Pair = { readonly privateKey: KeyObject; readonly spki: Uint8Array };
const pair = (): Pair => {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  return { privateKey, spki: new Uint8Array(publicKey.export({ format: "der", type: "spki" })) };
};
const KEYS = { first: pair(), second: pair(), theirs: pair() };
const REVOKE = "/v1/tenants/demo/request-keys/revoke";
const COMMANDS = "/v1/tenants/demo/vehicles/car-1/commands";
const BODY = '{"action":"find"}';
const OF = { subject: "backend", keyId: "k1" } as const;

type Fixture = SignerPlace & {
  place: SignerPlace;
  one: StartedSigner;
  /** Another signer over the same files, which was running all the time. */
  two: StartedSigner;
  /** Started later, from what the files have by then. */
  late: StartedSigner | undefined;
  staff: string;
};
const it = suite<Fixture>("keys of callers");

async function vaultOf(tenant: TenantId, vault: Vault): Promise<void> {
  if (tenant === OTHER) {
    await putRequestKey(vault, { subject: "rival", keyId: "theirs" }, KEYS.theirs.spki);
    return;
  }
  for (const keyId of ["k1", "k2"]) {
    const { spki } = keyId === "k1" ? KEYS.first : KEYS.second;
    await putRequestKey(vault, { subject: "backend", keyId }, spki);
  }
}

it.before.each(async (f) => {
  f.place = await signerPlace(vaultOf);
  Object.assign(f, f.place);
  await announce(f.place);
  const plenty = { perS: 1000, burst: 1000 };
  const rates = { vehicle: plenty, tenant: plenty };
  f.one = await startSigner(f.place, "one.sock", { rates });
  f.two = await startSigner(f.place, "two.sock", { rates });
  f.late = undefined;
  const scope = "request-keys:read request-keys:revoke commands:operate";
  f.staff = await f.tokens.mint({ scope });
});
it.after.each(async (f) => {
  await f.one.stop();
  await f.two.stop();
  await f.late?.stop();
  await f.place.close();
});

/** What a signer says to a command that its caller signed with the first key. */
async function command(f: Fixture, client: SignerClient, key = KEYS.first): Promise<string> {
  const order = { id: randomBytes(16), vehicle: CAR, action: "find" } as const;
  await record(f.store, order);
  const asked = { target: COMMANDS, authority: "api.test", body: BODY };
  const idempotencyKey = toHex(order.id);
  const proof = signedRequest({ key: key.privateKey, ...asked, idempotencyKey });
  return codeOf(client.signCommand(f.staff, order, proof));
}

const revokeSigned = (key: Pair, more: Partial<ToSign> = {}) =>
  signedRequest({
    ...{ key: key.privateKey, target: REVOKE, authority: "api.test" },
    body: JSON.stringify({ client: OF.subject, keyId: OF.keyId }),
    ...more,
  });

/** Changes the vault as the operator does at the command line. */
const change = (f: Fixture, how: (vault: Vault) => Promise<void>): Promise<void> =>
  f.registry.rotate(DEMO, f.signerKey, audit, ({ signerVault }) => how(signerVault));

it("P-51 a key that is taken back signs nothing any more, at once, at a signer that was running too", async (f) => {
  for (const { client } of [f.one, f.two]) assert.is(await command(f, client), "ok");
  const sha256 = new Uint8Array(createHash("sha256").update(KEYS.first.spki).digest());
  const key = await f.one.client.revokeRequestKey(f.staff, OF);
  assert.equal(key, { ...OF, revoked: true, sha256 });
  for (const { client } of [f.two, f.one]) {
    assert.is(await command(f, client), "unauthenticated");
    const listed = await client.requestKeys(f.staff);
    assert.equal(
      listed.keys.map(({ subject, keyId, revoked }) => [subject, keyId, revoked]),
      [
        ["backend", "k1", true],
        ["backend", "k2", false],
      ],
    );
    assert.is(listed.demanded, false);
  }
  const trail = await f.store.auditTrail(0, 1000);
  const kept = trail.filter(({ action }) => action === "signer.revoke_request_key");
  assert.equal(
    kept.map(({ actor, subject, outcome, reason }) => [actor, subject, outcome, reason]),
    ["asked", "done"].map((outcome) => ["backend", "client:backend", outcome, "k1"]),
  );
  assert.equal(await f.two.client.revokeRequestKey(f.staff, OF), key, "again: the same answer");
  assert.is((await f.store.auditTrail(0, 1000)).length, trail.length, "and nothing done");
  await f.one.stop();
  f.one = await startSigner(f.place, "one.sock");
  assert.is(await command(f, f.one.client), "unauthenticated", "after a start too");
});

it("another key under the same id counts, the one that was taken back never again", async (f) => {
  await f.one.client.revokeRequestKey(f.staff, OF);
  await change(f, (vault) => putRequestKey(vault, OF, KEYS.theirs.spki));
  assert.is(await command(f, f.two.client, KEYS.theirs), "ok");
  assert.is(await command(f, f.two.client, KEYS.first), "unauthenticated");
  await change(f, (vault) => putRequestKey(vault, OF, KEYS.first.spki));
  assert.is(await command(f, f.two.client, KEYS.first), "unauthenticated", "put there again");
});

it("P-11 what the command line takes back or gives is believed at once too", async (f) => {
  assert.is(await command(f, f.two.client), "ok");
  await change(f, (vault) => putRequestKey(vault, OF, undefined));
  assert.is(await command(f, f.two.client), "unauthenticated");
  await change(f, (vault) => putRequestKey(vault, OF, KEYS.second.spki));
  assert.is(await command(f, f.two.client, KEYS.second), "ok");
});

it("P-02 P-51 whoever may not, of another tenant, or without the signature that is demanded takes back nothing", async (f) => {
  const { client } = f.one;
  const plain = await f.tokens.mint({ scope: "commands:operate bookings:write" });
  assert.is(await codeOf(client.requestKeys(plain)), "forbidden");
  const reader = await f.tokens.mint({ scope: "request-keys:read" });
  assert.is(await codeOf(client.revokeRequestKey(reader, OF)), "forbidden");
  assert.is(await codeOf(client.requestKeys("e30.e30.e30")), "unauthenticated");
  const theirs = await f.tokens.mint({
    tenant: OTHER,
    scope: "request-keys:read request-keys:revoke",
  });
  const seen = (await client.requestKeys(theirs)).keys.map(({ keyId }) => keyId);
  assert.equal(seen, ["theirs"], "a tenant sees its own keys");
  assert.is(await codeOf(client.revokeRequestKey(theirs, OF)), "not_found");
  assert.is(await codeOf(client.revokeRequestKey(f.staff, { ...OF, keyId: "k9" })), "not_found");

  await change(f, (vault) => askForSignedRequests(vault, true));
  // Whether signatures are demanded is read within five seconds by a signer that runs, and now by one that starts.
  const demanding = await startSigner(f.place, "demanding.sock");
  f.late = demanding;
  const revoke = (proof?: ReturnType<typeof revokeSigned>) =>
    codeOf(demanding.client.revokeRequestKey(f.staff, OF, proof));
  assert.is(await revoke(), "forbidden", "with the token alone");
  assert.is(await revoke(revokeSigned(KEYS.theirs)), "unauthenticated", "by a key of nobody");
  const another = { body: '{"client":"backend","keyId":"k2"}' };
  assert.is(await revoke(revokeSigned(KEYS.first, another)), "unauthenticated", "of another key");
  const elsewhere = { target: REVOKE.replace("demo", "other") };
  assert.is(await revoke(revokeSigned(KEYS.first, elsewhere)), "unauthenticated", "elsewhere");
  assert.is(await command(f, demanding.client), "ok", "it counts still");
  const proof = revokeSigned(KEYS.second, { keyId: "k2" });
  assert.is(await revoke(proof), "ok", "signed by another key of the same caller");
  assert.is(await revoke(proof), "unauthenticated", "once");
  assert.is(await command(f, demanding.client), "unauthenticated");
  const trail = await f.store.auditTrail(0, 1000);
  const kept = trail.findLast(({ action }) => action === "signer.revoke_request_key");
  assert.match(kept?.reason ?? "", /^k1; signed \{"base":/);
});

it("P-11 the list of keys that were taken back is bound to its tenant and its place", async (f) => {
  const fileOf = (tenant: TenantId, name: string): string =>
    join(f.dir, "tenants", f.registry.directory(tenant) ?? "", name);
  const inDemo = fileOf(DEMO, "signer-revoked.sealed");
  await f.one.client.revokeRequestKey(f.staff, OF);
  assert.ok(existsSync(inDemo), "a file of its own");
  const good = readFileSync(inDemo);
  for (const [why, content] of [
    ["the signer's vault in its place", readFileSync(fileOf(DEMO, "signer-vault.sealed"))],
    ["one bit flipped", good.map((byte, at) => (at === good.length - 1 ? byte ^ 1 : byte))],
    ["cut short", good.subarray(0, -1)],
  ] as const) {
    writeFileSync(inDemo, content);
    assert.is.not(await command(f, f.two.client), "ok", why);
    assert.is.not(await command(f, f.two.client, KEYS.second), "ok", `${why}: refused for all`);
  }
  writeFileSync(inDemo, good);
  assert.is(await command(f, f.two.client), "unauthenticated");
  writeFileSync(fileOf(OTHER, "signer-revoked.sealed"), good);
  const theirs = await f.tokens.mint({ tenant: OTHER, scope: "request-keys:read" });
  assert.is(await codeOf(f.one.client.requestKeys(theirs)), "unauthenticated", "another tenant's");
});

it("P-90 what was taken back is so after a restore into an empty directory too", async (f) => {
  await f.one.client.revokeRequestKey(f.staff, OF);
  const base = mkdtempSync(join(tmpdir(), "kerbside-restored-"));
  try {
    const [to, dir, backupKey] = [join(base, "off"), join(base, "dir"), randomBytes(32)];
    await makeBackup({ dir: f.dir, to, backupKey, nowMs: Date.now(), keysDays: 30 });
    const { masterKey, signerKey } = f;
    await restoreBackup({ from: to, dir, backupKey, masterKey, audit });
    const tenants = await openSignerTenants({ dir, signerKey });
    const tenant = await tenants.tenant(DEMO);
    const keys = tenant && (await requestKeys(tenant.vault, tenant.revoked));
    await tenants.close();
    const revoked = keys?.map(({ keyId, revoked: is }) => [keyId, is]);
    assert.equal(revoked, [
      ["k1", true],
      ["k2", false],
    ]);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
});

it.run();
