/**
 * The cloud's database put back to what it was: the commands that it has forgotten are with whoever captured them, and
 * the numbers of those may be given out again. The car does none of them a second time.
 */
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  ACTION_DOMAIN,
  type Action,
  randomBytes,
  requestHashOf,
  signCommand,
  signingKey,
  type TenantStore,
  tenantId,
  toHex,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT } from "../../conformance/car-log.ts";
import { type AttackedCar, attackedCar, restart, take } from "../../support/attacked-car.ts";
import { testRegistry } from "../../support/tenant-engine.ts";
import { record } from "./recorded.ts";

/** Of the car on the bench. */
const TENANT = tenantId("t");
const VEHICLE = vehicleId("v");
const CAPTURED = 1000;
const PLAYED_BACK = 10_000;
const ACTIONS: readonly Action[] = ["lock", "unlock", "trunk", "find", "release"];
const KEY = signingKey(randomBytes(32));
const PUBLIC = verifyKey(KEY.publicKey);

/** As the signer does it: counter, step and signature in one commit. */
async function sign(
  store: TenantStore,
  { epoch }: AttackedCar,
  action: Action,
): Promise<Uint8Array> {
  const id = randomBytes(16);
  await record(store, { id, vehicle: VEHICLE, action });
  let envelope: Uint8Array = new Uint8Array();
  await store.signCommand(toHex(id), AUDIT, (counter) => {
    const domain = ACTION_DOMAIN[action];
    const of = { id, tenant: TENANT, vehicle: VEHICLE, domain, action, epoch, counter };
    envelope = signCommand(KEY, { ...of, expiresAtMs: 10_000 });
    return { requestHash: requestHashOf(envelope), requestSeal: randomBytes(32) };
  });
  return envelope;
}

test(`${PLAYED_BACK} captured commands played back with the cloud's database rolled back: nothing moves`, async () => {
  // The clock goes back with the store: so the numbers really are given out again.
  let nowMs = 1_000_000;
  const files = await testRegistry(() => nowMs);
  await files.create(TENANT, async ({ store }) => {
    const signing = { signingKey: KEY.publicKey, certificateSerial: "01", enrolledAtMs: 1 };
    await store.putVehicle({ vehicle: VEHICLE, profile: "kerbside-sim/1", ...signing }, AUDIT);
  });
  let registry = files.registry;
  const storeNow = async (): Promise<TenantStore> => {
    const store = (await registry.tenant(TENANT))?.store;
    if (store === undefined) throw new Error("no tenant");
    return store;
  };
  const [at, kept] = [join(files.dir, "tenants"), join(files.dir, "kept")];
  const attacked = await attackedCar();
  const captured: Uint8Array[] = [];
  for (let i = 0; i < CAPTURED; i += 1) {
    if (i === CAPTURED / 2) {
      await registry.close();
      cpSync(at, kept, { recursive: true });
      registry = await files.again();
    }
    const envelope = await sign(await storeNow(), attacked, ACTIONS[i % ACTIONS.length] ?? "find");
    captured.push(envelope);
    // Every tenth reaches the car, the last one too; an attacker holds the others back.
    if (i % 10 === 9) assert.is(await take(attacked, PUBLIC, envelope), "executed");
  }
  await registry.close();
  rmSync(at, { recursive: true });
  cpSync(kept, at, { recursive: true });
  nowMs = 1;
  registry = await files.again();
  const { pulses } = attacked.lock;
  const playBack = async (times: number): Promise<void> => {
    const before = pulses.length;
    for (let time = 0; time < times; time += 1)
      for (const envelope of captured)
        assert.not.match(await take(attacked, PUBLIC, envelope), /executed|dropped/);
    assert.is(pulses.length, before, "nothing moves");
  };
  await playBack(PLAYED_BACK / CAPTURED / 2);
  // What the cloud signs now has numbers of the half that it forgot: refused, and those alone.
  const store = await storeNow();
  let refused = 0;
  for (; refused <= CAPTURED; refused += 1) {
    const before = pulses.length;
    const what = await take(attacked, PUBLIC, await sign(store, attacked, "lock"));
    assert.is(pulses.length - before, what === "executed" ? 1 : 0);
    if (what === "executed") break;
    assert.is(what, "refused");
  }
  assert.is(refused, CAPTURED / 2, "as many as were given out twice");
  await restart(attacked);
  await playBack(PLAYED_BACK / CAPTURED / 2);
  await attacked.rig.stop();
  await registry.close();
  await files.close();
});

test.run();
