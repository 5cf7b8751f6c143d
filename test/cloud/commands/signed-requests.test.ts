/** A signer that verifies what its callers signed: what it refuses, what it keeps, and what a restart does not forget. */
import { generateKeyPairSync, type KeyObject, randomUUID } from "node:crypto";
import { join } from "node:path";
import {
  askForSignedRequests,
  BUCKET_MS_MAX,
  bookingIdOf,
  grantIdOf,
  isSignedBy,
  putRequestKey,
  type RequestProof,
  readSignature,
  type SignerClient,
} from "@kerbside/commands";
import {
  type ErrorCode,
  randomBytes,
  signingKey,
  type TenantStore,
  toHex,
} from "@kerbside/protocol";
import { openRateFile } from "@kerbside/tenants";
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
  signerPlace,
  startSigner,
} from "./signer-rig.ts";

const COMMANDS = "/v1/tenants/demo/vehicles/car-1/commands";
const BODY = '{"action":"unlock"}';
const WINDOW_S = 60;

type Fixture = { place: SignerPlace } & SignerPlace & {
    client: SignerClient;
    stop: () => Promise<void>;
    token: string;
    publicKey: KeyObject;
    privateKey: KeyObject;
    ecdsaKey: KeyObject;
  };
const it = suite<Fixture>("signed requests");

async function start(f: Fixture): Promise<void> {
  const ledger = openRateFile(join(f.place.dir, "rates.sqlite"), BUCKET_MS_MAX);
  const plenty = { perS: 100_000, burst: 100_000 };
  const rates = { vehicle: plenty, tenant: plenty };
  const started = await startSigner(f.place, "signer.sock", { rates, ledger });
  f.client = started.client;
  f.stop = async () => {
    await started.stop();
    ledger.close();
  };
}

const stop = (f: Fixture): Promise<void> => f.stop();

/** A command that is recorded as asked, and the request that asked for it, signed. */
async function asked(f: Fixture, more: Partial<ToSign> = {}) {
  const order = { id: randomBytes(16), vehicle: CAR, action: "unlock" } as const;
  await record(f.store, order);
  const proof = signedRequest({
    key: f.privateKey,
    target: COMMANDS,
    authority: "api.test",
    body: BODY,
    // As the record has it.
    idempotencyKey: toHex(order.id),
    ...more,
  });
  return { order, proof };
}

it.before(async (f) => {
  const pair = generateKeyPairSync("ed25519");
  f.publicKey = pair.publicKey;
  f.privateKey = pair.privateKey;
  const ecdsa = generateKeyPairSync("ec", { namedCurve: "P-256" });
  f.ecdsaKey = ecdsa.privateKey;
  const ecdsaSpki = new Uint8Array(ecdsa.publicKey.export({ format: "der", type: "spki" }));
  const spki = new Uint8Array(pair.publicKey.export({ format: "der", type: "spki" }));
  f.place = await signerPlace(async (tenant, vault) => {
    await askForSignedRequests(vault, true);
    if (tenant !== DEMO) return;
    await putRequestKey(vault, { subject: "backend", keyId: "k1" }, spki);
    await putRequestKey(vault, { subject: "backend", keyId: "k3" }, ecdsaSpki);
    await putRequestKey(vault, { subject: "backend", keyId: "gone" }, spki);
    await putRequestKey(vault, { subject: "backend", keyId: "gone" }, undefined);
  });
  await announce(f.place);
  const elsewhere = (await f.place.registry.tenant(OTHER))?.store as TenantStore;
  await announce({ store: elsewhere, car: f.place.car }, { tenant: OTHER });
  Object.assign(f, f.place);
  f.token = await f.tokens.mint({ scope: "commands:operate bookings:write" });
  await start(f);
});
it.after(async (f) => {
  await stop(f);
  await f.place.close();
});

it("P-51 a signed request is signed for the car, and its signature is kept and can be shown", async (f) => {
  const { order, proof } = await asked(f);
  assert.ok((await f.client.signCommand(f.token, order, proof)).envelope.length > 0);
  const trail = await f.store.auditTrail(0, 1000);
  const entry = trail.find((row) => row.subject === `command:${toHex(order.id)}`);
  const [, kept = ""] = entry?.reason?.split("; signed ") ?? [];
  const { base, signature } = JSON.parse(kept);
  const { bytes, alg } = readSignature({ ...proof, signature });
  assert.ok(isSignedBy(f.publicKey, base, { bytes, alg }), "by nothing but what the audit has");
  assert.match(base, `"@target-uri": https://api.test${COMMANDS}`);
});

it("by ECDSA, with path and authority in the place of the target, with a query", async (f) => {
  const target = `${COMMANDS}?wait=1000`;
  const names = "@method @authority @path @query content-digest idempotency-key".split(" ");
  const by = { key: f.ecdsaKey, keyId: "k3", target };
  const { order, proof } = await asked(f, { ...by, components: names });
  assert.is(await codeOf(f.client.signCommand(f.token, order, proof)), "ok");
  const without = names.filter((name) => name !== "@query");
  const bare = await asked(f, { ...by, components: without });
  assert.is(await codeOf(f.client.signCommand(f.token, bare.order, bare.proof)), "malformed");
});

