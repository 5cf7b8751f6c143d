/** Follows the car by what the tenant's store holds: the demo tells nothing that did not get there. */
import { setTimeout as delay } from "node:timers/promises";
import { type Backend, told } from "./api.ts";
import { placeOf, type StoredEvent, storedSince, tell } from "./events.ts";
import { VEHICLE } from "./parts.ts";
import { step } from "./print.ts";
import { DemoError } from "./processes.ts";

const POLL_MS = 500;
const ONLINE_MS_MAX = 60_000;
/** A car that stands has nothing more to say by then. */
const SETTLE_MS_MAX = 5000;
/** While nothing but samples arrive, one line sums them up this often. */
const SAMPLES_TOLD_EVERY = 30;
/** Events may be older than the demo by the clock's doubt and the buffer's windows. */
const SPARE_MS = 10_000;

export class Watch {
  readonly backend: Backend;
  readonly #sinceMs: number;
  readonly #told: Set<string>;
  #samples = 0;

  private constructor(backend: Backend, sinceMs: number, told: Set<string>) {
    this.backend = backend;
    this.#sinceMs = sinceMs;
    this.#told = told;
  }

  /** Begins now: what is in the store already is not told again. */
  static async begin(backend: Backend): Promise<Watch> {
    const sinceMs = Date.now() - SPARE_MS;
    const { events } = await storedSince(backend, sinceMs);
    return new Watch(backend, sinceMs, new Set(events.map(placeOf)));
  }

  async untilOnline(): Promise<void> {
    const deadline = Date.now() + ONLINE_MS_MAX;
    while (Date.now() < deadline) {
      const { items } = await told(this.backend.client.call("listVehicles"));
      if (items.some(({ vehicle, online }) => vehicle === VEHICLE && online)) return;
      await delay(POLL_MS);
    }
    throw new DemoError(
      `${VEHICLE} did not come online within ${ONLINE_MS_MAX / 1000} s; see the logs`,
    );
  }

  /** The car says how it stands when it begins: one line for all of it. */
  async tellBeginning(): Promise<void> {
    const before = this.#told.size;
    const deadline = Date.now() + SETTLE_MS_MAX;
    for (let seen = -1; seen !== this.#told.size && Date.now() < deadline; ) {
      seen = this.#told.size;
      await delay(2 * POLL_MS);
      const { events } = await storedSince(this.backend, this.#sinceMs);
      for (const event of events) this.#told.add(placeOf(event));
    }
    step("car", `said how it stands: ${this.#told.size - before} events are in the store`);
  }

  /** Tells what is new in the store. */
  async tellNews(): Promise<void> {
    const { events } = await storedSince(this.backend, this.#sinceMs);
    const fresh = events.filter((event) => !this.#told.has(placeOf(event)));
    fresh.sort((a, b) => a.at.localeCompare(b.at));
    for (const event of fresh) this.#tellOne(event);
  }

  #tellOne(event: StoredEvent): void {
    this.#told.add(placeOf(event));
    const words = tell(event);
    if (words !== undefined) step("car", words);
    else {
      this.#samples += 1;
      if (this.#samples % SAMPLES_TOLD_EVERY === 0)
        step("car", `${this.#samples} samples of its drive are stored`);
    }
  }

  /** Tells news while `work` goes on. */
  async during<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const mark = (): void => {
      done = true;
    };
    work.then(mark, mark);
    while (!done) {
      await Promise.race([work.catch(() => undefined), delay(POLL_MS)]);
      await this.tellNews();
    }
    return await work;
  }

  /** Tells news until the demo is ended; says why it could not go on. */
  async follow(): Promise<string> {
    for (;;) {
      await delay(2 * POLL_MS);
      await this.tellNews();
    }
  }
}
