/** The platform's clock through suspends that its monotonic part sleeps through. */
import { SUSPEND_LOOK_MS, systemClock } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

/** A machine whose up-time and monotonic clock a test moves; `tickMs` is what /proc/uptime is cut to. */
function machine(tickMs = 10) {
  let uptime = 5_000_000;
  let monotonic = 1000.25;
  let looks = 0;
  const clock = systemClock(
    () => {
      looks += 1;
      return Math.floor(uptime / tickMs) * tickMs;
    },
    () => monotonic,
  );
  return {
    clock,
    looks: () => looks,
    run: (ms: number): void => {
      uptime += ms;
      monotonic += ms;
    },
    suspend: (ms: number): void => {
      uptime += ms;
    },
  };
}

test("time in suspend counts, at the latest a look after the resume", () => {
  const { clock, run, suspend } = machine();
  const before = clock.bootMs();
  suspend(3_600_000);
  run(SUSPEND_LOOK_MS);
  const passed = clock.bootMs() - before;
  assert.ok(Math.abs(passed - 3_600_000 - SUSPEND_LOOK_MS) <= 10, `${passed}`);
});

test("without a suspend it runs as the monotonic clock does, and never goes back", () => {
  const { clock, run } = machine();
  const begin = clock.bootMs();
  let last = begin;
  for (let step = 0; step < 5000; step += 1) {
    run(37.3);
    const now = clock.bootMs();
    assert.ok(now >= last);
    last = now;
  }
  assert.ok(Math.abs(last - begin - 5000 * 37.3) <= 1);
});

test("the up-time is not read more often than needed", () => {
  const { clock, run, looks } = machine();
  const before = looks();
  for (let step = 0; step < 1000; step += 1) {
    run(1);
    clock.bootMs();
  }
  assert.ok(looks() - before <= 1000 / SUSPEND_LOOK_MS);
});

test.run();
