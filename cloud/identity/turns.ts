/** Runs what has the same key one after the other, and refuses what would make the queue longer than `waitingMax`. */
export class Turns {
  readonly #tails = new Map<string, { readonly last: Promise<void>; readonly count: number }>();
  readonly #waitingMax: number;

  constructor(waitingMax: number) {
    this.#waitingMax = waitingMax;
  }

  /** Resolves as `run` does, after those before it; undefined: too many wait, and it is not run. */
  take(key: string, run: () => Promise<void>): Promise<void> | undefined {
    const { last, count } = this.#tails.get(key) ?? { last: Promise.resolve(), count: 0 };
    if (count >= this.#waitingMax) return undefined;
    const mine = last.then(run);
    const settled = mine.catch(() => undefined);
    this.#tails.set(key, { last: settled, count: count + 1 });
    settled.then(() => this.#done(key)).catch(() => undefined);
    return mine;
  }

  #done(key: string): void {
    const tail = this.#tails.get(key);
    if (tail === undefined || tail.count <= 1) this.#tails.delete(key);
    else this.#tails.set(key, { ...tail, count: tail.count - 1 });
  }
}
