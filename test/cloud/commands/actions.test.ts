/** Every action of the table, asked by those who may and by those who may not; waiting, waking, taking back. */
import { randomUUID } from "node:crypto";
import { ACT_TABLE } from "@kerbside/commands";
import { ACTION_DOMAIN, ACTIONS, type Action, encodeGone, signResult } from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DEADLINE_MS, openRig, type Reply, type Rig } from "./rig.ts";

const HOUR = 3_600_000;
const it = suite<{ rig: Rig; backend: string; staff: string; booking: string }>("actions");
const iso = (ms: number): string => new Date(ms).toISOString();

async function ask(rig: Rig, token: string, body: object, wait = 10_000): Promise<Reply> {
  for (;;) {
    const reply = await rig.ask({
      path: `/v1/tenants/demo/vehicles/car-1/commands?wait=${wait}`,
      token,
      body,
      headers: { "idempotency-key": randomUUID() },
    });
    // A car's bucket holds ten commands and gets one a second.
    if (reply.body.error?.code !== "limit_reached" && reply.status !== 429) return reply;
  }
}

it.before.each(async (context) => {
  const rig = await openRig();
  context.rig = rig;
  context.backend = await rig.issuer.mint();
  context.staff = await rig.issuer.mint({ scope: "commands:operate commands:read" });
  await rig.car.announce();
  const now = Date.now();
  const made = await rig.ask({
    path: "/v1/tenants/demo/bookings",
    token: context.backend,
    body: { vehicle: "car-1", holder: "p-1", from: iso(now - 1000), to: iso(now + HOUR) },
    headers: { "idempotency-key": randomUUID() },
  });
  context.booking = made.body.booking;
});
it.after.each(async ({ rig }) => rig.close());

async function armed(rig: Rig, token: string, body: object): Promise<string> {
  rig.car.conduct = ["received", "armed"];
  const { body: answer } = await ask(rig, token, body, 0);
  const read = (): Promise<Reply> =>
    rig.ask({ path: `/v1/tenants/demo/commands/${answer.id}?wait=100`, token });
  while ((await read()).body.state !== "armed");
  rig.car.conduct = ["received", "executed"];
  return answer.id;
}

it("each action reaches the car in its own domain, for those who may ask", async (context) => {
  const { rig, backend, staff, booking } = context;
  const target = await armed(rig, staff, { action: "immobilise", booking, armMs: 60_000 });
  let sent = 1;
  for (const action of ACTIONS) {
    for (const [who, token] of [
      ["backend", backend],
      ["staff", staff],
    ] as const) {
      const may = ACT_TABLE[action][who] !== "never";
      const extra = action === "cancel" ? { target } : {};
      const mine = who === "backend" && action === "cancel" ? { booking } : { booking };
      const reply = await ask(rig, token, { action, ...mine, ...extra });
      assert.is(reply.status, may ? 200 : 403, `${action} by ${who}: ${reply.text}`);
      if (!may) continue;
      sent += 1;
      const command = rig.car.received.at(-1);
      assert.is(command?.action, action);
      assert.is(command?.domain, ACTION_DOMAIN[action]);
      assert.is(rig.car.received.length, sent);
    }
  }
});

const WRONG: readonly { why: string; body: (booking: string) => object; status: number }[] = [
  { why: "waiting with an unlock", body: () => ({ action: "unlock", armMs: 1000 }), status: 400 },
  { why: "cancel of nothing", body: () => ({ action: "cancel" }), status: 400 },
  {
    why: "a target with a lock",
    body: () => ({ action: "lock", target: "00".repeat(16) }),
    status: 400,
  },
  {
    why: "cancel of what there is not",
    body: () => ({ action: "cancel", target: "00".repeat(16) }),
    status: 404,
  },
  {
    why: "waiting longer than a car does",
    body: () => ({ action: "immobilise", armMs: 13 * HOUR }),
    status: 400,
  },
  { why: "end of no rental", body: () => ({ action: "end_rental" }), status: 403 },
  { why: "terminate of no rental", body: () => ({ action: "terminate" }), status: 403 },
];
it("what does not fit the action is refused before anything is sent", async (context) => {
  const { rig, staff, booking } = context;
  for (const { why, body, status } of WRONG) {
    const reply = await ask(rig, staff, body(booking));
    assert.is(reply.status, status, `${why}: ${reply.text}`);
  }
  assert.is(rig.car.received.length, 0);
});

