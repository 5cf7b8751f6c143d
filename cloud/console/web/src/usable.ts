/** Which bookings a command to a car could be for. Pure. */
import { isUnderWay } from "./standing.ts";
import type { Booking } from "./types.ts";

/** A rental that ended can be locked for this long; the server decides. */
const LOCK_AFTER_END_MS = 15 * 60_000;

/** Those that a command could be for now, the likeliest first. */
export function usable(bookings: readonly Booking[], nowMs: number): readonly Booking[] {
  const rank = ["reserved", "ended", "cancelled"];
  const rankOf = (one: Booking): number => (isUnderWay(one) ? -1 : rank.indexOf(one.state));
  return bookings
    .filter(({ state, from, to }) => {
      const untilMs = Date.parse(to);
      if (state === "open") return true;
      if (state === "reserved") return Date.parse(from) <= nowMs && nowMs < untilMs;
      return state === "ended" && nowMs < untilMs + LOCK_AFTER_END_MS;
    })
    .sort((a, b) => rankOf(a) - rankOf(b));
}
