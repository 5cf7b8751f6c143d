/** What cars may send a day and a directory may hold: `critical` is always taken, the rest waits in the cars. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { IngestQuota } from "@kerbside/cloud";
import { type Lane, ProtocolError, quotasOf, tenantId, vehicleId } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { manualClock, silentLog } from "../support/runtime.ts";

const DEMO = tenantId("demo");
const DAY_MS = 86_400_000;

function open(directory?: string) {
  const clock = manualClock();
  const days = new Map<number, number>();
  let bound = 1000;
  const quota = new IngestQuota({
    usage: {
      add: (_tenant, day, bytes) => {
        days.set(day, (days.get(day) ?? 0) + bytes);
        return days.get(day) ?? 0;
      },
    },
    quotas: () => quotasOf({ ingestBytesPerDay: bound, storedBytes: 5000 }),
    directory: () => directory,
    clock,
    log: silentLog,
  });
  const take = (bytes: number, lane: Lane = "track"): string => {
    const topic = { tenant: DEMO, vehicle: vehicleId("car-1"), channel: "up", lane } as const;
    try {
      quota.take({ topic, payload: new Uint8Array(bytes) });
      return "taken";
    } catch (error) {
      return error instanceof ProtocolError ? error.message : String(error);
    }
  };
  const agree = (bytes: number): void => {
    bound = bytes;
  };
  return { quota, take, clock, days, agree };
}

test("above a day's bytes only what is critical is taken, until the next day", () => {
  const { quota, take, clock, days } = open();
  assert.is(take(600), "taken");
  assert.is(take(600), "taken", "the one that goes over");
  assert.match(take(1), /quota ingestBytesPerDay: expected at most 1000/);
  assert.is(take(50, "critical"), "taken");
  assert.match(take(1, "state"), /ingestBytesPerDay/);
  clock.pass(5001);
  assert.equal([...days.values()], [1250], "and what was taken is told to all nodes");
  clock.pass(DAY_MS);
  assert.is(take(1), "taken");
  quota.close();
});

test("other nodes' bytes count, and so does what is agreed anew", () => {
  const { quota, take, clock, days, agree } = open();
  assert.is(take(1), "taken");
  for (const [day, bytes] of days) days.set(day, bytes + 2000);
  clock.pass(5001);
  assert.match(take(1), /ingestBytesPerDay/);
  agree(10_000);
  clock.pass(5001);
  assert.is(take(1), "taken");
  quota.close();
});

test("a directory that holds more than was agreed takes nothing but what is critical", () => {
  const directory = mkdtempSync(join(tmpdir(), "kerbside-quota-"));
  const { quota, take, clock } = open(directory);
  assert.is(take(1), "taken");
  writeFileSync(join(directory, "store.sqlite"), new Uint8Array(6000));
  clock.pass(65_001);
  assert.match(take(1), /quota storedBytes: expected at most 5000/);
  assert.is(take(1, "critical"), "taken");
  rmSync(join(directory, "store.sqlite"));
  clock.pass(65_001);
  assert.is(take(1), "taken");
  quota.close();
  rmSync(directory, { recursive: true });
});

test.run();
