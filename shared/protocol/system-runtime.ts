/** The platform's clock and generator. */
import { randomBytes } from "./crypto.ts";
import type { Clock, Random } from "./runtime.ts";

/** Timers beyond this wrap around in Node (2^31 − 1 ms, 24.8 days); longer waits are cut to it. */
const DELAY_MS_MAX = 2_147_483_647;
/** How long a suspend may stay unseen after the resume, at most: the up-time is read anew this often. */
export const SUSPEND_LOOK_MS = 100;
/** /proc/uptime counts hundredths: what differs by less than a few of them is no suspend. */
const SUSPEND_MS_MIN = 50;

/**
 * The platform's clock. `bootMs` is CLOCK_BOOTTIME where /proc/uptime shows it, which counts suspend: carried on by
 * the monotonic clock, which does not, and held against the up-time again every `SUSPEND_LOOK_MS` in which it is
 * asked. It never goes back.
 */
export function systemClock(
  uptimeMs: () => number,
  monotonicMs: () => number = () => performance.now(),
): Clock {
  let offset = uptimeMs() - monotonicMs();
  let lookedMs = monotonicMs();
  const look = (nowMs: number): void => {
    lookedMs = nowMs;
    const suspended = uptimeMs() - monotonicMs() - offset;
    if (suspended >= SUSPEND_MS_MIN) offset += suspended;
  };
  return {
    bootMs: () => {
      const nowMs = monotonicMs();
      if (nowMs - lookedMs >= SUSPEND_LOOK_MS) look(nowMs);
      return Math.max(0, Math.round(nowMs + offset));
    },
    wallMs: () => Date.now(),
    after: (delayMs, run) => {
      const handle = setTimeout(run, Math.min(Math.max(0, delayMs), DELAY_MS_MAX));
      return { cancel: () => clearTimeout(handle) };
    },
  };
}

export const systemRandom: Random = { bytes: randomBytes, fraction: () => Math.random() };
