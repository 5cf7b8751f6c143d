/** Clocks and chance for tests: real ones, and a clock that only moves when it is told to. */
import { type Clock, type Log, type Random, systemClock, systemRandom } from "@kerbside/protocol";

export const realClock: Clock = systemClock(() => performance.now());
export const realRandom: Random = systemRandom;
export const silentLog: Log = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export type ManualClock = Clock & {
  /** Lets so many milliseconds pass, running what comes due in order. */
  readonly pass: (ms: number) => void;
  /** Sets the wall clock, as NTP or a thief would. */
  readonly setWall: (ms: number) => void;
};

export function manualClock(wallMs: number = Date.UTC(2026, 0, 1)): ManualClock {
  let now = 0;
  let offset = wallMs;
  let timers: { readonly at: number; readonly run: () => void }[] = [];
  return {
    bootMs: () => now,
    wallMs: () => now + offset,
    after: (delayMs, run) => {
      const timer = { at: now + Math.max(0, delayMs), run };
      timers.push(timer);
      return {
        cancel: () => {
          timers = timers.filter((other) => other !== timer);
        },
      };
    },
    pass: (ms) => {
      const until = now + ms;
      for (;;) {
        const due = timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
        if (due === undefined) break;
        timers = timers.filter((other) => other !== due);
        now = Math.max(now, due.at);
        due.run();
      }
      now = until;
    },
    setWall: (ms) => {
      offset = ms - now;
    },
  };
}
