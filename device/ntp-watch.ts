/**
 * The time by the network, where the platform keeps it: systemd-timesyncd touches a file each time that it has set the
 * clock by an answer of its server (systemd-timesyncd.service(8)). Nobody signed that, so it is no more than a hint,
 * which counts within what the cloud has signed.
 */
import { statSync } from "node:fs";
import type { Clock } from "@kerbside/protocol";
import { DRIFT_PARTS_PER_MILLION } from "@kerbside/time";

export const NTP_FILE = "/run/systemd/timesync/synchronized";
const LOOK_MS = 64_000;
/** It asks its server at least this often (PollIntervalMaxSec); an older answer says that the network is gone. */
export const NTP_AGE_MS_MAX: number = 2048_000;
/** Half of the longest round trip that it takes an answer of (RootDistanceMaxSec is 5 s), and its slewing. */
const DOUBT_MS = 3000;

export type NtpWatchOptions = {
  readonly file: string;
  readonly clock: Clock;
  /** Says whether it was heard: one that comes before any time is trusted is said again. */
  readonly hint: (wallMs: number, doubtMs: number) => boolean;
};

/** Undefined: it is not there, or not to be seen. */
function touchedMs(file: string): number | undefined {
  try {
    return statSync(file).mtimeMs;
  } catch {
    return undefined;
  }
}

/** Looks at once, and again now and then. Returns what ends it. Never throws. */
export function watchNtp({ file, clock, hint }: NtpWatchOptions): () => void {
  let seenMs: number | undefined;
  let timer: { readonly cancel: () => void };
  const look = (): void => {
    const setMs = touchedMs(file);
    const wallMs = clock.wallMs();
    const ageMs = setMs === undefined ? Number.NaN : wallMs - setMs;
    // One that lies ahead was touched before the clock was set back: it vouches for nothing.
    const isNew = setMs !== seenMs && ageMs >= 0 && ageMs <= NTP_AGE_MS_MAX;
    const doubtMs = DOUBT_MS + (ageMs * DRIFT_PARTS_PER_MILLION) / 1e6;
    if (isNew && hint(wallMs, doubtMs)) seenMs = setMs;
    timer = clock.after(LOOK_MS, look);
  };
  look();
  return () => timer.cancel();
}
