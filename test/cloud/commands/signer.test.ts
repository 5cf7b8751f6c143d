import { type BookingFields, expiryOnSessionClock } from "@kerbside/commands";
import {
  type ErrorCode,
  openCommand,
  randomBytes,
  type SessionAnnouncement,
  type SigningKey,
  signingKey,
  signResult,
  toHex,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DEMO } from "./car.ts";
import { type Order, record } from "./recorded.ts";
import { CAR, OTHER } from "./rig.ts";
import { book, order, sign as signBy, tamper } from "./signer-books.ts";
import {
  announce,
  audit,
  codeOf,
  type SignerPlace,
  type StartedSigner,
  signerPlace,
  startSigner,
} from "./signer-rig.ts";
import { issuer } from "./tokens.ts";

type Fixture = { place: SignerPlace; token: string } & SignerPlace & StartedSigner;
const it = suite<Fixture>("signer");

const sign = (f: Fixture, token: string, asked: Order) => signBy(f, token, asked, f.client);

it.before(async (f) => {
  const plenty = { perS: 1000, burst: 1000 };
  f.place = await signerPlace();
  await announce(f.place);
  f.token = await f.place.tokens.mint();
  const rates = { vehicle: plenty, tenant: plenty };
  Object.assign(f, f.place, await startSigner(f.place, "signer.sock", { rates }));
});
it.after(async (f) => {
  await f.stop();
  await f.place.close();
});

it("signs what a live token, a sealed booking and the car's own announcement allow", async (f) => {
  const session = await announce(f, { sessionMs: 77_000 });
  const before = (await f.store.session(CAR))?.receivedAtMs ?? 0;
  const { booking } = await book(f);
  const asked = order(booking);
  const signed = await sign(f, f.token, asked);
  const command = openCommand(verifyKey(f.commandKey), signed.envelope);
  assert.equal(
    [toHex(command.id), command.tenant, command.vehicle, command.booking, command.domain],
    [toHex(asked.id), DEMO, CAR, booking, "body"],
  );
  assert.equal(command.epoch, session.epoch);
  const latest = expiryOnSessionClock(
    { sessionMs: 77_000, receivedAtMs: before },
    Date.now(),
    10_000,
  );
  assert.ok(command.expiresAtMs > 86_000 && command.expiresAtMs <= latest);
});

it("checks the caller's token itself", async (f) => {
  const { booking } = await book(f);
  const bad = [
    await f.tokens.mint({ lifeS: -1 }),
    await f.tokens.mint({ audience: "elsewhere" }),
    await (await issuer()).mint(),
    `${f.token}x`,
    "",
  ];
  for (const token of bad) {
    assert.is(await codeOf(sign(f, token, order(booking))), "unauthenticated");
    const { mac: _, ...fields } = await book(f);
    assert.is(await codeOf(f.client.sealBooking(token, fields)), "unauthenticated");
  }
});

it("a token of another tenant reaches neither this tenant's bookings nor its keys", async (f) => {
  const { booking } = await book(f);
  const stranger = await f.tokens.mint({ tenant: "other" });
  assert.is(await codeOf(sign(f, stranger, order(booking))), "not_found");
  const nobody = await f.tokens.mint({ tenant: "nobody" });
  assert.is(await codeOf(sign(f, nobody, order(booking))), "not_found");
});

it("checks scopes, action and the need of a booking itself", async (f) => {
  const { booking } = await book(f);
  const reader = await f.tokens.mint({ scope: "commands:read bookings:read" });
  assert.is(await codeOf(sign(f, reader, order(booking))), "forbidden");
  assert.is(await codeOf(sign(f, f.token, order())), "forbidden");
  assert.is(await codeOf(sign(f, f.token, order(booking, "immobilise"))), "forbidden");
  const staff = await f.tokens.mint({ scope: "commands:operate" });
  assert.is(await codeOf(sign(f, staff, order())), "ok");
  const { mac: _, ...fields } = await book(f);
  const next = { ...fields, state: "cancelled" as const, version: 2 };
  assert.is(await codeOf(f.client.sealBooking(staff, next)), "forbidden");
});

/** What somebody with the database alone may try. */
const TAMPERINGS: readonly { readonly why: string; readonly sql: string }[] = [
  { why: "its end moved", sql: "UPDATE bookings SET to_ms = to_ms + 1 WHERE booking = ?" },
  { why: "its begin moved", sql: "UPDATE bookings SET from_ms = from_ms - 1 WHERE booking = ?" },
  { why: "its state set", sql: "UPDATE bookings SET state = 'open' WHERE booking = ?" },
  { why: "its version set", sql: "UPDATE bookings SET version = 9 WHERE booking = ?" },
  { why: "its MAC zeroed", sql: "UPDATE bookings SET mac = zeroblob(32) WHERE booking = ?" },
];
for (const { why, sql } of TAMPERINGS) {
  it(`a booking in the database with ${why} opens nothing`, async (f) => {
    const { booking } = await book(f);
    assert.is(await codeOf(sign(f, f.token, order(booking))), "ok");
    tamper(f, sql, booking);
    assert.is(await codeOf(sign(f, f.token, order(booking))), "unauthenticated");
  });
}

