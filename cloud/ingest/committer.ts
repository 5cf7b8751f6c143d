/**
 * Segments of one tenant that arrive together are stored together, in transactions of a bounded size. Cars take turns in
 * them, and after each transaction whoever else waits has a turn of the thread: a car with a backlog of weeks makes
 * neither the other cars nor the other tenants wait longer than a transaction each.
 */
import {
  NO_TRACES,
  type OpenedSegment,
  ProtocolError,
  type SegmentOutcome,
  type TenantStore,
  type Tracing,
} from "@kerbside/protocol";
import type { IngestLimits } from "./limits.ts";

type Waiting = {
  readonly segment: OpenedSegment;
  readonly resolve: (outcome: SegmentOutcome) => void;
  readonly reject: (error: unknown) => void;
};

export class Committer {
  readonly #store: Pick<TenantStore, "commitSegments">;
  readonly #limits: Pick<IngestLimits, "batchSegmentsMax" | "batchEventsMax">;
  readonly #tracing: Tracing;
  /** By car, in the order in which the cars have their turns. */
  readonly #waiting = new Map<string, Waiting[]>();
  #running = false;

  constructor(
    store: Pick<TenantStore, "commitSegments">,
    limits: Pick<IngestLimits, "batchSegmentsMax" | "batchEventsMax">,
    tracing: Tracing = NO_TRACES,
  ) {
    this.#store = store;
    this.#tracing = tracing;
    this.#limits = limits;
  }

  /** Resolves once the segment is stored; rejects with what the store says, and then it is not. */
  commit(segment: OpenedSegment): Promise<SegmentOutcome> {
    return this.#tracing.span("ingest.store", {}, () => this.#commit(segment));
  }

  #commit(segment: OpenedSegment): Promise<SegmentOutcome> {
    return new Promise((resolve, reject) => {
      const { vehicle } = segment.header;
      const mine = this.#waiting.get(vehicle) ?? [];
      this.#waiting.set(vehicle, mine);
      mine.push({ segment, resolve, reject });
      if (this.#running) return;
      this.#running = true;
      // After what is under way in this turn has been read, so that it goes along.
      this.#tracing.apart(() => setImmediate(() => void this.#run()));
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.size > 0) {
      await this.#storeBatch(this.#next());
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#running = false;
  }

  /** One segment of each car in turn, until the transaction is full. At least one. */
  #next(): readonly Waiting[] {
    const { batchSegmentsMax, batchEventsMax } = this.#limits;
    const batch: Waiting[] = [];
    for (let events = 0; batch.length < batchSegmentsMax; ) {
      const [turn] = this.#waiting;
      if (turn === undefined) break;
      const [car, mine] = turn;
      const [first] = mine;
      const count = first?.segment.header.count ?? 0;
      if (batch.length > 0 && events + count > batchEventsMax) break;
      this.#waiting.delete(car);
      mine.shift();
      // Behind all others.
      if (mine.length > 0) this.#waiting.set(car, mine);
      if (first === undefined) continue;
      batch.push(first);
      events += count;
    }
    return batch;
  }

  /** One that the store refuses for what it is does not take the others down with it. */
  async #storeBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      const outcomes = await this.#store.commitSegments(batch.map(({ segment }) => segment));
      for (const [i, { resolve, reject }] of batch.entries()) {
        const outcome = outcomes[i];
        if (outcome !== undefined) resolve(outcome);
        else reject(new ProtocolError("storage_failed", "segment: the store said nothing of it"));
      }
    } catch (error) {
      const one = batch.length === 1;
      const mine = error instanceof ProtocolError && error.code !== "storage_failed" && !one;
      if (mine) for (const waiting of batch) await this.#storeBatch([waiting]);
      else for (const { reject } of batch) reject(error);
    }
  }
}
