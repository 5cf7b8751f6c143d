import type { BrokerLimits } from "./limits.ts";

/** A bucket that fills with time: what is taken beyond it is owed, and the answer is how long to wait. Pure. */
export type Bucket = { readonly tokens: number; readonly atMs: number };
export type BucketRate = { readonly perS: number; readonly burst: number };

export function fullBucket(rate: BucketRate, nowMs: number): Bucket {
  return { tokens: rate.burst, atMs: nowMs };
}

/** Takes `cost`; `waitMs` is the time until the debt is paid, 0 where there is none. */
export function take(
  bucket: Bucket,
  rate: BucketRate,
  cost: number,
  nowMs: number,
): { readonly bucket: Bucket; readonly waitMs: number } {
  const gained = (Math.max(0, nowMs - bucket.atMs) * rate.perS) / 1000;
  const tokens = Math.min(rate.burst, bucket.tokens + gained) - cost;
  const waitMs = tokens < 0 ? Math.ceil((-tokens * 1000) / rate.perS) : 0;
  return { bucket: { tokens, atMs: Math.max(nowMs, bucket.atMs) }, waitMs };
}

/** The rates of one car. They outlive its connections, so that connecting again is no way around them. */
export class CarRates {
  readonly #rates: {
    readonly connects: BucketRate;
    readonly messages: BucketRate;
    readonly bytes: BucketRate;
  };
  #connects: Bucket;
  #messages: Bucket;
  #bytes: Bucket;

  constructor(limits: BrokerLimits, nowMs: number) {
    this.#rates = {
      connects: { perS: 1000 / limits.connectEveryMs, burst: limits.connectsBurst },
      messages: { perS: limits.messagesPerS, burst: limits.messagesBurst },
      bytes: { perS: limits.bytesPerS, burst: limits.bytesBurst },
    };
    this.#connects = fullBucket(this.#rates.connects, nowMs);
    this.#messages = fullBucket(this.#rates.messages, nowMs);
    this.#bytes = fullBucket(this.#rates.bytes, nowMs);
  }

  /** Whether the car may connect now; a refused attempt costs it nothing. */
  connect(nowMs: number): boolean {
    const { bucket, waitMs } = take(this.#connects, this.#rates.connects, 1, nowMs);
    if (waitMs > 0) return false;
    this.#connects = bucket;
    return true;
  }

  /** Charges a packet of this size; the answer is how long it must wait, in ms. */
  packet(bytes: number, nowMs: number): number {
    const messages = take(this.#messages, this.#rates.messages, 1, nowMs);
    const size = take(this.#bytes, this.#rates.bytes, bytes, nowMs);
    this.#messages = messages.bucket;
    this.#bytes = size.bucket;
    return Math.max(messages.waitMs, size.waitMs);
  }
}
