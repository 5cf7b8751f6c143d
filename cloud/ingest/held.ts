/**
 * Messages whose log has not been opened yet. The opening travels with every segment until one of the log was
 * acknowledged, so it is on its way; what has to give way here stays unacknowledged, and the car sends it again.
 */
export type HeldBounds = { readonly heldPerLogMax: number; readonly heldMax: number };

export class Held<M> {
  readonly #logs = new Map<string, M[]>();
  readonly #bounds: HeldBounds;
  #count = 0;

  constructor(bounds: HeldBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#count;
  }

  /** Returns how many gave way: the oldest of the same log, or else of the log that has waited longest. */
  hold(log: string, message: M): number {
    const mine = this.#logs.get(log) ?? [];
    this.#logs.set(log, mine);
    mine.push(message);
    this.#count += 1;
    if (mine.length > this.#bounds.heldPerLogMax) return this.#drop(log, mine);
    const [oldest] = this.#logs;
    return this.#count > this.#bounds.heldMax && oldest !== undefined ? this.#drop(...oldest) : 0;
  }

  /** What waited for this log, in the order it came. */
  take(log: string): readonly M[] {
    const mine = this.#logs.get(log) ?? [];
    this.#logs.delete(log);
    this.#count -= mine.length;
    return mine;
  }

  #drop(log: string, messages: M[]): number {
    messages.shift();
    if (messages.length === 0) this.#logs.delete(log);
    this.#count -= 1;
    return 1;
  }
}
