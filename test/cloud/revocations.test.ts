/** What another process changes reaches the cars that are connected here. */

import { join } from "node:path";
import { watchRevocations } from "@kerbside/cloud";
import { type AuditEntry, type Log, tenantId, type VehicleId, vehicleId } from "@kerbside/protocol";
import BetterSqlite3 from "better-sqlite3";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CAR } from "../conformance/car-log.ts";
import { manualClock, silentLog } from "../support/runtime.ts";
import { tenantDirectories, testRegistry } from "../support/tenant-engine.ts";

const AUDIT: AuditEntry = { actor: "t", action: "t", subject: "t", outcome: "done" };
const LOOK_MS = 1000;
const CAR_RECORD = {
  vehicle: CAR,
  profile: "p",
  signingKey: new Uint8Array(32),
  certificateSerial: "01",
  enrolledAtMs: 1,
};

/** A look takes no longer: nothing in it waits for anything outside. */
async function settled(): Promise<void> {
  for (let i = 0; i < 50; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

test("revoked cars and removed tenants are disconnected, whatever another tenant's store does", async () => {
  const files = await testRegistry();
  for (const id of ["broken", "demo", "rival"]) await files.create(id);
  const clock = manualClock();
  const ended: string[] = [];
  const warned: string[] = [];
  const log: Log = { ...silentLog, warn: (event) => warned.push(event) };
  const { registry } = files;
  const tenants: Parameters<typeof watchRevocations>[0]["tenants"] = {
    list: registry.list,
    tenant: async (id) => {
      if (id === "broken") throw new Error("its disk is gone");
      return registry.tenant(id);
    },
  };
  const settle = async (): Promise<void> => {
    clock.pass(LOOK_MS);
    await settled();
  };
  const stop = watchRevocations({
    tenants,
    clock,
    log,
    disconnect: ({ tenant, vehicle }) => ended.push(`${tenant}.${vehicle}`),
    disconnectTenant: (tenant) => ended.push(tenant),
  });
  await settle();
  const car = CAR_RECORD;
  const store = (await registry.tenant("demo"))?.store;
  await store?.putVehicle(car, AUDIT);
  await settle();
  assert.equal(ended, []);
  await store?.putVehicle({ ...car, revokedAtMs: 2 }, AUDIT);
  await settle();
  assert.equal(ended, ["demo.car-1"]);
  assert.ok(warned.length > 0, "the broken one is told of");
  await registry.remove(tenantId("rival"), AUDIT);
  await settle();
  assert.equal(ended, ["demo.car-1", "rival"]);
  stop();
  await files.close();
});

test("P-01 a car that is revoked after a start is disconnected at the next look, however long the feed is", async () => {
  const files = await testRegistry();
  await files.create("demo");
  const { registry } = files;
  const store = (await registry.tenant("demo"))?.store;
  const [first, second] = [vehicleId("car-1"), vehicleId("car-2")];
  const car = (vehicle: VehicleId) => ({ ...CAR_RECORD, vehicle });
  await store?.putVehicle({ ...car(first), revokedAtMs: 2 }, AUDIT);
  await store?.putVehicle(car(second), AUDIT);
  const [directory = ""] = tenantDirectories(files.dir);
  const sql = new BetterSqlite3(join(directory, "store.sqlite"));
  sql.exec(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) " +
      "INSERT INTO feed (at_ms, topic, id) SELECT 1, 'vehicle', 'car-9' FROM n",
  );
  sql.close();
  const clock = manualClock();
  const ended: string[] = [];
  const stop = watchRevocations({
    ...{ tenants: registry, clock, log: silentLog },
    disconnect: ({ vehicle }) => ended.push(vehicle),
    disconnectTenant: () => undefined,
  });
  await settled();
  assert.equal(ended, [first], "those of before");
  await store?.putVehicle({ ...car(second), revokedAtMs: 3 }, AUDIT);
  clock.pass(LOOK_MS);
  await settled();
  assert.equal(ended, [first, second]);
  stop();
  await files.close();
});

test.run();
