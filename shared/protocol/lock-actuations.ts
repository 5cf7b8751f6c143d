/**
 * What a lock controller remembers of actuations, so that a frame which comes again never pulses again. The controller
 * keeps `memory` where it outlives a reset: written after `begin` and before the pulse, and again after `finish`.
 */
import type { LockAction, LockOutcome, LockSensed } from "./lock-link-messages.ts";

/** How many outcomes are remembered; of older ones only that their ids are spent. */
export const LOCK_ACTUATIONS_MAX = 8;

export type LockActuation =
  | { readonly value: "running"; readonly id: number; readonly action: LockAction }
  | {
      readonly value: "ended";
      readonly id: number;
      readonly action: LockAction;
      readonly outcome: LockOutcome;
      readonly sensed: LockSensed;
    };
export type LockActuationMemory = {
  /** The highest id ever begun or refused; 0 for none. */
  readonly lastId: number;
  /** By rising id, at most `LOCK_ACTUATIONS_MAX`. */
  readonly recent: readonly LockActuation[];
};
export const LOCK_ACTUATIONS_NONE: LockActuationMemory = { lastId: 0, recent: [] };

/** What to do with an `actuate`. Only `pulse` moves anything; `wait` means that the result under way answers it. */
export type LockActuationPlan =
  | { readonly value: "pulse"; readonly memory: LockActuationMemory }
  | { readonly value: "wait" }
  | { readonly value: "answer"; readonly outcome: LockOutcome; readonly sensed: LockSensed }
  | {
      readonly value: "refuse";
      readonly outcome: "busy" | "refused";
      readonly memory: LockActuationMemory;
    };

/** The oldest ended one gives way; what runs is never forgotten. */
function remember(memory: LockActuationMemory, entry: LockActuation): LockActuationMemory {
  const recent = [...memory.recent, entry];
  const oldest = recent.findIndex(({ value }) => value === "ended");
  if (recent.length > LOCK_ACTUATIONS_MAX) recent.splice(oldest, 1);
  return { lastId: entry.id, recent };
}

/**
 * Judges an `actuate`. An id is new only above every id before it; one that is known gets its record, an unknown old
 * one or a known one with another action is refused. While one runs, another is refused as busy, and its id is spent.
 */
export function beginActuation(
  memory: LockActuationMemory,
  asked: { readonly actuationId: number; readonly action: LockAction },
  sensed: LockSensed,
): LockActuationPlan {
  const { actuationId: id, action } = asked;
  const known = memory.recent.find((entry) => entry.id === id);
  if (known !== undefined && known.action === action) {
    if (known.value === "running") return { value: "wait" };
    return { value: "answer", outcome: known.outcome, sensed: known.sensed };
  }
  if (id <= memory.lastId) return { value: "refuse", outcome: "refused", memory };
  if (memory.recent.some((entry) => entry.value === "running")) {
    const spent = remember(memory, { value: "ended", id, action, outcome: "busy", sensed });
    return { value: "refuse", outcome: "busy", memory: spent };
  }
  return { value: "pulse", memory: remember(memory, { value: "running", id, action }) };
}

/** Records how a running actuation ended; anything else is left as it is. */
export function finishActuation(
  memory: LockActuationMemory,
  id: number,
  outcome: LockOutcome,
  sensed: LockSensed,
): LockActuationMemory {
  const recent = memory.recent.map((entry) =>
    entry.id === id && entry.value === "running"
      ? { ...entry, value: "ended" as const, outcome, sensed }
      : entry,
  );
  return { lastId: memory.lastId, recent };
}

/** After a reset: what was running was interrupted. It is never gone on with. */
export function restoreActuations(
  memory: LockActuationMemory,
  sensed: LockSensed,
): { readonly memory: LockActuationMemory; readonly interrupted: boolean } {
  const running = memory.recent.find((entry) => entry.value === "running");
  if (running === undefined) return { memory, interrupted: false };
  return { memory: finishActuation(memory, running.id, "interrupted", sensed), interrupted: true };
}
