/** That cars hear of new keys, whatever another tenant's vault and store do. */
import { type Downlink, type TenantId, tenantId } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { watchKeys } from "../../cloud/certified-keys.ts";
import { manualClock, silentLog } from "../support/runtime.ts";

const LOOK_MS = 5000;
const BROKEN = tenantId("broken");
const DEMO = tenantId("demo");

test("a tenant whose vault fails does not keep the cars of those after it from new keys", async () => {
  const clock = manualClock();
  const looked: TenantId[] = [];
  let isAway = false;
  const downlink: Downlink = { send: async () => undefined };
  const stop = watchKeys({
    list: () => {
      if (isAway) throw new Error("its disk is gone");
      return [BROKEN, DEMO];
    },
    homes: async (id) => {
      looked.push(id);
      if (id === BROKEN) throw new Error("its disk is gone");
      return undefined;
    },
    downlink,
    clock,
    log: silentLog,
  });
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 50; i += 1) await new Promise((resolve) => setImmediate(resolve));
    clock.pass(LOOK_MS);
  };
  await settle();
  assert.equal(looked, [BROKEN, DEMO]);
  isAway = true;
  await settle();
  isAway = false;
  await settle();
  assert.equal(looked.slice(-2), [BROKEN, DEMO], "and a list that failed is asked for again");
  stop();
});

test.run();
