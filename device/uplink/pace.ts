/**
 * How much may be under way, by what was answered. A broker that takes everything says nothing of the store behind it: where
 * as many segments as the window holds stay without acknowledgement, with none in between, the store is taken to be down, and one segment at a
 * time asks whether it is back, after a rest that doubles. Any acknowledgement opens the window again.
 */
import type { UplinkLimits } from "./limits.ts";

type State =
  /** With the segments that stayed without acknowledgement since the last one. Each counts once: one that nobody can store proves nothing. */
  | { readonly kind: "open"; readonly unanswered: ReadonlySet<number> }
  | { readonly kind: "resting"; readonly untilMs: number; readonly rests: number }
  | { readonly kind: "probing"; readonly rests: number };

export type Pace = {
  /** How many may be under way; `beyond` more for `critical`, of which one may go even while all others rest. */
  readonly window: (beyond: number) => number;
  /** These stayed without acknowledgement. */
  readonly overdue: (keys: readonly number[], nowMs: number) => void;
  readonly acknowledged: () => void;
  /** Ends a rest that is over. */
  readonly pass: (nowMs: number) => void;
  /** When `pass` has something to do. */
  readonly nextMs: () => number | undefined;
  /** A new connection may lead elsewhere: it is asked at once. */
  readonly restart: () => void;
};

export type PaceLimits = Pick<UplinkLimits, "windowSegments" | "ackTimeoutMs" | "probeMsMax">;

const OPEN: State = { kind: "open", unanswered: new Set() };

export function createPace({ windowSegments, ackTimeoutMs, probeMsMax }: PaceLimits): Pace {
  let state: State = OPEN;
  const rest = (rests: number, nowMs: number): State => {
    const restMs = Math.min(probeMsMax, ackTimeoutMs * 2 ** Math.min(16, rests));
    return { kind: "resting", untilMs: nowMs + restMs, rests: rests + 1 };
  };
  const after = (keys: readonly number[], nowMs: number): State => {
    switch (state.kind) {
      case "open": {
        const unanswered = new Set([...state.unanswered, ...keys]);
        return unanswered.size < windowSegments ? { kind: "open", unanswered } : rest(0, nowMs);
      }
      case "resting":
        return state;
      case "probing":
        return rest(state.rests, nowMs);
    }
  };
  return {
    window: (beyond) => {
      switch (state.kind) {
        case "open":
          return windowSegments + beyond;
        case "resting":
          return Math.min(1, beyond);
        case "probing":
          return 1 + Math.min(1, beyond);
      }
    },
    overdue: (keys, nowMs) => {
      if (keys.length > 0) state = after(keys, nowMs);
    },
    acknowledged: () => {
      state = OPEN;
    },
    pass: (nowMs) => {
      if (state.kind === "resting" && state.untilMs <= nowMs)
        state = { kind: "probing", rests: state.rests };
    },
    nextMs: () => (state.kind === "resting" ? state.untilMs : undefined),
    restart: () => {
      if (state.kind === "resting") state = { kind: "probing", rests: state.rests };
    },
  };
}
