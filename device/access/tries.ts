/**
 * Failed tries, counted where power cuts do not reach them. A delay begins anew at a restart, but for the time that has
 * certainly passed since the last failure, so pulling the fuse wins nobody a try. Counters belong to what could be
 * guessed: the PIN of one grant, the key of one card, bare numbers as a whole. Keyed cards and phones are never slowed
 * by strangers' tries. What nobody tries any more is halved each hour; wrong PINs alone count for good.
 */

/** Failures without a delay: a wet card, a slip of the finger. */
export const TRIES_FREE = 3;
/** Wrong PINs for one grant; then it takes none any more. One in 1,000 guessers of four digits finds it. */
export const PIN_FAILURES_MAX = 10;
const DELAY_MS_FIRST = 10_000;
export const TRY_DELAY_MS_MAX: number = 15 * 60_000;

/** Each hour without a failure halves a count. Long guessing gains nothing by it: fewer than five tries an hour either way. */
export const TRIES_HALVED_MS: number = 60 * 60_000;

/** What is left of a count after a time without a failure. */
export function failuresAfter(failures: number, quietMs: number): number {
  return Math.floor(failures / 2 ** Math.floor(quietMs / TRIES_HALVED_MS));
}

/** How long after the last failure the next try is taken. */
export function delayMsAfter(failures: number): number {
  if (failures < TRIES_FREE) return 0;
  return Math.min(TRY_DELAY_MS_MAX, DELAY_MS_FIRST * 2 ** (failures - TRIES_FREE));
}

/** Failures by what was tried, e.g. `pin:<grant>`. Those without any are left out. */
export type Tries = ReadonlyMap<string, number>;

/** Four digits are guessed in the end, however slowly: what was tried of them is never forgotten by waiting. */
const isPin = (what: string): boolean => what.startsWith("pin:");

/** Counters of the present run on top of those that were kept. */
export class TryLimits {
  #tries: Map<string, number>;
  readonly #sinceMs = new Map<string, number>();
  readonly #startedMs: number;
  readonly #agedMs: () => number;

  /** `agedMs`: how long the last failure that was kept is ago for certain; it may become known later. */
  constructor(kept: Tries, nowMs: number, agedMs: () => number = () => 0) {
    this.#tries = new Map(kept);
    this.#startedMs = nowMs;
    this.#agedMs = agedMs;
  }

  /** How long to wait still; 0: it may be tried. */
  waitMs(what: string, nowMs: number): number {
    return Math.max(0, delayMsAfter(this.failures(what, nowMs)) - this.#quietMs(what, nowMs));
  }

  failures(what: string, nowMs: number): number {
    const failures = this.#tries.get(what) ?? 0;
    return isPin(what) ? failures : failuresAfter(failures, this.#quietMs(what, nowMs));
  }

  /** To be kept before the outcome is known, so that a power cut in between counts as a failure. */
  count(what: string, nowMs: number): Tries {
    this.#tries.set(what, this.failures(what, nowMs) + 1);
    this.#sinceMs.set(what, nowMs);
    return this.#left(nowMs);
  }

  /** It was right: forgets its failures. Undefined where there were none. */
  clear(what: string, nowMs: number): Tries | undefined {
    return this.#tries.delete(what) ? this.#left(nowMs) : undefined;
  }

  /** Forgets what nobody can try any more. */
  retain(isAlive: (what: string) => boolean, nowMs: number): Tries {
    this.#tries = new Map([...this.#tries].filter(([what]) => isAlive(what)));
    return this.#left(nowMs);
  }

  #quietMs(what: string, nowMs: number): number {
    const since = this.#sinceMs.get(what);
    if (since !== undefined) return nowMs - since;
    return Math.max(nowMs - this.#startedMs, this.#agedMs());
  }

  /** As they stand now: who keeps them keeps them with the present time. */
  #left(nowMs: number): Tries {
    const left = [...this.#tries.keys()].map((what) => [what, this.failures(what, nowMs)] as const);
    return new Map(left.filter(([, failures]) => failures > 0));
  }
}
