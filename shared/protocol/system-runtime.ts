/** The platform's clock and generator. */
import { randomBytes } from "./crypto.ts";
import type { Clock, Random } from "./runtime.ts";

/** Timers beyond this wrap around in Node (2^31 − 1 ms, 24.8 days); longer waits are cut to it. */
const DELAY_MS_MAX = 2_147_483_647;

/**
 * The platform's clock. `bootMs` is CLOCK_BOOTTIME where /proc/uptime shows it, which counts suspend; it is read
 * once and carried on by the monotonic clock, and re-read by `resumed` after a suspend.
 */
export function systemClock(uptimeMs: () => number): Clock {
  const offset = uptimeMs() - performance.now();
  return {
    bootMs: () => Math.max(0, Math.round(performance.now() + offset)),
    wallMs: () => Date.now(),
    after: (delayMs, run) => {
      const handle = setTimeout(run, Math.min(Math.max(0, delayMs), DELAY_MS_MAX));
      return { cancel: () => clearTimeout(handle) };
    },
  };
}

export const systemRandom: Random = { bytes: randomBytes, fraction: () => Math.random() };
