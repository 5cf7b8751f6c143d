/** What is believed of what a car, or somebody in its place, says. */
import { carMessageHandler } from "@kerbside/commands";
import { INGEST_LIMITS } from "@kerbside/ingest";
import {
  ProtocolError,
  randomBytes,
  signingKey,
  signSession,
  tenantId,
  vehicleId,
} from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT } from "../../conformance/car-log.ts";
import { DEMO } from "./car.ts";
import { CAR, clock, log, openRig, type Rig, SILENT_CAR } from "./rig.ts";

const it = suite<{ rig: Rig }>("car messages");

it.before(async (context) => {
  context.rig = await openRig();
  await context.rig.car.announce();
});
it.after(({ rig }) => rig.close());

it("believes no announcement but the car's newest", async ({ rig }) => {
  const old = signSession(rig.car.key, rig.car.session());
  await rig.car.announce({ reason: "reconnect" });
  const before = await (await rig.store()).session(CAR);
  const forged = signSession(
    signingKey(randomBytes(32)),
    rig.car.session({ epoch: randomBytes(16) }),
  );
  const foreign = signSession(rig.car.key, rig.car.session({ tenant: "other" as typeof DEMO }));
  for (const payload of [old, forged, foreign, randomBytes(40)]) {
    await rig.fromCar({ topic: { tenant: DEMO, vehicle: CAR, channel: "session" }, payload });
  }
  assert.equal(await (await rig.store()).session(CAR), before);
});

it("a message whose certificate is another car's is put aside", async ({ rig }) => {
  const before = await (await rig.store()).session(CAR);
  await rig.fromCar({
    topic: { tenant: DEMO, vehicle: CAR, channel: "session" },
    payload: signSession(rig.car.key, rig.car.session()),
    certificate: { tenant: DEMO, vehicle: "car-2" as typeof CAR, serial: "02" },
  });
  assert.equal(await (await rig.store()).session(CAR), before);
});

it("what no car may say is put aside, and a store that fails leaves the message with the car", async ({
  rig,
}) => {
  const before = (await rig.store()).quarantined(0, 1000).length;
  const stranger = vehicleId("car-9");
  const session = signSession(rig.car.key, rig.car.session());
  await rig.fromCar({ topic: { tenant: DEMO, vehicle: CAR, channel: "gone" }, payload: session });
  await rig.fromCar({ topic: { tenant: DEMO, vehicle: CAR, channel: "ack" }, payload: session });
  await rig.fromCar({
    topic: { tenant: DEMO, vehicle: stranger, channel: "session" },
    payload: session,
  });
  assert.is((await rig.store()).quarantined(0, 1000).length, before + 2, "nothing of a stranger");
  const nowhere = tenantId("nowhere");
  await rig.fromCar({
    topic: { tenant: nowhere, vehicle: CAR, channel: "gone" },
    payload: session,
  });
  const handle = carMessageHandler({
    tenant: () => Promise.reject(new ProtocolError("storage_failed", "disk: full")),
    commands: rig.commands(),
    putAside: () => Promise.reject(new ProtocolError("storage_failed", "disk: full")),
    clock,
    log,
  });
  const topic = { tenant: DEMO, vehicle: CAR, channel: "session" } as const;
  const failed = await handle({ topic, payload: session }).catch((error: unknown) => error);
  assert.ok(failed instanceof ProtocolError && failed.code === "storage_failed");
});

it("one car cannot fill its tenant's quarantine, on whatever channel, and a revoked one puts nothing there", async ({
  rig,
}) => {
  const store = await rig.store();
  const before = store.quarantined(0, 1000).length;
  for (let i = 0; i < 60; i += 1) {
    const channel = (["result", "session", "gone"] as const)[i % 3] ?? "gone";
    const topic = { tenant: DEMO, vehicle: CAR, channel };
    await rig.fromCar({ topic, payload: Uint8Array.of(i) });
  }
  const kept = store.quarantined(0, 1000).length - before;
  assert.ok(kept > 0 && kept <= INGEST_LIMITS.quarantineBurst, `${kept} kept`);
  const record = await store.vehicle(SILENT_CAR);
  if (record === undefined) throw new Error("the rig has two cars");
  await store.putVehicle({ ...record, revokedAtMs: Date.now() }, AUDIT);
  const topic = { tenant: DEMO, vehicle: SILENT_CAR, channel: "result" } as const;
  await rig.fromCar({ topic, payload: Uint8Array.of(1) });
  assert.is(store.quarantined(0, 1000).length, before + kept);
});

it.run();