it("P-51 a table of attacks: each is refused, and nothing is signed for the car", async (f) => {
  const other = generateKeyPairSync("ed25519").privateKey;
  const nowS = Math.floor(Date.now() / 1000);
  const digestless = ["@method", "@target-uri", "idempotency-key"];
  const table: readonly (readonly [string, Partial<ToSign>, ErrorCode])[] = [
    ["another's key", { key: other }, "unauthenticated"],
    ["a key that nobody knows", { keyId: "k2" }, "unauthenticated"],
    ["a key that was taken back", { keyId: "gone" }, "unauthenticated"],
    ["another algorithm's name", { alg: "ecdsa-p256-sha256" }, "unauthenticated"],
    ["stale", { created: nowS - WINDOW_S }, "unauthenticated"],
    ["of the future", { created: nowS + WINDOW_S }, "unauthenticated"],
    ["to another tenant", { target: COMMANDS.replace("demo", "other") }, "unauthenticated"],
    ["to another car", { target: COMMANDS.replace("car-1", "car-2") }, "unauthenticated"],
    ["to another place", { target: "/v1/tenants/demo/bookings" }, "unauthenticated"],
    ["another method", { method: "PATCH" }, "unauthenticated"],
    ["another action", { body: '{"action":"lock"}' }, "unauthenticated"],
    ["for a booking", { body: '{"action":"unlock","booking":"b-1"}' }, "unauthenticated"],
    ["no JSON", { body: "unlock" }, "unauthenticated"],
    ["another Idempotency-Key", { idempotencyKey: "mine" }, "unauthenticated"],
    ["no Idempotency-Key", { idempotencyKey: undefined }, "unauthenticated"],
    ["the body not covered", { components: digestless }, "malformed"],
    ["the target not covered", { components: ["@method", "content-digest"] }, "malformed"],
    ["a short nonce", { nonce: "1" }, "malformed"],
  ];
  for (const [name, more, expected] of table) {
    const { order, proof } = await asked(f, more);
    assert.is(await codeOf(f.client.signCommand(f.token, order, proof)), expected, name);
    assert.is((await f.store.command(toHex(order.id)))?.state, "accepted", name);
  }
  const { order, proof } = await asked(f);
  assert.is(await codeOf(f.client.signCommand(f.token, order)), "forbidden", "unsigned");
  const someone = await f.tokens.mint({ scope: "commands:operate", subject: "someone" });
  const byAnother = f.client.signCommand(someone, order, proof);
  assert.is(await codeOf(byAnother), "unauthenticated", "another caller's token");
  const elsewhere = (await f.registry.tenant(OTHER))?.store as TenantStore;
  await record(elsewhere, order);
  const theirs = await f.tokens.mint({ scope: "commands:operate", tenant: "other" });
  const atAnother = f.client.signCommand(theirs, order, proof);
  assert.is(await codeOf(atAnother), "unauthenticated", "another tenant's token");
  assert.is(await codeOf(f.client.signCommand(f.token, order, proof)), "ok", "none used it up");
});

it("P-51 each byte of the request, altered on its way, is found by the signer", async (f) => {
  const { order, proof } = await asked(f);
  const texts = "method target authority contentType contentDigest idempotencyKey".split(" ");
  let tried = 0;
  const tryOne = async (changed: RequestProof, name: string): Promise<void> => {
    tried += 1;
    const code = await codeOf(f.client.signCommand(f.token, order, changed));
    assert.ok(code === "unauthenticated" || code === "malformed", `${name}: ${code}`);
  };
  for (const name of [...texts, "signatureInput", "signature"]) {
    const text = String(Object.entries(proof).find(([key]) => key === name)?.[1]);
    for (let at = 0; at < text.length; at += 1) {
      const flipped = String.fromCharCode(text.charCodeAt(at) ^ 1);
      const changed = text.slice(0, at) + flipped + text.slice(at + 1);
      await tryOne({ ...proof, [name]: changed }, `${name}, byte ${at}`);
    }
  }
  for (let at = 0; at < proof.body.length; at += 1) {
    const body = proof.body.map((byte, i) => (i === at ? byte ^ 1 : byte));
    await tryOne({ ...proof, body }, `body, byte ${at}`);
  }
  // The same meaning in other bytes.
  await tryOne({ ...proof, body: new Uint8Array(Buffer.from(`${BODY} `)) }, "a space more");
  assert.ok(tried > 400, `${tried} bytes`);
  assert.is(await codeOf(f.client.signCommand(f.token, order, proof)), "ok");
});

