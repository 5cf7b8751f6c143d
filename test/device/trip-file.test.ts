import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openTripFile } from "@kerbside/device";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { manualClock } from "../support/runtime.ts";

/** Of a copy: magic, number and length before the content, a hash behind it. */
const HEADER_BYTES = 20;
const HASH_BYTES = 32;
const quiet = { info: () => {}, warn: () => {}, error: () => {} };

test("a trip is found again after a reboot, begun as long ago as it was", async () => {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-trip-"));
  const path = join(dir, "trip");
  const clock = manualClock();
  clock.pass(100_000);
  const first = await openTripFile(path, clock, quiet);
  assert.is(first.memory.read(), undefined);
  first.memory.write({ startMs: 60_000, startOdometerM: 5000.4, integralM: 300 });
  await first.close();
  clock.pass(20_000);
  const rebooted = { ...clock, bootMs: () => 5000, wallMs: clock.wallMs };
  const second = await openTripFile(path, rebooted, quiet);
  assert.equal(second.memory.read(), { startMs: -55_000, startOdometerM: 5000, integralM: 300 });
  second.memory.write(undefined);
  await second.close();
  for (const copy of [".a", ".b"]) {
    const left = readFileSync(path + copy).subarray(HEADER_BYTES, -HASH_BYTES);
    assert.ok(
      left.subarray(2).every((byte) => byte === 0),
      "P-30 a trip that is over leaves nothing",
    );
  }
  const third = await openTripFile(path, clock, quiet);
  assert.is(third.memory.read(), undefined);
  await third.close();
  for (const copy of [".a", ".b"]) writeFileSync(path + copy, "damaged");
  const fourth = await openTripFile(path, clock, quiet);
  assert.is(fourth.memory.read(), undefined, "what is damaged is no trip");
  await fourth.close();
  rmSync(dir, { recursive: true });
});

test.run();
