/** What a command changes on its way and at its end: its own steps, and the booking it was for. */
import { randomUUID } from "node:crypto";
import { ProtocolError, toHex } from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../../support/wait.ts";
import { book, command } from "./asking.ts";
import { openRig, type Rig } from "./rig.ts";

const it = suite<{ rig: Rig; token: string; booking: string }>("steps");
it.before(async (context) => {
  context.rig = await openRig();
  context.token = await context.rig.issuer.mint();
  await context.rig.car.announce();
  context.booking = await book(context.rig, context.token);
});
it.before.each(({ rig: { car } }) => {
  car.conduct = ["received", "executed"];
  car.received.length = 0;
});
it.after(({ rig }) => rig.close());

it("the end of the rental on the car ends the booking, and a refused one does not", async ({
  rig,
  token,
}) => {
  const booking = await book(rig, token);
  await command(rig, token, { action: "unlock", booking });
  const path = `/v1/tenants/demo/bookings/${booking}`;
  const seen = async () => (await rig.ask({ path, token })).body;
  const before = await seen();
  assert.is(before.state, "open");
  rig.car.conduct = ["received", "refused"];
  rig.car.unmet = [{ condition: "doors_closed", words: "a door is open" }];
  const refused = await command(rig, token, { action: "end_rental", booking });
  assert.is(refused.body.state, "refused", refused.text);
  assert.is((await seen()).state, "open");
  rig.car.conduct = ["received", "executed"];
  const ended = await command(rig, token, { action: "end_rental", booking });
  assert.is(ended.body.state, "executed", ended.text);
  const after = await seen();
  assert.is(after.state, "ended");
  assert.ok(Date.parse(after.to) < Date.parse(before.to), "it ended when the car said so");
  const trail = await (await rig.store()).auditTrail(0, 1000);
  const said = trail.filter(
    ({ subject, actor }) => subject === `booking:${booking}` && actor === "vehicle:car-1",
  );
  assert.equal(
    said.slice(-2).map(({ actor, action }) => [actor, action]),
    [
      ["vehicle:car-1", "signer.end_booking"],
      ["vehicle:car-1", "booking.end"],
    ],
  );
});

it("steps on the way are recorded before anybody sees them, and at the latest a moment later", async ({
  rig,
  token,
  booking,
}) => {
  const store = await rig.store();
  rig.car.conduct = ["received"];
  const key = randomUUID();
  const asking = command(rig, token, { action: "lock", booking }, { key });
  await until("the car to have it", async () => rig.car.received.length === 1);
  const id = toHex(rig.car.received[0]?.id ?? new Uint8Array());
  const shown = await rig.ask({ path: `/v1/tenants/demo/commands/${id}`, token });
  const stored = await store.command(id);
  assert.is(stored?.state, shown.body.state, "what is shown is on the disk");
  await until("both steps", async () => (await store.command(id))?.state === "received");
  assert.equal(
    (await store.command(id))?.steps.map(({ state }) => state),
    ["accepted", "signed", "sent", "received"],
  );
  assert.is((await asking).body.state, "unknown", "it never answered");
});

it("P-51 whoever does not wait is answered when the head of the trail is kept outside", async ({
  rig,
  token,
  booking,
}) => {
  const store = await rig.store();
  // Nothing follows that would be anchored.
  rig.car.conduct = [];
  for (const action of ["lock", "unlock"]) {
    const asked = await command(rig, token, { action, booking }, { wait: 0 });
    assert.equal([asked.status, asked.body.state], [202, "sent"], asked.text);
    assert.is(store.verifyAudit().unanchored, 0, action);
  }
});

it("what was sent is never told as not done, though the store failed, and the car's word counts", async ({
  rig,
  token,
}) => {
  const booking = await book(rig, token);
  const store = await rig.store();
  const { stepCommand } = store;
  let failures = 1;
  Object.assign(store, {
    stepCommand: async (...step: Parameters<typeof stepCommand>) => {
      if (failures > 0 && step[1].some(({ change }) => change.state === "sent")) {
        failures -= 1;
        throw new ProtocolError("storage_failed", "store: the disk is full");
      }
      return stepCommand(...step);
    },
  });
  try {
    rig.car.conduct = [];
    const asked = await command(rig, token, { action: "unlock", booking }, { wait: 0 });
    assert.is(failures, 0, "it failed");
    assert.is(rig.car.received.length, 1, "it was sent");
    assert.is(asked.body.state, "unknown", asked.text);
    assert.is(asked.body.error?.mayHaveSucceeded, true);
    rig.car.conduct = ["executed"];
    await rig.car.answer(rig.car.envelopes.at(-1) ?? new Uint8Array());
    const path = `/v1/tenants/demo/commands/${asked.body.id}`;
    await until("the car's word", async () => {
      return (await rig.ask({ path, token })).body.state === "executed";
    });
    assert.is(
      (await rig.ask({ path: `/v1/tenants/demo/bookings/${booking}`, token })).body.state,
      "open",
    );
  } finally {
    Object.assign(store, { stepCommand });
  }
});

it("a request that was made before, or cannot be recorded, does not keep the signer waiting", async ({
  rig,
  token,
  booking,
}) => {
  const told: boolean[] = [];
  const signer = rig.signer();
  const { signCommand } = signer;
  Object.assign(signer, {
    signCommand: (...asked: Parameters<typeof signCommand>) => {
      void asked[3]?.then((is) => told.push(is));
      return signCommand(...asked);
    },
  });
  const key = randomUUID();
  const first = await command(rig, token, { action: "lock", booking }, { key });
  const again = await command(rig, token, { action: "lock", booking }, { key });
  assert.is(again.body.id, first.body.id);
  assert.is((await command(rig, token, { action: "unlock", booking }, { key })).status, 409);
  assert.equal(told, [true, false, false]);
  Object.assign(signer, { signCommand });
});

it.run();
