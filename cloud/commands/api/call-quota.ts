/**
 * How many calls a tenant and each of its accounts may make (P-63): a bucket each that fills up over a minute. One
 * account gets at most half of what its tenant has, so that one program gone wild leaves room for the others. It is
 * this process's own count, and forgotten with it.
 */
import { type Caller, type Clock, ProtocolError, type Quotas } from "@kerbside/protocol";

const MINUTE_MS = 60_000;
const ACCOUNT_PART = 0.5;
/** Buckets remembered; the longest unused is forgotten first. */
const BUCKETS_MAX = 20_000;

type Bucket = { readonly left: number; readonly atMs: number };

export class CallQuota {
  readonly #buckets = new Map<string, Bucket>();
  readonly #clock: Pick<Clock, "bootMs">;

  constructor(clock: Pick<Clock, "bootMs">) {
    this.#clock = clock;
  }

  /** Throws ProtocolError `limit_reached`; then nothing was taken. */
  take({ tenant, subject }: Pick<Caller, "tenant" | "subject">, quotas: Quotas): void {
    const perMin = quotas.requestsPerMin;
    const account = Math.max(1, Math.floor(perMin * ACCOUNT_PART));
    const buckets = [
      { name: `${tenant}/${subject}`, perMin: account, whose: "account" },
      { name: tenant, perMin, whose: "tenant" },
    ] as const;
    const full = buckets.find((bucket) => this.#left(bucket.name, bucket.perMin) < 1);
    if (full !== undefined)
      throw new ProtocolError(
        "limit_reached",
        `requests: expected at most ${full.perMin} a minute of this ${full.whose}`,
      );
    for (const { name, perMin: bound } of buckets) this.#set(name, this.#left(name, bound) - 1);
  }

  #left(name: string, perMin: number): number {
    const known = this.#buckets.get(name);
    if (known === undefined) return perMin;
    const grown = ((this.#clock.bootMs() - known.atMs) * perMin) / MINUTE_MS;
    return Math.min(perMin, known.left + grown);
  }

  #set(name: string, left: number): void {
    this.#buckets.delete(name);
    this.#buckets.set(name, { left, atMs: this.#clock.bootMs() });
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > BUCKETS_MAX && oldest !== undefined) this.#buckets.delete(oldest);
  }
}
