/** Segments of one tenant that arrive together are stored together: one transaction for all that waits. */
import {
  type OpenedSegment,
  ProtocolError,
  type SegmentOutcome,
  type TenantStore,
} from "@kerbside/protocol";

type Waiting = {
  readonly segment: OpenedSegment;
  readonly resolve: (outcome: SegmentOutcome) => void;
  readonly reject: (error: unknown) => void;
};

export class Committer {
  readonly #store: Pick<TenantStore, "commitSegments">;
  readonly #batchMax: number;
  #waiting: Waiting[] = [];
  #running = false;

  constructor(store: Pick<TenantStore, "commitSegments">, batchMax: number) {
    this.#store = store;
    this.#batchMax = batchMax;
  }

  /** Resolves once the segment is stored; rejects with what the store says, and then it is not. */
  commit(segment: OpenedSegment): Promise<SegmentOutcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ segment, resolve, reject });
      if (this.#running) return;
      this.#running = true;
      // After what is under way in this turn has been read, so that it goes along.
      setImmediate(() => void this.#run());
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, this.#batchMax);
      await this.#storeBatch(batch);
    }
    this.#running = false;
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
