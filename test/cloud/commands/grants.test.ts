/** Grants, trusted time and new keys, from the API to what a car takes and confirms. */
import { randomUUID } from "node:crypto";
import { keyPushFor } from "@kerbside/commands";
import {
  applyKeyPush,
  cardIdOf,
  certifyKey,
  cryptoReady,
  decode,
  encodeKeyPush,
  type GrantList,
  grantListCodec,
  openCarriedGrant,
  openGrantList,
  openTime,
  parsePush,
  parseSign1,
  signingKey,
  signSuccession,
  toHex,
  unsealGrantList,
  verifyKey,
} from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../../support/wait.ts";
import { DEMO } from "./car.ts";
import { CAR, openRig, type Reply, type Rig } from "./rig.ts";

await cryptoReady();
const HOUR = 3_600_000;
const UID = "04a1b2c3d4e5f6";
const it = suite<{ rig: Rig; token: string; booking: string }>("grants");
const iso = (ms: number): string => new Date(ms).toISOString();
const post = (rig: Rig, token: string, path: string, body: object = {}): Promise<Reply> =>
  rig.ask({
    method: "POST",
    path: `/v1/tenants/demo${path}`,
    token,
    body,
    headers: { "idempotency-key": randomUUID() },
  });

it.before.each(async (context) => {
  const rig = await openRig();
  context.rig = rig;
  context.token = await rig.issuer.mint();
  const now = Date.now();
  const times = { from: iso(now - 1000), to: iso(now + HOUR) };
  const made = await post(rig, context.token, "/bookings", {
    vehicle: "car-1",
    holder: "p-1",
    ...times,
  });
  context.booking = made.body.booking;
});
it.after.each(async ({ rig }) => rig.close());

/** The newest list that reached the car, opened as it would. */
function listOf(rig: Rig): GrantList | undefined {
  const sealed = rig.car.taken
    .filter(({ channel }) => channel === "artefact")
    .map(({ payload }) => parsePush(payload))
    .flatMap((push) => (push.kind === "grants" ? [push.sealed] : []))
    .at(-1);
  if (sealed === undefined) return undefined;
  return decode(grantListCodec, parseSign1(unsealGrantList(rig.car.seed, sealed)).payload);
}

const phone = signingKey(new Uint8Array(32).fill(7)).publicKey;
const PHONE = { actions: ["unlock", "lock"], phone: Buffer.from(phone).toString("base64url") };
const CARD = {
  actions: ["unlock"],
  card: { uid: UID, proof: "keyed", key: "ab".repeat(16), uidRule: "with_pin", pin: "2580" },
};

it("a key that was used for one grant makes no other, and does not pass one off as another", async ({
  rig,
  token,
  booking,
}) => {
  const key = randomUUID();
  const ask = (body: object) =>
    rig.ask({
      ...{ method: "POST", path: `/v1/tenants/demo/bookings/${booking}/grants`, token, body },
      headers: { "idempotency-key": key },
    });
  const made = await ask(PHONE);
  assert.is(made.status, 201, made.text);
  assert.equal((await ask(PHONE)).body, made.body);
  const other = signingKey(new Uint8Array(32).fill(8)).publicKey;
  for (const asked of [
    { ...PHONE, phone: Buffer.from(other).toString("base64url") },
    { ...PHONE, actions: ["lock"] },
    CARD,
  ])
    assert.is((await ask(asked)).status, 409, JSON.stringify(asked));
  const card = randomUUID();
  const askCard = (change: object) =>
    rig.ask({
      ...{ method: "POST", path: `/v1/tenants/demo/bookings/${booking}/grants`, token },
      body: { ...CARD, card: { ...CARD.card, ...change } },
      headers: { "idempotency-key": card },
    });
  assert.is((await askCard({})).status, 201);
  assert.is((await askCard({})).status, 201);
  assert.is((await askCard({ key: "cd".repeat(16) })).status, 409);
});

it("a grant is pending until the car confirms a list with it, and revoking until one without", async ({
  rig,
  token,
  booking,
}) => {
  await rig.car.announce({ grantsVersion: 0 });
  const made = await post(rig, token, `/bookings/${booking}/grants`, CARD);
  assert.is(made.status, 201, made.text);
  assert.is(made.body.state, "pending");
  await until("the list", () => listOf(rig)?.version === 1);
  const list = listOf(rig);
  assert.ok(list);
  assert.is(list.vehicle, CAR);
  assert.is(list.grants[0]?.booking, booking);
  assert.equal(list.grants[0]?.card?.cardId, cardIdOf(list.cardIdKey, Buffer.from(UID, "hex")));
  assert.not.match(Buffer.from(parseBytes(list)).toString("hex"), UID);
  const state = async (): Promise<string> =>
    (await rig.ask({ path: "/v1/tenants/demo/vehicles/car-1/grants", token })).body.items[0].state;
  await rig.car.announce({ grantsVersion: 1, reason: "change" });
  assert.is(await state(), "active");
  const revoked = await post(rig, token, `/grants/${made.body.grant}/revoke`);
  assert.is(revoked.body.state, "revoking", revoked.text);
  await until("a list without it", () => listOf(rig)?.version === 2);
  assert.is(listOf(rig)?.grants.length, 0);
  await rig.car.announce({ grantsVersion: 2, reason: "change" });
  assert.is(await state(), "revoked");
});

