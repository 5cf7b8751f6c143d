/**
 * Failed tries, counted where power cuts do not reach them. A delay is measured on the boot clock and begins anew in
 * full at a restart, so pulling the fuse wins nobody a try. Counters belong to what could be guessed: the PIN of one
 * grant, the key of one card, bare numbers as a whole. Keyed cards and phones are never slowed by strangers' tries.
 */

/** Failures without a delay: a wet card, a slip of the finger. */
export const TRIES_FREE = 3;
/** Wrong PINs for one grant; then it takes none any more. One in 1,000 guessers of four digits finds it. */
export const PIN_FAILURES_MAX = 10;
const DELAY_MS_FIRST = 10_000;
export const TRY_DELAY_MS_MAX: number = 15 * 60_000;

/** How long after the last failure the next try is taken. */
export function delayMsAfter(failures: number): number {
  if (failures < TRIES_FREE) return 0;
  return Math.min(TRY_DELAY_MS_MAX, DELAY_MS_FIRST * 2 ** (failures - TRIES_FREE));
}

/** Failures by what was tried, e.g. `pin:<grant>`. Those without any are left out. */
export type Tries = ReadonlyMap<string, number>;

/** Counters of the present boot on top of those that were kept. */
export class TryLimits {
  #tries: Map<string, number>;
  readonly #sinceMs = new Map<string, number>();
  readonly #startedMs: number;

  constructor(kept: Tries, nowMs: number) {
    this.#tries = new Map(kept);
    this.#startedMs = nowMs;
  }

  /** How long to wait still; 0: it may be tried. */
  waitMs(what: string, nowMs: number): number {
    const since = this.#sinceMs.get(what) ?? this.#startedMs;
    return Math.max(0, delayMsAfter(this.failures(what)) - (nowMs - since));
  }

  failures(what: string): number {
    return this.#tries.get(what) ?? 0;
  }

  /** To be kept before the outcome is known, so that a power cut in between counts as a failure. */
  count(what: string, nowMs: number): Tries {
    this.#tries.set(what, this.failures(what) + 1);
    this.#sinceMs.set(what, nowMs);
    return new Map(this.#tries);
  }

  /** It was right: forgets its failures. Undefined where there were none. */
  clear(what: string): Tries | undefined {
    return this.#tries.delete(what) ? new Map(this.#tries) : undefined;
  }

  /** Forgets what nobody can try any more. */
  retain(isAlive: (what: string) => boolean): Tries {
    this.#tries = new Map([...this.#tries].filter(([what]) => isAlive(what)));
    return new Map(this.#tries);
  }
}
