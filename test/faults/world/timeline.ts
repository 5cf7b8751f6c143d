/** The one clock of a simulated world, and what is due on it. */
import type { Timer } from "@kerbside/protocol";

type Due = { readonly atMs: number; readonly run: () => void };

export class Timeline {
  nowMs = 0;
  #queue: Due[] = [];

  after(delayMs: number, run: () => void): Timer {
    // Clocks of cars and clouds tell whole milliseconds.
    const due = { atMs: this.nowMs + Math.ceil(Math.max(0, delayMs)), run };
    // Behind what is due at the same moment.
    let at = this.#queue.length;
    while (at > 0 && (this.#queue[at - 1]?.atMs ?? 0) > due.atMs) at -= 1;
    this.#queue.splice(at, 0, due);
    return {
      cancel: () => {
        const found = this.#queue.indexOf(due);
        if (found >= 0) this.#queue.splice(found, 1);
      },
    };
  }

  /** Runs what is due next, if that is by `untilMs`; says whether there was anything. */
  step(untilMs: number): boolean {
    const next = this.#queue[0];
    if (next === undefined || next.atMs > untilMs) {
      this.nowMs = Math.max(this.nowMs, untilMs);
      return false;
    }
    this.#queue.shift();
    this.nowMs = Math.max(this.nowMs, next.atMs);
    next.run();
    return true;
  }
}

/** Lets everything go on that waits for nothing but its turn. */
export async function settle(turns: number): Promise<void> {
  for (let i = 0; i < turns; i += 1) await new Promise((done) => setImmediate(done));
}
