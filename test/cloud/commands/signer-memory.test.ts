/** Records that the signer once sealed and a car once signed, put back into the store by somebody who can write it. */
import { join } from "node:path";
import { BUCKET_MS_MAX } from "@kerbside/commands";
import {
  type BookingRecord,
  openCommand,
  randomBytes,
  signResult,
  toHex,
  verifyKey,
} from "@kerbside/protocol";
import { openRateFile } from "@kerbside/tenants";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DEMO } from "./car.ts";
import type { Order } from "./recorded.ts";
import { CAR } from "./rig.ts";
import { book, HOUR, order, sign, tamper } from "./signer-books.ts";
import {
  announce,
  audit,
  codeOf,
  type SignerPlace,
  type StartedSigner,
  signerPlace,
  startSigner,
} from "./signer-rig.ts";

type Fixture = {
  place: SignerPlace;
  token: string;
  /** Another signer with the same memory, as after a restart. */
  restarted: () => Promise<StartedSigner>;
} & SignerPlace &
  StartedSigner;
const it = suite<Fixture>("signer's memory");

it.before(async (f) => {
  f.place = await signerPlace();
  f.token = await f.place.tokens.mint();
  const plenty = { perS: 1000, burst: 1000 };
  const stops: (() => Promise<void>)[] = [];
  let starts = 0;
  f.restarted = async () => {
    starts += 1;
    const ledger = openRateFile(join(f.place.dir, "notes.sqlite"), BUCKET_MS_MAX);
    const rates = { vehicle: plenty, tenant: plenty };
    const started = await startSigner(f.place, `s${starts}.sock`, { rates, ledger });
    stops.push(async () => {
      await started.stop();
      ledger.close();
    });
    return started;
  };
  const first = await f.restarted();
  Object.assign(f, f.place, first, {
    stop: async () => {
      for (const stop of stops) await stop();
    },
  });
  await announce(f);
});
it.after(async (f) => {
  await f.stop();
  await f.place.close();
});

const asks = (f: Fixture, asked: Order, by: Pick<StartedSigner, "client"> = f) =>
  sign(f, f.token, asked, by.client);
function putBack(f: Fixture, { booking, state, version, toMs, mac }: BookingRecord): void {
  const sql = "UPDATE bookings SET state = ?, version = ?, to_ms = ?, mac = ? WHERE booking = ?";
  tamper(f, sql, state, version, toMs, mac, booking);
}

it("a cancelled booking put back opens nothing, nor gives a grant, though the signer began anew", async (f) => {
  const first = await book(f);
  const { mac: _, ...fields } = first;
  const cancelled = { ...fields, state: "cancelled" as const, version: 2 };
  const mac = await f.client.sealBooking(f.token, cancelled);
  await f.store.putBooking({ ...cancelled, mac }, audit);
  putBack(f, first);
  const later = await f.restarted();
  assert.is(await codeOf(asks(f, order(first.booking), later)), "unauthenticated");
  const grant = { id: randomBytes(16), booking: first.booking, revoke: false } as const;
  const asked = { ...grant, actions: ["unlock"] as const, phone: randomBytes(32) };
  assert.is(await codeOf(later.client.sealGrant(f.token, asked)), "unauthenticated");
  const again = later.client.sealBooking(f.token, cancelled);
  assert.is(
    await codeOf(again),
    "ok",
    "an end that was sealed and not recorded can be asked again",
  );
});

it("an older version put back is noticed by a signer that began anew", async (f) => {
  const first = await book(f);
  const { mac: _, ...fields } = first;
  const shorter = { ...fields, toMs: first.toMs - HOUR / 2, version: 2 };
  const mac = await f.client.sealBooking(f.token, shorter);
  await f.store.putBooking({ ...shorter, mac }, audit);
  assert.is(await codeOf(asks(f, order(first.booking))), "ok");
  putBack(f, first);
  assert.is(await codeOf(asks(f, order(first.booking), await f.restarted())), "unauthenticated");
});