it("armed is visible, and is taken back by a command that names it", async ({ rig, staff }) => {
  const id = await armed(rig, staff, { action: "immobilise", armMs: 60_000 });
  const early = await rig.ask({
    method: "POST",
    path: `/v1/tenants/demo/commands/${id}/cancel`,
    token: staff,
  });
  assert.is(early.status, 409, "the car has it: only the car can take it back");
  assert.is(rig.car.received[0]?.waitMs, 60_000);
  const reply = await ask(rig, staff, { action: "cancel", target: id });
  assert.is(reply.body.state, "executed");
  assert.equal(Buffer.from(rig.car.received[1]?.target ?? []).toString("hex"), id);
});

it("a car that is not heard of after it was armed leaves `unknown`, no earlier than it may wait", async (context) => {
  const { rig, staff } = context;
  const armMs = 1000;
  const askedMs = Date.now();
  const id = await armed(rig, staff, { action: "immobilise", armMs });
  // Another process has nothing but the store, and does not know how long was asked for by heart.
  await rig.restartNode();
  const read = (): Promise<Reply> =>
    rig.ask({ path: `/v1/tenants/demo/commands/${id}?wait=1000`, token: staff });
  let last = await read();
  while (last.body.state === "armed") last = await read();
  assert.is(last.body.state, "unknown", last.text);
  assert.ok(Date.now() - askedMs >= armMs + DEADLINE_MS);
  const [envelope] = rig.car.envelopes;
  assert.ok(envelope !== undefined);
  const late = rig.car.result(envelope, { status: "expired", reason: "arm_expired" });
  await rig.car.says("result", signResult(rig.car.key, late));
  assert.is((await read()).body.state, "expired", "the car's own word, however late");
});

it("terminate may wait until the car stands", async ({ rig, staff, booking }) => {
  await armed(rig, staff, { action: "terminate", booking, armMs: 60_000 });
  assert.is(rig.car.received[0]?.waitMs, 60_000);
});

it("a car that sleeps is woken, and only where the caller gave time for it", async (context) => {
  const { rig, staff } = context;
  const { car } = rig;
  car.connected = false;
  await car.says("gone", encodeGone(car.epoch, true));
  const { body: refused } = await ask(rig, staff, { action: "lock" });
  assert.is(refused.code, "vehicle_offline");
  car.wake = async () => {
    car.beginEpoch();
    setTimeout(() => void car.announce({ reason: "resume" }), 50);
  };
  const woken = await ask(rig, staff, { action: "lock", wakeMs: 5000 });
  assert.is(woken.body.state, "executed", woken.text);
  const steps = woken.body.steps.map(({ state }: { state: string }) => state);
  assert.equal(steps, ["accepted", "waking", "signed", "sent", "received", "executed"]);
});

it("a car that is just away is not waited for", async ({ rig, staff }) => {
  rig.car.connected = false;
  await rig.car.says("gone", encodeGone(rig.car.epoch, false));
  const reply = await ask(rig, staff, { action: "lock", wakeMs: 5000 });
  assert.is(reply.body.code, "vehicle_offline");
});

it("a command is taken back while the car wakes, and is never sent", async ({ rig, staff }) => {
  const { car } = rig;
  car.connected = false;
  await car.says("gone", encodeGone(car.epoch, true));
  let id = "";
  car.wake = async () => {
    const listed = await rig.ask({
      path: "/v1/tenants/demo/vehicles/car-1/commands",
      token: staff,
    });
    id = listed.body.items[0].id;
    const path = `/v1/tenants/demo/commands/${id}/cancel`;
    const taken = await rig.ask({ method: "POST", path, token: staff });
    assert.is(taken.body.state, "cancelled", taken.text);
    car.beginEpoch();
    await car.announce({ reason: "resume" });
  };
  const reply = await ask(rig, staff, { action: "lock", wakeMs: 5000 });
  assert.is(reply.body.state, "cancelled", reply.text);
  assert.is(car.received.length, 0);
});

it("an old epoch's announcement, replayed, changes nothing", async ({ rig }) => {
  const { car } = rig;
  await car.announce({ epochNumber: 1 });
  const old = car.sent.at(-1);
  car.beginEpoch();
  await car.announce({ epochNumber: 2 });
  assert.ok(old);
  await car.says("session", old.payload);
  const session = await (await rig.store()).session(car.vehicle);
  assert.equal(session?.session.epoch, car.epoch);
});

it("every action has a row", () => {
  assert.equal(Object.keys(ACT_TABLE).sort(), [...ACTIONS].sort() satisfies Action[]);
});

it.run();
