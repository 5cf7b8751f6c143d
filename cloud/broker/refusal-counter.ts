/**
 * Counts what is refused (P-53), and slows down network addresses that are refused again and again (P-63). Cars behind
 * one mobile network's address share its bucket, so it is generous; it never looks at connections that were accepted.
 */
import type { Clock, Log } from "@kerbside/protocol";
import type { BrokerLimits } from "./limits.ts";
import { type Bucket, fullBucket, take } from "./rate.ts";
import { REFUSALS, type Refusal } from "./refusals.ts";

export class RefusalCounter {
  readonly #counts: Record<Refusal, number>;
  readonly #buckets = new Map<string, Bucket>();
  readonly #limits: BrokerLimits;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(limits: BrokerLimits, clock: Clock, log: Log) {
    this.#limits = limits;
    this.#clock = clock;
    this.#log = log;
    const zeros = REFUSALS.map((refusal): [Refusal, number] => [refusal, 0]);
    this.#counts = Object.fromEntries(zeros) as Record<Refusal, number>;
  }

  /** Records a refusal; the address goes into no log. */
  refused(refusal: Refusal, address: string | undefined, detail?: string): void {
    this.#counts[refusal] += 1;
    this.#log.warn("broker.refused", { refusal, ...(detail === undefined ? {} : { detail }) });
    if (address === undefined) return;
    const rate = this.#rate();
    const now = this.#clock.bootMs();
    const { bucket } = take(this.#buckets.get(address) ?? fullBucket(rate, now), rate, 1, now);
    this.#buckets.delete(address);
    this.#buckets.set(address, bucket);
    // In the order of their last refusal; what is full again says nothing any more (P-22).
    for (const [oldest, known] of this.#buckets) {
      const isFull = take(known, rate, 0, now).bucket.tokens >= rate.burst;
      if (this.#buckets.size <= this.#limits.addressesMax && !isFull) break;
      this.#buckets.delete(oldest);
    }
  }

  /** Whether connections of this address are closed unread for now. */
  blocked(address: string | undefined): boolean {
    const bucket = address === undefined ? undefined : this.#buckets.get(address);
    if (bucket === undefined) return false;
    return take(bucket, this.#rate(), 1, this.#clock.bootMs()).waitMs > 0;
  }

  /** Counts one that was closed for its address, without making the address's debt longer. */
  closedUnread(refusal: Refusal): void {
    this.#counts[refusal] += 1;
  }

  counts(): Readonly<Record<Refusal, number>> {
    return { ...this.#counts };
  }

  #rate(): { readonly perS: number; readonly burst: number } {
    return { perS: 1000 / this.#limits.refusalEveryMs, burst: this.#limits.refusalsMax };
  }
}
