/**
 * How long one thread that serves many tenants waits for a file that another process has locked. It waits as a whole, and so
 * do all tenants; so once a file was found locked its writers wait little, and in between they are refused at once.
 */
import { ProtocolError } from "@kerbside/protocol";

/** The most that a try waits after one that was in vain, in milliseconds. */
const WAIT_AGAIN_MS = 20;
/** From a try in vain to the next; who comes in between is refused. */
const PAUSE_MS = 500;

export class LockPatience {
  readonly #file: string;
  readonly #firstMs: number;
  /** Since when the file is known to be locked, by the last try; on the process's clock. */
  #lockedAtMs: number | undefined;

  constructor(file: string, firstMs: number) {
    this.#file = file;
    this.#firstMs = firstMs;
  }

  /** For the next try, in milliseconds. Throws ProtocolError `storage_failed` where there is to be none yet. */
  waitMs(nowMs: number): number {
    if (this.#lockedAtMs === undefined) return this.#firstMs;
    if (nowMs - this.#lockedAtMs < PAUSE_MS)
      throw new ProtocolError("storage_failed", `${this.#file}: another process holds it`);
    return Math.min(this.#firstMs, WAIT_AGAIN_MS);
  }

  locked(nowMs: number): void {
    this.#lockedAtMs = nowMs;
  }

  free(): void {
    this.#lockedAtMs = undefined;
  }
}
