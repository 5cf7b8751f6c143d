/**
 * What keeps the process going beyond its channel to the parent. Where a test waits and nothing does, it waits for what
 * never comes: a process of its own would have ended there.
 */
import { setTimeout as sleep } from "node:timers/promises";

const LOOK_EVERY_MS = 20;
/** Some work of other threads is not among the active resources, so that nothing is concluded at once. */
const IDLE_MS = 2_500;

export type Alive = {
  /** Resolves once nothing has gone on for a while, or as `signal` aborts. */
  readonly idle: (signal: AbortSignal) => Promise<void>;
  /** Whether all has ended within so many milliseconds. */
  readonly settles: (withinMs: number) => Promise<boolean>;
};

/** What is alive now counts as nothing. */
export function watchAlive(): Alive {
  const base = new Map<string, number>();
  const count = (): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const name of process.getActiveResourcesInfo())
      counts.set(name, (counts.get(name) ?? 0) + 1);
    return counts;
  };
  for (const [name, n] of count()) base.set(name, n);
  const nothing = (): boolean => [...count()].every(([name, n]) => n <= (base.get(name) ?? 0));
  // Its own timer must not count: an unreferenced one is not among the active resources.
  const look = (): Promise<void> => sleep(LOOK_EVERY_MS, undefined, { ref: false });
  return {
    idle: async (signal) => {
      for (let since = performance.now(); !signal.aborted; ) {
        await look();
        if (!nothing()) since = performance.now();
        else if (performance.now() - since >= IDLE_MS) return;
      }
    },
    settles: async (withinMs) => {
      for (const until = performance.now() + withinMs; !nothing(); await look())
        if (performance.now() > until) return false;
      return true;
    },
  };
}
