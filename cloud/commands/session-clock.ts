/**
 * What the cloud may know of a car's session clock. The announcement carries the clock as it was signed; it reached
 * the cloud some time later, and more time has passed since. Counting only what passed since it arrived gives a
 * lower bound of the car's clock, short by the time the announcement travelled. So a command that expires at this
 * bound plus its life never lives longer on the car than asked, and lives shorter by that travel time.
 */
import { COMMAND_LIFE_MS_MAX } from "@kerbside/protocol";

/** Long enough for a mobile network's worst ordinary second, short enough that nobody has walked away. */
export const COMMAND_LIFE_MS_DEFAULT = 10_000;

/**
 * The session clock's value, in milliseconds, at which a command signed now expires. `lifeMs` is cut to the 30 s
 * that a car accepts. A cloud clock that went back counts as no time passed.
 */
export function expiryOnSessionClock(
  announced: { readonly sessionMs: number; readonly receivedAtMs: number },
  nowMs: number,
  lifeMs: number,
): number {
  const sinceMs = Math.max(0, nowMs - announced.receivedAtMs);
  return announced.sessionMs + sinceMs + Math.min(Math.max(0, lifeMs), COMMAND_LIFE_MS_MAX);
}
