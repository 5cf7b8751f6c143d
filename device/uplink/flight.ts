/**
 * Which segments are under way, and when one is to be sent again. Pure bookkeeping over a clock that is handed in: a
 * segment is on the way until it is acknowledged or its time is up; then it rests, longer each time, so that one
 * which the other side cannot store does not stand in the way of all others.
 */
import type { UplinkLimits } from "./limits.ts";
import { createPace, type PaceLimits } from "./pace.ts";

type Trip =
  | { readonly kind: "under_way"; readonly dueMs: number; readonly attempts: number }
  | { readonly kind: "resting"; readonly untilMs: number; readonly attempts: number };

export type Flight = {
  /** Keys that are not to be sent now. */
  readonly skip: () => ReadonlySet<number>;
  /** Whether one more may be sent, `beyond` so many of the window. */
  readonly room: (beyond?: number) => boolean;
  readonly sent: (key: number, nowMs: number) => void;
  readonly acknowledged: (keys: readonly number[]) => void;
  /** Moves what is overdue to rest, and what has rested out. Returns how many were overdue. */
  readonly expire: (nowMs: number) => number;
  /** When `expire` has something to do next. */
  readonly nextMs: () => number | undefined;
  /** A new connection: all is to be sent again, except what has failed before and rests. */
  readonly restart: () => void;
  readonly underWay: () => number;
};

/** Segments that rest; beyond it the one that has rested longest is tried again. */
const RESTING_MAX = 1024;

export function createFlight(limits: PaceLimits & Pick<UplinkLimits, "resendMsMax">): Flight {
  const pace = createPace(limits);
  const trips = new Map<number, Trip>();
  const keys = new Set<number>();
  const attempts = new Map<number, number>();
  let underWay = 0;
  const remove = (key: number): void => {
    if (trips.get(key)?.kind === "under_way") underWay -= 1;
    trips.delete(key);
    keys.delete(key);
  };
  const expireOne = (key: number, trip: Trip, nowMs: number): boolean => {
    if (trip.kind === "resting") {
      if (trip.untilMs <= nowMs) remove(key);
      return false;
    }
    if (trip.dueMs > nowMs) return false;
    underWay -= 1;
    attempts.set(key, trip.attempts);
    if (attempts.size > RESTING_MAX) forgetOldest(attempts, remove);
    // The first is sent again at once; from then on it rests.
    const rest = trip.attempts < 2 ? 0 : limits.ackTimeoutMs * 2 ** Math.min(16, trip.attempts - 2);
    const untilMs = nowMs + Math.min(limits.resendMsMax, rest);
    trips.set(key, { kind: "resting", untilMs, attempts: trip.attempts });
    if (rest === 0) remove(key);
    return true;
  };
  return {
    skip: () => keys,
    room: (beyond = 0) => underWay < pace.window(beyond),
    sent: (key, nowMs) => {
      remove(key);
      underWay += 1;
      keys.add(key);
      const tries = (attempts.get(key) ?? 0) + 1;
      trips.set(key, { kind: "under_way", dueMs: nowMs + limits.ackTimeoutMs, attempts: tries });
    },
    acknowledged: (done) => {
      for (const key of done) {
        remove(key);
        attempts.delete(key);
      }
      if (done.length > 0) pace.acknowledged();
    },
    expire: (nowMs) => {
      const overdue: number[] = [];
      for (const [key, trip] of [...trips]) if (expireOne(key, trip, nowMs)) overdue.push(key);
      pace.overdue(overdue, nowMs);
      pace.pass(nowMs);
      return overdue.length;
    },
    nextMs: () => {
      let next = pace.nextMs();
      for (const trip of trips.values()) {
        const at = trip.kind === "resting" ? trip.untilMs : trip.dueMs;
        if (next === undefined || at < next) next = at;
      }
      return next;
    },
    restart: () => {
      pace.restart();
      for (const [key, trip] of [...trips]) if (trip.kind === "under_way") remove(key);
    },
    underWay: () => underWay,
  };
}

function forgetOldest(attempts: Map<number, number>, remove: (key: number) => void): void {
  const [oldest] = attempts.keys();
  if (oldest === undefined) return;
  attempts.delete(oldest);
  remove(oldest);
}
