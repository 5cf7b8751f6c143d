/** When something happens, for those who do not say it themselves. */
import type { Clock, EventTime } from "@kerbside/protocol";

/** No trusted time says more: nothing proves a wall clock, but one set by a network is seldom a minute off. */
const DOUBT_MS_DEFAULT = 60_000;

export function eventTime({
  time,
  clock,
}: {
  readonly time?: () => EventTime;
  readonly clock: Clock;
}): EventTime {
  if (time !== undefined) return time();
  const bootMs = clock.bootMs();
  return { bootMs, wallOffsetMs: clock.wallMs() - bootMs, doubtMs: DOUBT_MS_DEFAULT };
}
