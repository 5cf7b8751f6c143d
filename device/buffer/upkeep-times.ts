/**
 * When the buffer's upkeep is done: after a commit, when it is time, as nobody waits then; ages by an alarm of their own
 * too, as a car that stands still commits nothing.
 */
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
  const run: UpkeepTimes = ({ upkeep: { age, compact } }, nowMs) => {
    if (dueMs === undefined || nowMs < dueMs) {
      dueMs ??= nowMs + COMPACT_MS;
      return;
    }
    dueMs = nowMs + COMPACT_MS;
    if (time !== undefined && nowMs >= ageMs) {
      const { dropped, more } = age(time());
      if (dropped > 0) told.old(dropped);
      if (more) {
        dueMs = nowMs + AGE_MORE_MS;
        return;
      }
      ageMs = nowMs + AGE_MS;
    }
    if (compact()) log.info("buffer.compacted", {});
  };
  return (engine, nowMs) => {
    run(engine, nowMs);
    if (time === undefined || dueMs === undefined) return;
    told.wake(Math.max(1, dueMs - nowMs, ageMs - nowMs));
  };
}
