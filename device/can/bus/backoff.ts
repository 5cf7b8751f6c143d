/** How long to wait before the next attempt: full jitter, doubling from FIRST_MS to LAST_MS. */
import type { Random } from "@kerbside/protocol";

const FIRST_MS = 100;
const LAST_MS = 2000;
const DOUBLINGS_MAX = 8;

/** `failures`: attempts in a row that failed, from 1. Milliseconds, at least half of FIRST_MS. */
export function backoffMs(failures: number, random: Pick<Random, "fraction">): number {
  const ceiling = Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(failures, DOUBLINGS_MAX));
  return FIRST_MS / 2 + random.fraction() * (ceiling - FIRST_MS / 2);
}