it("P-51 a request opens nothing twice, not by another signer either, nor after a restart", async (f) => {
  const { order, proof } = await asked(f);
  const again = { ...order, id: randomBytes(16) };
  await f.store.createCommand(
    {
      ...{ id: toHex(again.id), vehicle: CAR, action: "unlock" },
      requestedBy: "someone",
      idempotencyKey: toHex(order.id),
      ...{ requestDigest: "00", state: "accepted", steps: [] },
      deadlineMs: Date.now() + 10_000,
    },
    audit,
  );
  assert.is(await codeOf(f.client.signCommand(f.token, order, proof)), "ok");
  assert.is(await codeOf(f.client.signCommand(f.token, again, proof)), "unauthenticated");
  assert.is(await codeOf(f.client.signCommand(f.token, order, proof)), "ok", "a newer session");
  await stop(f);
  await start(f);
  assert.is(await codeOf(f.client.signCommand(f.token, again, proof)), "unauthenticated");
});

it("bookings and grants too: just what was signed, once", async (f) => {
  const nowMs = Date.now();
  const times = { fromMs: nowMs - 1000, toMs: nowMs + 3_600_000 };
  const body = JSON.stringify({
    vehicle: CAR,
    holder: "person-1",
    from: new Date(times.fromMs).toISOString(),
    to: new Date(times.toMs).toISOString(),
  });
  const key = randomUUID();
  const of = { key: f.privateKey, authority: "api.test" };
  const target = "/v1/tenants/demo/bookings";
  const booking = bookingIdOf(DEMO, "backend", key);
  const fields = { booking, vehicle: CAR, holder: "person-1", ...times } as const;
  const made = { ...fields, state: "reserved", version: 1 } as const;
  const proof = signedRequest({ ...of, target, body, idempotencyKey: key });
  const seal = (what: Parameters<SignerClient["sealBooking"]>[1], by?: RequestProof) =>
    codeOf(f.client.sealBooking(f.token, what, by));
  assert.is(await seal(made), "forbidden", "unsigned");
  assert.is(await seal({ ...made, holder: "person-2" }, proof), "unauthenticated");
  assert.is(await seal({ ...made, booking: "b-2" }, proof), "unauthenticated");
  assert.is(await seal({ ...made, toMs: times.toMs + 1 }, proof), "unauthenticated");
  const mac = await f.client.sealBooking(f.token, made, proof);
  assert.is(await seal(made, proof), "unauthenticated", "replayed");
  await f.store.putBooking({ ...made, mac }, audit);

  const phone = signingKey(randomBytes(32)).publicKey;
  const actions = ["unlock", "lock"] as const;
  const said = { actions, phone: Buffer.from(phone).toString("base64url") };
  const grantKey = randomUUID();
  const id = grantIdOf(DEMO, "backend", grantKey);
  const ask = { id, booking, revoke: false, actions, phone };
  const signed = signedRequest({
    ...of,
    target: `${target}/${booking}/grants`,
    body: JSON.stringify(said),
    idempotencyKey: grantKey,
  });
  const grant = (what: Parameters<SignerClient["sealGrant"]>[1], by?: RequestProof) =>
    codeOf(f.client.sealGrant(f.token, what, by));
  const another = signingKey(randomBytes(32)).publicKey;
  assert.is(await grant(ask), "forbidden", "unsigned");
  assert.is(await grant({ ...ask, phone: another }, signed), "unauthenticated");
  assert.is(await grant({ ...ask, actions: ["unlock"] }, signed), "unauthenticated");
  const granted = await f.client.sealGrant(f.token, ask, signed);
  assert.is(await grant(ask, signed), "unauthenticated", "replayed");
  await f.store.putGrant(granted, audit);

  const at = `/v1/tenants/demo/grants/${toHex(id)}`;
  const carry = signedRequest({ ...of, target: `${at}/carry` });
  assert.is(await codeOf(f.client.carryGrant(f.token, id)), "forbidden", "unsigned");
  assert.is(await codeOf(f.client.carryGrant(f.token, id, carry)), "ok");
  assert.is(await codeOf(f.client.carryGrant(f.token, id, carry)), "unauthenticated");
  const revoke = signedRequest({ ...of, target: `${at}/revoke` });
  assert.is(await grant({ ...ask, revoke: true, actions: [] }, revoke), "ok");
  const ended = { ...made, state: "cancelled", version: 2 } as const;
  const end = signedRequest({ ...of, target: `${target}/${booking}/end` });
  assert.is(await seal(ended, end), "unauthenticated", "another verb");
  const cancel = signedRequest({ ...of, target: `${target}/${booking}/cancel` });
  assert.is(await seal(ended, cancel), "ok");
  const later = { ...made, toMs: times.toMs + 60_000, version: 2 };
  const to = new Date(later.toMs).toISOString();
  const patch = { ...of, method: "PATCH", target: `${target}/${booking}` };
  assert.is(await seal(later, signedRequest({ ...patch, body: `{"to":"${to}"}` })), "ok");
});

it.run();
