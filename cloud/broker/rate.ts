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
