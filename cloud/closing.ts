/** Undone in reverse, each step whatever became of the others. */
export class Closing {
  readonly #steps: (() => Promise<void> | void)[] = [];
  readonly #begun = new AbortController();

  /** Aborted as the undoing begins. */
  get signal(): AbortSignal {
    return this.#begun.signal;
  }

  add(step: () => Promise<void> | void): void {
    this.#steps.push(step);
  }

  /** The part itself, to be closed in its turn. */
  keep<T extends { readonly close: () => Promise<void> | void }>(part: T): T {
    this.add(() => part.close());
    return part;
  }

  async run(): Promise<void> {
    this.#begun.abort();
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop())
      await Promise.allSettled([step()]);
  }
}
