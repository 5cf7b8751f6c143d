/**
 * Slows brute force down (P-63): whoever failed too often within a window waits until it is over. Keys are an account,
 * an address, or both together; it holds the newest `keysMax` of them and only in memory, so that a restart costs the
 * memory of failures and nothing else.
 */
import type { Clock } from "@kerbside/protocol";

export type AttemptLimits = {
  readonly failuresMax: number;
  readonly windowMs: number;
  readonly keysMax: number;
};
type Failures = { readonly sinceMs: number; readonly count: number };

export class AttemptLimiter {
  readonly #failures = new Map<string, Failures>();
  readonly #limits: AttemptLimits;
  readonly #clock: Clock;

  constructor(limits: AttemptLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** How long this key has to wait, in milliseconds; 0: it may try. */
  waitMs(key: string): number {
    const failures = this.#current(key);
    if (failures === undefined || failures.count < this.#limits.failuresMax) return 0;
    return failures.sinceMs + this.#limits.windowMs - this.#clock.bootMs();
  }

  failed(key: string): void {
    const before = this.#current(key);
    const sinceMs = before?.sinceMs ?? this.#clock.bootMs();
    this.#failures.delete(key);
    this.#failures.set(key, { sinceMs, count: (before?.count ?? 0) + 1 });
    this.#forget();
  }

  /** What was counted while it was under way did not fail. */
  takeBack(key: string): void {
    const before = this.#current(key);
    if (before === undefined) return;
    if (before.count <= 1) this.#failures.delete(key);
    else this.#failures.set(key, { ...before, count: before.count - 1 });
  }

  succeeded(key: string): void {
    this.#failures.delete(key);
  }

  /** Those that gave way, and those whose window is over (P-22). */
  #forget(): void {
    const { keysMax, windowMs } = this.#limits;
    for (const [oldest, { sinceMs }] of this.#failures) {
      const isOver = this.#clock.bootMs() >= sinceMs + windowMs;
      if (this.#failures.size <= keysMax && !isOver) return;
      this.#failures.delete(oldest);
    }
  }

  #current(key: string): Failures | undefined {
    const failures = this.#failures.get(key);
    if (failures === undefined) return undefined;
    if (this.#clock.bootMs() < failures.sinceMs + this.#limits.windowMs) return failures;
    this.#failures.delete(key);
    return undefined;
  }
}