const parseBytes = (list: GrantList): Uint8Array =>
  Buffer.concat(list.grants.flatMap(({ card }) => (card === undefined ? [] : [card.cardId])));

it("a car that was away gets its list when it announces itself, again until it confirms", async ({
  rig,
  token,
  booking,
}) => {
  rig.car.connected = false;
  assert.is((await post(rig, token, `/bookings/${booking}/grants`, PHONE)).status, 201);
  assert.is(listOf(rig), undefined);
  for (const count of [1, 2]) {
    await rig.car.announce({ grantsVersion: 0 });
    const pushes = () => rig.car.taken.filter(({ channel }) => channel === "artefact").length;
    await until(`push ${count}`, () => pushes() === count);
  }
  assert.is(listOf(rig)?.version, 1, "the same list");
});

it("a booking that ends later takes its grants along, and one that is over stays over", async ({
  rig,
  token,
  booking,
}) => {
  await rig.car.announce({ grantsVersion: 0 });
  await post(rig, token, `/bookings/${booking}/grants`, PHONE);
  await until("the list", () => listOf(rig)?.grants.length === 1);
  const path = `/v1/tenants/demo/bookings/${booking}`;
  const change = (to: string) => rig.ask({ method: "PATCH", path, token, body: { to } });
  const later = new Date(Date.now() + 5 * 3_600_000).toISOString();
  const moved = await change(later);
  assert.equal([moved.status, moved.body.to], [200, later], moved.text);
  await until(
    "a list with the later end",
    () => listOf(rig)?.grants[0]?.toMs === Date.parse(later),
  );
  assert.is((await change(later)).body.version, moved.body.version, "the same again is nothing");
  assert.is((await change(new Date(Date.now() - 1000).toISOString())).status, 400);
  assert.is((await change("2026-02-30T00:00:00Z")).status, 400);
  await post(rig, token, `/bookings/${booking}/cancel`);
  assert.is((await change(later)).status, 200, "as it is");
  const more = new Date(Date.now() + 6 * 3_600_000).toISOString();
  assert.is((await change(more)).status, 409, "and not otherwise");
});

it("the end of a booking takes its grants out of the list", async ({ rig, token, booking }) => {
  await rig.car.announce({ grantsVersion: 0 });
  await post(rig, token, `/bookings/${booking}/grants`, PHONE);
  await until("the list", () => listOf(rig)?.grants.length === 1);
  await post(rig, token, `/bookings/${booking}/cancel`);
  await until("a list without it", () => listOf(rig)?.grants.length === 0);
});

it("a car that has a higher version than the store is told anew, above it", async (context) => {
  const { rig, token, booking } = context;
  await rig.car.announce({ grantsVersion: 41 });
  await post(rig, token, `/bookings/${booking}/grants`, PHONE);
  await until("the list", () => listOf(rig)?.version === 42);
});

it("what somebody else wrote into the database lets nobody in", async (context) => {
  const { rig, token, booking } = context;
  const store = await rig.store();
  const made = await post(rig, token, `/bookings/${booking}/grants`, PHONE);
  const real = await store.grant(made.body.grant);
  assert.ok(real);
  const audit = { actor: "thief", action: "forge", subject: "x", outcome: "done" } as const;
  const forged = { ...real, grant: "ee".repeat(16), version: 1 };
  await store.putGrant(forged, audit);
  await rig.car.announce({ grantsVersion: 0 });
  await until("the list", () => listOf(rig) !== undefined);
  assert.equal(
    listOf(rig)?.grants.map(({ id }) => toHex(id)),
    [real.grant],
  );
  const carried = await post(rig, token, `/grants/${forged.grant}/carry`);
  assert.is(carried.status, 409, carried.text);
});