it("a revoked grant put back is in no list and is not carried", async (f) => {
  const { booking } = await book(f);
  const id = randomBytes(16);
  const asked = {
    id,
    booking,
    revoke: false,
    actions: ["unlock"],
    phone: randomBytes(32),
  } as const;
  const made = await f.client.sealGrant(f.token, asked);
  await f.store.putGrant(made, audit);
  const listed = async (by: Pick<StartedSigner, "client">): Promise<readonly string[]> =>
    ((await by.client.grantList(DEMO, CAR))?.grants ?? []).map(String);
  assert.ok((await listed(f)).includes(toHex(id)));
  const revoked = await f.client.sealGrant(f.token, { id, booking, revoke: true, actions: [] });
  await f.store.putGrant(revoked, audit);
  const back = "UPDATE grants SET state = ?, version = ?, mac = ? WHERE id = ?";
  tamper(f, back, made.state, made.version, made.mac, made.grant);
  const later = await f.restarted();
  assert.not.ok((await listed(later)).includes(toHex(id)));
  assert.is(await codeOf(later.client.carryGrant(f.token, id)), "forbidden");
});

it("the result of one command moves no booking but that which it was signed for", async (f) => {
  const mine = await book(f);
  const theirs = await book(f);
  const asked = order(mine.booking);
  const { requestHash } = await asks(f, asked);
  const result = signResult(f.car, {
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
  });
  const retell = "UPDATE commands SET action = ?, booking = ? WHERE id = ?";
  for (const [action, booking] of [
    ["unlock", theirs.booking],
    ["end_rental", theirs.booking],
    ["end_rental", mine.booking],
  ]) {
    tamper(f, retell, action, booking, toHex(asked.id));
    assert.is(await codeOf(f.client.movedBooking(DEMO, result)), "unauthenticated");
  }
  tamper(f, retell, "unlock", mine.booking, toHex(asked.id));
  assert.is((await f.client.movedBooking(DEMO, result))?.booking, mine.booking);
});

it("a command lives from now on, whatever the store says of when the car announced itself", async (f) => {
  const { booking } = await book(f);
  const numbered = { epoch: randomBytes(16), epochNumber: 7, sessionMs: 5000 };
  const life = async (by: Pick<StartedSigner, "client"> = f): Promise<number> => {
    const { envelope } = await asks(f, order(booking), by);
    return openCommand(verifyKey(f.commandKey), envelope).expiresAtMs - numbered.sessionMs;
  };
  const arrived = (ms: number): void =>
    tamper(f, "UPDATE sessions SET received_at_ms = ? WHERE vehicle = ?", ms, CAR);
  await announce(f, numbered);
  const session = await f.store.session(CAR);
  if (session === undefined) throw new Error("the session is missing");
  await f.client.answerTime(DEMO, session.envelope);
  const fair = await life();
  assert.ok(fair < 12_000, `${fair}`);
  arrived(Date.now() - 6 * HOUR);
  assert.ok((await life()) < 20_000, "as it was heard, not as the store says");
  assert.ok((await life(await f.restarted())) < 30_000, "and after a restart");

  await announce(f, { ...numbered, announcement: 2 });
  arrived(Date.now() - 6 * HOUR);
  assert.ok((await life()) < 60_000 + 20_000, "one that was never shown: a minute at most");

  await announce(f, numbered);
  assert.is(await codeOf(asks(f, order(booking))), "unauthenticated", "an older one put back");
  await announce(f, { ...numbered, epoch: randomBytes(16), epochNumber: 6 });
  assert.is(await codeOf(asks(f, order(booking))), "unauthenticated", "one of an epoch before");
  await announce(f, { ...numbered, epoch: randomBytes(16), epochNumber: 8 });
  assert.is(await codeOf(asks(f, order(booking))), "ok");
});

it.run();
