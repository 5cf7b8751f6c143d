/** Signed requests end to end: HTTPS → API → signer process → car. */
import { generateKeyPairSync, type KeyObject, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { askForSignedRequests, putRequestKey } from "@kerbside/commands";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DEMO } from "./car.ts";
import { headersOf, signedRequest, type ToSign } from "./request-signing.ts";
import { openRig, type Reply, type Rig } from "./rig.ts";

const it = suite<{ rig: Rig; token: string; key: KeyObject }>("signed requests over HTTPS");
const audit = { actor: "test", action: "test", subject: "test", outcome: "done" } as const;
const COMMANDS = "/v1/tenants/demo/vehicles/car-1/commands?wait=10000";

it.before(async (f) => {
  f.rig = await openRig();
  f.token = await f.rig.issuer.mint();
  await f.rig.car.announce();
  const pair = generateKeyPairSync("ed25519");
  f.key = pair.privateKey;
  const spki = new Uint8Array(pair.publicKey.export({ format: "der", type: "spki" }));
  const { signerKey } = JSON.parse(readFileSync(join(f.rig.dir, "signer.json"), "utf8"));
  await f.rig.registry.rotate(DEMO, Buffer.from(signerKey, "hex"), audit, async (vaults) => {
    await putRequestKey(vaults.signerVault, { subject: "backend", keyId: "k1" }, spki);
    await askForSignedRequests(vaults.signerVault, true);
  });
});
it.after(({ rig }) => rig.close());

type Asked = { readonly path: string; readonly body?: object; readonly more?: Partial<ToSign> };
function ask(
  { rig, token, key }: { rig: Rig; token: string; key: KeyObject },
  { path, body, more = {} }: Asked,
): Promise<Reply> {
  const raw = body === undefined ? "" : JSON.stringify(body);
  const idempotencyKey = randomUUID();
  const at = { target: path, authority: `127.0.0.1:${rig.port()}` };
  const headers = headersOf(signedRequest({ key, ...at, body: raw, idempotencyKey, ...more }));
  return rig.ask({ method: "POST", path, token, headers, ...(raw === "" ? {} : { raw }) });
}

it("P-51 books and unlocks by signed requests, and by no others", async (f) => {
  const { rig, token } = f;
  const nowMs = Date.now();
  const [from, to] = [nowMs - 1000, nowMs + 3_600_000].map((ms) => new Date(ms).toISOString());
  const body = { vehicle: "car-1", holder: "person-1", from, to };
  const path = "/v1/tenants/demo/bookings";
  const headers = { "idempotency-key": randomUUID() };
  assert.is((await rig.ask({ path, token, body, headers })).status, 403, "an unsigned booking");
  const booked = await ask(f, { path, body });
  assert.is(booked.status, 201, booked.text);
  const { booking } = booked.body;
  const unlock = { action: "unlock", booking };
  const bare = await rig.ask({ path: COMMANDS, token, body: unlock, headers });
  assert.is(bare.status, 403, bare.text);
  assert.is(rig.car.received.length, 0, "nothing was sent");
  const done = await ask(f, { path: COMMANDS, body: unlock });
  assert.equal([done.status, done.body.state], [200, "executed"], done.text);
  const other = generateKeyPairSync("ed25519").privateKey;
  const forged = await ask(f, { path: COMMANDS, body: unlock, more: { key: other } });
  assert.is(forged.status, 409, forged.text);
  const altered = { ...unlock, action: "lock" };
  const changed = await ask(f, {
    path: COMMANDS,
    body: unlock,
    more: { body: JSON.stringify(altered) },
  });
  assert.is(changed.status, 400, changed.text);
  assert.is(rig.car.received.length, 1, "what was forged or altered opened nothing");
  const ended = await ask(f, { path: `${path}/${booking}/end` });
  assert.equal([ended.status, ended.body.state], [200, "ended"], ended.text);
});

it("the same request again is answered by what it did, and does nothing", async (f) => {
  const { rig, token } = f;
  const staff = await rig.issuer.mint({ scope: "commands:operate" });
  const raw = '{"action":"find"}';
  const at = { target: COMMANDS, authority: `127.0.0.1:${rig.port()}` };
  const proof = signedRequest({ key: f.key, ...at, body: raw, idempotencyKey: randomUUID() });
  const send = (as: string) =>
    rig.ask({ path: COMMANDS, token: as, raw, headers: headersOf(proof) });
  const before = rig.car.received.length;
  const first = await send(staff);
  const second = await send(staff);
  assert.equal([first.status, second.status], [200, 200], first.text);
  assert.is(first.body.id, second.body.id);
  assert.is(rig.car.received.length, before + 1);
  assert.is((await send(token)).body.code, "forbidden", "with a token that may not");
});

it("P-02 P-51 P-61 lists the keys and takes one back over HTTPS, signed, and what it signed before opens nothing", async (f) => {
  const { rig } = f;
  const base = "/v1/tenants/demo/request-keys";
  const scope = "request-keys:read request-keys:revoke commands:operate";
  const staff = await rig.issuer.mint({ scope });
  const list = async () => (await rig.ask({ path: base, token: staff })).body;
  const { demanded, items } = await list();
  assert.is(demanded, true);
  assert.match(items[0].sha256, /^[0-9a-f]{64}$/);
  assert.equal(items, [{ ...items[0], client: "backend", keyId: "k1", state: "in_force" }]);
  const body = { client: "backend", keyId: "k1" };
  const path = `${base}/revoke`;
  assert.is((await rig.ask({ path, token: staff, body })).status, 403, "unsigned");
  assert.is((await rig.ask({ path, token: f.token, body })).status, 403, "without the scope");
  const theirs = await rig.issuer.mint({ tenant: "other", scope });
  assert.is((await rig.ask({ path, token: theirs, body })).status, 404, "of another tenant");
  const unknown = await ask({ ...f, token: staff }, { path, body: { ...body, keyId: "k9" } });
  assert.is(unknown.status, 404, unknown.text);
  const before = rig.car.received.length;
  const find = { path: COMMANDS, body: { action: "find" } };
  assert.is((await ask({ ...f, token: staff }, find)).status, 200);
  const gone = await ask({ ...f, token: staff }, { path, body });
  assert.equal([gone.status, gone.body], [200, { ...items[0], state: "revoked" }], gone.text);
  assert.equal((await list()).items, [gone.body]);
  const after = await ask({ ...f, token: staff }, find);
  assert.is(after.status, 409, after.text);
  assert.is(rig.car.received.length, before + 1, "the car got what was signed in time");
  const trail = await (await rig.store()).auditTrail(0, 10_000);
  const kept = trail.filter(({ subject }) => subject === "client:backend");
  assert.equal(
    kept.map(({ action, outcome, from }) => [action, outcome, from]),
    [
      ["signer.revoke_request_key", "asked", undefined],
      ["signer.revoke_request_key", "done", undefined],
      ["request_key.revoke", "done", "127.0.0.1"],
    ],
  );
});

it.run();
