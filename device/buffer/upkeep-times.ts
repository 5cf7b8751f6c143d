/** When the buffer's upkeep is done: after a commit, when it is time, as nobody waits then. */
import type { BufferOptions } from "./contract.ts";
import type { Engine } from "./engine.ts";

/** How often it is seen whether the file is mostly empty, and what is too old; the latter goes on soon where there is more. */
const COMPACT_MS = 60_000;
const AGE_MS = 3_600_000;
const AGE_MORE_MS = 50;

/** Does what is due. Throws what the disk throws. */
export type UpkeepTimes = (engine: Engine, nowMs: number) => void;

export function upkeepTimes(
  { time, log }: Pick<BufferOptions, "time" | "log">,
  told: {
    /** Of so many events that were given up as too old. */
    readonly old: (count: number) => void;
    /** There is more to be done after so long. */
    readonly wake: (delayMs: number) => void;
  },
): UpkeepTimes {
  let dueMs: number | undefined;
  let ageMs = 0;
  return ({ upkeep: { age, compact } }, nowMs) => {
    dueMs ??= nowMs + COMPACT_MS;
    if (nowMs < dueMs) return;
    dueMs = nowMs + COMPACT_MS;
    if (time !== undefined && nowMs >= ageMs) {
      const { dropped, more } = age(time());
      if (dropped > 0) told.old(dropped);
      if (more) {
        dueMs = nowMs + AGE_MORE_MS;
        told.wake(AGE_MORE_MS);
        return;
      }
      ageMs = nowMs + AGE_MS;
    }
    if (compact()) log.info("buffer.compacted", {});
  };
}
