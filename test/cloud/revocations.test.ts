/** What another process changes reaches the cars that are connected here. */

import { watchRevocations } from "@kerbside/cloud";
import { type AuditEntry, type Log, tenantId } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CAR } from "../conformance/car-log.ts";
import { manualClock, silentLog } from "../support/runtime.ts";
import { testRegistry } from "../support/tenant-engine.ts";

const AUDIT: AuditEntry = { actor: "t", action: "t", subject: "t", outcome: "done" };
const LOOK_MS = 1000;

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
    for (let i = 0; i < 50; i += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  const stop = watchRevocations({
    tenants,
    clock,
    log,
    disconnect: ({ tenant, vehicle }) => ended.push(`${tenant}.${vehicle}`),
    disconnectTenant: (tenant) => ended.push(tenant),
  });
  await settle();
  const car = {
    vehicle: CAR,
    profile: "p",
    signingKey: new Uint8Array(32),
    certificateSerial: "01",
    enrolledAtMs: 1,
  };
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

test.run();
