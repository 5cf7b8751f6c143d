/**
 * How long an open segment may grow, by who listens. A store that does not answer for long, behind a broker that does,
 * would have the buffer close a segment each second, and of a full buffer each leaves a header behind: so segments then
 * grow as if nobody sent.
 */
import type { Lane } from "@kerbside/protocol";
import { type BufferLimits, growsMs } from "./limits.ts";

/** How long what is closed may stay without any acknowledgement, in milliseconds. */
const SILENT_MS = 600_000;

export type Hearing = {
  /** Whether somebody sends; each begin is given its time. Returns whether it is one. */
  readonly online: (is: boolean, nowMs: number) => boolean;
  readonly closed: (nowMs: number) => void;
  /** `more`: something that was sent is held still. */
  readonly acknowledged: (nowMs: number, more: boolean) => void;
  readonly growsMs: (lane: Lane, nowMs: number) => number;
};

export function hearing(limits: BufferLimits): Hearing {
  let online = false;
  let waitingSinceMs: number | undefined;
  const isSilent = (nowMs: number): boolean =>
    waitingSinceMs !== undefined && nowMs - waitingSinceMs >= SILENT_MS;
  return {
    online: (is, nowMs) => {
      const begins = is && !online;
      online = is;
      if (begins && waitingSinceMs !== undefined) waitingSinceMs = nowMs;
      return begins;
    },
    closed: (nowMs) => {
      waitingSinceMs ??= nowMs;
    },
    acknowledged: (nowMs, more) => {
      waitingSinceMs = more ? nowMs : undefined;
    },
    growsMs: (lane, nowMs) =>
      growsMs(limits, lane, online && (lane === "critical" || !isSilent(nowMs))),
  };
}
