/** What lets go each hour of what is not kept: it outlives stores that fail. */
import type { Log } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { watchRetention } from "../../cloud/retention-watch.ts";
import { manualClock, silentLog } from "../support/runtime.ts";
import { testRegistry } from "../support/tenant-engine.ts";

const HOUR_MS = 3_600_000;

test("a sweep for which the platform's store fails is no end of the next one", async () => {
  const files = await testRegistry();
  for (const id of ["broken", "demo"]) await files.create(id);
  const { registry } = files;
  const clock = manualClock();
  const failed: unknown[] = [];
  const looked: string[] = [];
  const log: Log = { ...silentLog, warn: (_event, fields) => failed.push(fields?.["tenant"]) };
  let isAway = true;
  const stop = watchRetention({
    tenants: {
      list: () => {
        if (isAway) throw new Error("its disk is gone");
        return registry.list();
      },
      tenant: async (id) => {
        looked.push(id);
        if (id === "broken") throw new Error("its disk is gone");
        return registry.tenant(id);
      },
    },
    clock,
    log,
  });
  const hour = async (): Promise<void> => {
    clock.pass(HOUR_MS);
    for (let i = 0; i < 50; i += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  await hour();
  isAway = false;
  await hour();
  assert.equal(
    [failed, looked],
    [
      [undefined, "broken"],
      ["broken", "demo"],
    ],
  );
  await stop();
  await files.close();
});

test.run();
