/** What a fleet comes to: counters, and delays in a histogram of bounded size. */

/** Upper bounds of the classes, ms: each a tenth wider than the one before, up to a day. */
const BOUNDS: readonly number[] = Array.from({ length: 192 }, (_, i) => 1.1 ** i);

export class Delays {
  readonly #counts = new Float64Array(BOUNDS.length + 1);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(ms: number): void {
    let [low, high] = [0, BOUNDS.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((BOUNDS[middle] ?? 0) < ms) low = middle + 1;
      else high = middle;
    }
    this.#counts[low] = (this.#counts[low] ?? 0) + 1;
    this.#count += 1;
  }

  /** The delay that `part` of all stay within, to a tenth; 0 where there is none. */
  within(part: number): number {
    let left = part * this.#count;
    for (const [i, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0 && this.#count > 0) return Math.round(BOUNDS[i] ?? BOUNDS.at(-1) ?? 0);
    }
    return 0;
  }
}

export type FleetFigures = {
  readonly cars: number;
  readonly connected: number;
  readonly driving: number;
  /** Since the beginning. */
  readonly seconds: number;
  readonly eventsMade: number;
  readonly eventsStored: number;
  readonly eventsWaiting: number;
  /** Made, neither stored nor waiting: must be 0. */
  readonly eventsLost: number;
  /** Not made, for a car held too much already. */
  readonly eventsRefused: number;
  readonly segmentsSent: number;
  readonly bytesSent: number;
  readonly connections: number;
  readonly acksIgnored: number;
  /** From an event's making to its acknowledgement, ms. */
  readonly delayMs: { readonly p50: number; readonly p95: number; readonly p99: number };
  /** In the last interval, a second. */
  readonly rates: { readonly made: number; readonly stored: number; readonly bytes: number };
  readonly rssMb: number;
  /** Of one processor, in the last interval. */
  readonly cpuPart: number;
};