it("a booking of another car, or an older version put back, opens nothing", async (f) => {
  const { mac, ...first } = await book(f);
  const ended = { ...first, state: "ended" as const, toMs: Date.now(), version: 2 };
  const sealed = await f.client.sealBooking(f.token, ended);
  await f.store.putBooking({ ...ended, mac: sealed }, audit);
  assert.is(await codeOf(sign(f, f.token, order(first.booking))), "forbidden");
  assert.is(await codeOf(sign(f, f.token, order(first.booking, "lock"))), "ok");
  const back = `UPDATE bookings SET state = 'reserved', version = 1, to_ms = ${first.toMs}, mac = x'${toHex(mac)}' WHERE booking = ?`;
  tamper(f, back, first.booking);
  assert.is(await codeOf(sign(f, f.token, order(first.booking))), "unauthenticated");
});

it("seals only what follows from the version before", async (f) => {
  const { mac: _, ...fields } = await book(f);
  const move = (more: Partial<BookingFields>): Promise<ErrorCode | "ok"> =>
    codeOf(f.client.sealBooking(f.token, { ...fields, version: 2, ...more }));
  assert.is(await move({ state: "open" }), "conflict");
  assert.is(await move({ state: "cancelled", holder: "person-2" }), "conflict");
  assert.is(await move({ state: "cancelled", version: 3 }), "conflict");
  assert.is(await move({ state: "cancelled" }), "ok");
  const other = { ...fields, booking: "b-other", vehicle: vehicleId("car-9"), version: 1 };
  assert.is(await codeOf(f.client.sealBooking(f.token, other)), "not_found");
});

it("believes the car's announcement only under the car's enrolled key", async (f) => {
  const { booking } = await book(f);
  const forgeries: readonly [SigningKey, Partial<SessionAnnouncement>][] = [
    [signingKey(randomBytes(32)), {}],
    [f.car, { tenant: OTHER }],
    [f.car, { vehicle: vehicleId("car-2") }],
  ];
  for (const [key, more] of forgeries) {
    await announce({ ...f, car: key }, more);
    assert.is(await codeOf(sign(f, f.token, order(booking))), "unauthenticated");
  }
  await announce(f);
  assert.is(await codeOf(sign(f, f.token, order(booking))), "ok");
});

it("opens a booking on the car's signed word alone, and only for an executed unlocking", async (f) => {
  const record = await book(f);
  const asked = order(record.booking);
  const signed = await sign(f, f.token, asked);
  const { requestHash } = signed;
  const word = (more: object = {}, key = f.car): Uint8Array =>
    signResult(key, {
      tenant: DEMO,
      vehicle: CAR,
      id: asked.id,
      requestHash,
      status: "executed",
      replayed: false,
      unmet: [],
      durable: true,
      mayHaveSucceeded: false,
      sessionMs: 1,
      ...more,
    });
  const open = (result: Uint8Array) => codeOf(f.client.movedBooking(DEMO, result));
  assert.is(await open(word({}, signingKey(randomBytes(32)))), "unauthenticated");
  assert.is(await open(word({ status: "refused" })), "forbidden");
  assert.is(await open(word({ requestHash: randomBytes(32) })), "forbidden");
  assert.is(await open(word({ id: randomBytes(16) })), "not_found");
  assert.is(await open(randomBytes(50)), "malformed");
  const opened = await f.client.movedBooking(DEMO, word());
  assert.equal([opened?.state, opened?.version], ["open", 2]);
  if (opened !== undefined) await f.store.putBooking(opened, audit);
  assert.is(await f.client.movedBooking(DEMO, word()), undefined, "it is open already");
});

it("a revoked car gets nothing signed", async (f) => {
  const { booking } = await book(f);
  const record = await f.store.vehicle(CAR);
  if (record === undefined) throw new Error("the car is missing");
  await f.store.putVehicle({ ...record, revokedAtMs: Date.now() }, audit);
  assert.is(await codeOf(sign(f, f.token, order(booking))), "not_found");
  await f.store.putVehicle(record, audit);
});

it("signs only what is recorded as asked, just that, and twice at most", async (f) => {
  const { booking } = await book(f);
  const ask = (asked: Order) => codeOf(f.client.signCommand(f.token, asked));
  const asked = order(booking);
  assert.is(await ask(asked), "not_found", "nobody recorded it");
  await record(f.store, asked);
  assert.is(await ask({ ...asked, action: "lock" }), "conflict", "another action");
  const other = await book(f);
  assert.is(await ask({ ...asked, booking: other.booking }), "conflict", "another booking");
  assert.is(await ask(asked), "ok");
  const counters = (await f.store.command(toHex(asked.id)))?.steps.map(({ state }) => state);
  assert.equal(counters, ["signed"], "recorded with the signature");
  assert.is(await ask(asked), "ok", "anew, for a newer session");
  assert.is(await ask(asked), "conflict", "and no more");
  const cancelled = order(booking);
  await record(f.store, cancelled);
  const step = { change: { state: "cancelled" }, atMs: Date.now(), audit } as const;
  await f.store.stepCommand(toHex(cancelled.id), [step]);
  assert.is(await ask(cancelled), "conflict", "taken back before it was signed");
  const late = order(booking);
  const asking = ask(late);
  await record(f.store, late);
  assert.is(await asking, "ok", "recorded while the token was checked");
});

it("P-51 writes the audit before it hands out a signature", async (f) => {
  const { booking } = await book(f);
  const asked = order(booking);
  await sign(f, f.token, asked);
  const trail = await f.store.auditTrail(0, 1000);
  const mine = trail.filter((entry) => entry.subject === `command:${toHex(asked.id)}`);
  assert.equal(
    mine.map(({ actor, action, outcome }) => [actor, action, outcome]),
    [["backend", "signer.sign_command", "done"]],
  );
});

it.run();
