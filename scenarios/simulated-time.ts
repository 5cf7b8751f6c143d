/**
 * One clock for everything in a simulated world, and what is due on it. Time moves only when nothing is under way any
 * more: promises, files and the signer's socket have all settled, so that no answer ever comes late by the machine.
 */
import type { Clock, Timer } from "@kerbside/protocol";

type Due = { readonly atMs: number; readonly order: number; readonly run: () => void };

/** Turns of the event loop that must pass quietly before time moves on. */
const QUIET_TURNS = 1;
/** While a request is answered there is more between two turns than promises. */
const QUIET_TURNS_ASKED = 6;
/** Something that takes longer, in real time, will never end: better to say so. */
const SETTLE_MS_MAX = 30_000;

export class SimulatedTime {
  nowMs = 0;
  readonly wallStartMs: number;
  #heap: Due[] = [];
  #order = 0;
  #busy = 0;
  #asked = 0;

  constructor(wallStartMs: number) {
    this.wallStartMs = wallStartMs;
  }

  /** Of a machine whose wall clock is right. */
  clock(): Clock {
    return {
      bootMs: () => this.nowMs,
      wallMs: () => this.wallStartMs + this.nowMs,
      after: (delayMs, run) => this.after(delayMs, run),
    };
  }

  after(delayMs: number, run: () => void): Timer {
    this.#order += 1;
    // Clocks tell whole milliseconds.
    const atMs = this.nowMs + Math.ceil(Math.max(0, delayMs));
    let isLive = true;
    this.#push({
      atMs,
      order: this.#order,
      run: () => {
        if (!isLive) return;
        isLive = false;
        run();
      },
    });
    return {
      cancel: () => {
        isLive = false;
      },
    };
  }

  /** Time stands still while `work` goes on: something outside of the simulation, such as a socket, answers it. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    this.#busy += 1;
    try {
      return await work();
    } finally {
      this.#busy -= 1;
    }
  }

  async pass(ms: number): Promise<void> {
    await this.#to(this.nowMs + ms, () => false);
  }

  /** Lets time pass until `work` has come to its end: something that goes on in the simulation. Rejects as it does. */
  async during<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    work.then(over, over);
    await this.#to(Number.POSITIVE_INFINITY, () => isOver);
    return await work;
  }

  /** As `during`, of something that turns of the event loop carry on too: a request, a start, an end. */
  async answered<T>(work: Promise<T>): Promise<T> {
    this.#asked += 1;
    try {
      return await this.during(work);
    } finally {
      this.#asked -= 1;
    }
  }

  async #to(untilMs: number, isOver: () => boolean): Promise<void> {
    await this.#settle();
    while (!isOver()) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, next.atMs);
      // All of one moment, before anything looks at what came of it.
      for (let due = this.#heap[0]; due !== undefined && due.atMs <= this.nowMs; ) {
        this.#pop();
        due.run();
        due = this.#heap[0];
      }
      await this.#settle();
    }
    if (isOver()) return;
    if (!Number.isFinite(untilMs)) throw new Error("nothing is due any more: it will never end");
    this.nowMs = untilMs;
  }

  async #settle(): Promise<void> {
    const wanted = this.#asked > 0 ? QUIET_TURNS_ASKED : QUIET_TURNS;
    let startedMs: number | undefined;
    for (let quiet = 0; quiet < wanted; ) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (this.#busy === 0 && !isFileWorkUnderWay()) {
        quiet += 1;
        continue;
      }
      quiet = 0;
      startedMs ??= performance.now();
      if (performance.now() - startedMs > SETTLE_MS_MAX)
        throw new Error(`something is under way for ${SETTLE_MS_MAX} ms: it will never settle`);
    }
  }

  #push(due: Due): void {
    const heap = this.#heap;
    heap.push(due);
    for (let at = heap.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#swapIfLess(at, parent)) return;
      at = parent;
    }
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (heap.length === 0 || last === undefined) return;
    heap[0] = last;
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      const right = left + 1;
      const child = right < heap.length && this.#isLess(right, left) ? right : left;
      if (child >= heap.length || !this.#swapIfLess(child, at)) return;
      at = child;
    }
  }

  #isLess(a: number, b: number): boolean {
    const [one, other] = [this.#heap[a], this.#heap[b]];
    if (one === undefined || other === undefined) return false;
    return one.atMs !== other.atMs ? one.atMs < other.atMs : one.order < other.order;
  }

  #swapIfLess(a: number, b: number): boolean {
    const [one, other] = [this.#heap[a], this.#heap[b]];
    if (one === undefined || other === undefined || !this.#isLess(a, b)) return false;
    this.#heap[a] = other;
    this.#heap[b] = one;
    return true;
  }
}

/** Files are written by threads; the event loop knows of each that it waits for. */
function isFileWorkUnderWay(): boolean {
  return process
    .getActiveResourcesInfo()
    .some((name) => name.startsWith("FSReq") || name === "CloseReq");
}