it("a phone carries its grant, made after the newest list of the car, for a day at most", async (context) => {
  const { rig, token, booking } = context;
  await rig.car.announce({ grantsVersion: 3 });
  const made = await post(rig, token, `/bookings/${booking}/grants`, PHONE);
  const { body } = await post(rig, token, `/grants/${made.body.grant}/carry`);
  const envelope = new Uint8Array(Buffer.from(body.carried, "base64url"));
  const carried = openCarriedGrant(verifyKey(rig.grantKey), envelope);
  assert.is(carried.listVersion, 4, "the list that was made for it, and none after it");
  assert.equal(carried.grant.phone?.publicKey, phone);
  assert.throws(() => openGrantList(verifyKey(rig.grantKey), envelope), /does not verify/);
});

const WRONG: readonly { why: string; body: object; status: number }[] = [
  { why: "nobody", body: { actions: ["unlock"] }, status: 400 },
  { why: "both", body: { ...PHONE, ...CARD }, status: 400 },
  { why: "nothing allowed", body: { ...PHONE, actions: [] }, status: 400 },
  { why: "what no grant allows", body: { ...PHONE, actions: ["immobilise"] }, status: 400 },
  {
    why: "a keyed card without a key",
    body: { actions: ["lock"], card: { uid: UID, proof: "keyed", uidRule: "never" } },
    status: 400,
  },
  {
    why: "a PIN that is asked for and not given",
    body: { actions: ["lock"], card: { uid: UID, proof: "uid", uidRule: "with_pin" } },
    status: 400,
  },
];
it("a grant that makes no sense is refused", async ({ rig, token, booking }) => {
  for (const { why, body, status } of WRONG) {
    const reply = await post(rig, token, `/bookings/${booking}/grants`, body);
    assert.is(reply.status, status, `${why}: ${reply.text}`);
  }
  const reader = await rig.issuer.mint({ scope: "bookings:read" });
  const refused = await post(rig, reader, `/bookings/${booking}/grants`, PHONE);
  assert.is(refused.status, 403);
});

it("each announcement's nonce is answered with signed time", async ({ rig }) => {
  await rig.car.announce();
  const told = () => rig.car.taken.find(({ channel }) => channel === "time");
  await until("the time", () => told() !== undefined);
  const answer = openTime(verifyKey(rig.timeKey), told()?.payload ?? new Uint8Array());
  assert.is(answer.tenant, DEMO);
  assert.is(answer.vehicle, CAR);
  assert.equal(answer.epoch, rig.car.epoch);
  const session = await (await rig.store()).session(CAR);
  assert.equal(answer.nonce, session?.session.timeNonce);
  assert.ok(Math.abs(answer.wallMs - Date.now()) < 20_000);
});

it("a command key cannot replace itself, nor can the spare certify one", () => {
  const key = (fill: number) => signingKey(new Uint8Array(32).fill(fill));
  const [authority, spare, command, thief] = [key(1), key(2), key(3), key(4)];
  const certificate = (by: typeof authority, version: number, of = thief) =>
    certifyKey(by, {
      tenant: DEMO,
      purpose: "command",
      version,
      publicKey: of.publicKey,
      notBeforeMs: 0,
      notAfterMs: 1,
    });
  const pinned = {
    tenant: DEMO,
    authorityVersion: 1,
    authorityKey: authority.publicKey,
    spareKey: spare.publicKey,
    keys: {},
  };
  const first = encodeKeyPush({ certificates: [certificate(authority, 2, command)] });
  const { trusted } = applyKeyPush(pinned, first);
  const next = {
    tenant: DEMO,
    version: 2,
    authorityKey: thief.publicKey,
    spareKey: spare.publicKey,
  };
  const rows = [
    { why: "by the command key", push: { certificates: [certificate(command, 3)] } },
    { why: "by the spare", push: { certificates: [certificate(spare, 3)] } },
    { why: "of a lower version", push: { certificates: [certificate(authority, 1)] } },
    { why: "of the same version", push: { certificates: [certificate(authority, 2)] } },
    {
      why: "succession by the authority itself",
      push: { succession: signSuccession(authority, next), certificates: [certificate(thief, 1)] },
    },
    {
      why: "succession by the command key",
      push: { succession: signSuccession(command, next), certificates: [certificate(thief, 1)] },
    },
    {
      why: "succession without a command key",
      push: { succession: signSuccession(spare, next), certificates: [] },
    },
  ];
  for (const { why, push } of rows)
    assert.throws(() => applyKeyPush(trusted, encodeKeyPush(push)), undefined, why);
  const keys = {
    authorityVersion: 1,
    certificates: new Map([
      ["command", { version: 3, envelope: certificate(authority, 3) }],
    ] as const),
  };
  assert.is(keyPushFor({ authority: 1, command: 3 }, keys), undefined, "it has it");
  const push = keyPushFor({ authority: 1, command: 2 }, keys);
  assert.equal(push && applyKeyPush(trusted, push).changed, ["command"]);
});

it.run();
