/**
 * Who has the wire, the broker or the database, against the cloud's side of a command. Each row says what is tried;
 * none may move a command to a state that the car did not sign.
 */
import { randomUUID } from "node:crypto";
import {
  type CommandResult,
  openCommand,
  openResult,
  randomBytes,
  signingKey,
  signResult,
  signSession,
  tenantId,
  type VehicleRecord,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DEMO } from "./car.ts";
import { CAR, openRig, type Reply, type Rig } from "./rig.ts";

const it = suite<{ rig: Rig; staff: string }>("attacks");
const audit = { actor: "test", action: "test", subject: "test", outcome: "done" } as const;

it.before.each(async (context) => {
  context.rig = await openRig();
  context.staff = await context.rig.issuer.mint({ scope: "commands:operate commands:read" });
  await context.rig.car.announce();
});
it.after.each(async ({ rig }) => rig.close());

const ask = (rig: Rig, token: string, wait = 0): Promise<Reply> =>
  rig.ask({
    path: `/v1/tenants/demo/vehicles/car-1/commands?wait=${wait}`,
    token,
    body: { action: "lock" },
    headers: { "idempotency-key": randomUUID() },
  });

/** A command that is with the car, which says nothing. */
async function sent(rig: Rig, staff: string): Promise<{ id: string; envelope: Uint8Array }> {
  rig.car.answer = async () => undefined;
  const before = rig.car.envelopes.length;
  const { body } = await ask(rig, staff);
  const envelope = rig.car.envelopes[before];
  assert.ok(envelope, JSON.stringify(body));
  return { id: body.id, envelope };
}

async function stateOf(rig: Rig, id: string): Promise<string | undefined> {
  return (await (await rig.store()).command(id))?.state;
}

const flipped = (bytes: Uint8Array, bit: number): Uint8Array => {
  const changed = bytes.slice();
  changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return changed;
};

it("a command with any bit flipped is no command", async ({ rig, staff }) => {
  const { envelope } = await sent(rig, staff);
  const key = verifyKey(rig.commandKey);
  for (let bit = 0; bit < envelope.length * 8; bit += 1)
    assert.throws(() => openCommand(key, flipped(envelope, bit)), undefined, `bit ${bit}`);
});

it("a result with any bit flipped changes nothing, and the true one still counts", async (f) => {
  const { rig, staff } = f;
  const { id, envelope } = await sent(rig, staff);
  const result = signResult(rig.car.key, rig.car.result(envelope));
  const key = verifyKey(rig.car.key.publicKey);
  for (let bit = 0; bit < result.length * 8; bit += 1)
    assert.throws(() => openResult(key, flipped(result, bit)), undefined, `bit ${bit}`);
  // Through the whole way to the store one bit of each third byte: each is a durable row of the quarantine.
  for (let byte = 0; byte < result.length; byte += 3)
    await rig.car.says("result", flipped(result, byte * 8 + (byte % 8)));
  assert.is(await stateOf(rig, id), "sent");
  await rig.car.says("result", result);
  assert.is(await stateOf(rig, id), "executed");
});

type Forged = {
  readonly why: string;
  readonly result?: (mine: CommandResult, other: CommandResult) => CommandResult;
  readonly key?: "thief";
};
const FORGED: readonly Forged[] = [
  { why: "signed by another key", key: "thief" },
  { why: "of another tenant", result: (mine) => ({ ...mine, tenant: tenantId("other") }) },
  { why: "of another car", result: (mine) => ({ ...mine, vehicle: vehicleId("car-2") }) },
  {
    why: "the answer to an earlier command under this one's id",
    result: (mine, other) => ({ ...other, id: mine.id }),
  },
  {
    why: "this command's hash under the earlier one's id",
    result: (mine, other) => ({ ...mine, id: other.id }),
  },
  {
    why: "to a request that there never was",
    result: (mine) => ({ ...mine, id: randomBytes(16) }),
  },
  {
    why: "bound to another envelope",
    result: (mine) => ({ ...mine, requestHash: randomBytes(32) }),
  },
];
it("a result that is not the car's answer to this request changes nothing", async (f) => {
  const { rig, staff } = f;
  const earlier = await sent(rig, staff);
  const other = rig.car.result(earlier.envelope);
  await rig.car.says("result", signResult(rig.car.key, other));
  assert.is(await stateOf(rig, earlier.id), "executed");
  const { id, envelope } = await sent(rig, staff);
  for (const { why, result, key } of FORGED) {
    const mine = rig.car.result(envelope);
    const by = key === "thief" ? signingKey(randomBytes(32)) : rig.car.key;
    await rig.car.says("result", signResult(by, result?.(mine, other) ?? mine));
    assert.is(await stateOf(rig, id), "sent", why);
  }
  await rig.car.says("result", signResult(rig.car.key, other));
  assert.is(await stateOf(rig, id), "sent", "replayed");
});

it("results in another order end a command once", async ({ rig, staff }) => {
  const { id, envelope } = await sent(rig, staff);
  const of = (status: CommandResult["status"]): Uint8Array =>
    signResult(rig.car.key, rig.car.result(envelope, { status }));
  for (const status of ["executed", "received", "refused", "armed", "expired"] as const)
    await rig.car.says("result", of(status));
  assert.is(await stateOf(rig, id), "executed");
});

it("a car that is revoked in mid-session is neither asked nor believed", async ({ rig, staff }) => {
  const { id, envelope } = await sent(rig, staff);
  const store = await rig.store();
  const record = await store.vehicle(CAR);
  assert.ok(record);
  const revoked: VehicleRecord = { ...record, revokedAtMs: Date.now() };
  await store.putVehicle(revoked, audit);
  await rig.car.says("result", signResult(rig.car.key, rig.car.result(envelope)));
  assert.is(await stateOf(rig, id), "sent");
  await rig.car.announce();
  const session = await store.session(CAR);
  assert.is(session?.session.announcement, 1, "its announcement is put aside");
  assert.is((await ask(rig, staff)).status, 404);
});

it("two agents with one identity: commands are bound to one of their epochs alone", async (f) => {
  const { rig, staff } = f;
  const twin = { epoch: randomBytes(16), announcement: 1 };
  await rig.car.says("session", signSession(rig.car.key, { ...rig.car.session(), ...twin }));
  const { envelope } = await sent(rig, staff);
  const command = openCommand(verifyKey(rig.commandKey), envelope);
  assert.equal(command.epoch, twin.epoch, "the newest: the other one answers stale_session");
});

it("counters rise although nothing is answered", async (f) => {
  const { rig, staff } = f;
  const counters: number[] = [];
  for (let i = 0; i < 4; i += 1) {
    const { envelope } = await sent(rig, staff);
    counters.push(openCommand(verifyKey(rig.commandKey), envelope).counter);
  }
  const rising = counters.every((counter, i) => i === 0 || counter > (counters[i - 1] ?? 0));
  assert.ok(rising, counters.join(" "));
});

it("a forged row of a session is not signed for", async ({ rig, staff }) => {
  const store = await rig.store();
  const thief = signingKey(randomBytes(32));
  const session = { ...rig.car.session(), tenant: DEMO, epoch: randomBytes(16) };
  const envelope = signSession(thief, session);
  const row = { vehicle: CAR, session, envelope, receivedAtMs: Date.now(), online: true };
  await store.putSession(row);
  const reply = await ask(rig, staff);
  assert.is(reply.body.state ?? reply.body.code, "unauthenticated", reply.text);
  assert.is(rig.car.envelopes.length, 0);
});

it.run();
