/**
 * How often the signer signs for a car and for a tenant: token buckets in a ledger that outlives it and that several
 * signers share. They bound what somebody who took over the API can do with tokens that are alive there. A few tokens are
 * taken out of the ledger at a time, before any of them is used: a signer that is killed loses them, and never gains any.
 */
import { type Clock, ProtocolError } from "@kerbside/protocol";

export type Rate = { readonly perS: number; readonly burst: number };
export type SignerRates = { readonly vehicle: Rate; readonly tenant: Rate };
/** A car takes a command a second at the very most; a tenant's whole fleet fifty. */
export const SIGNER_RATES: SignerRates = {
  vehicle: { perS: 1, burst: 10 },
  tenant: { perS: 50, burst: 200 },
};

/** How full a bucket was, and when: Unix time, because it outlives a start of the machine. */
export type Bucket = { readonly level: number; readonly atMs: number };
/** The buckets, wherever they are kept. */
export type RateLedger = {
  /**
   * Puts what `change` makes of the bucket of `key` in its place, one change after another whoever asks. Durable when it
   * resolves. Undefined is a bucket that was not used for `BUCKET_MS_MAX`.
   */
  readonly update: <T>(
    key: string,
    change: (before: Bucket | undefined) => { readonly after: Bucket; readonly value: T },
  ) => Promise<T>;
};
/** After this every bucket is full again, and need not be remembered. */
export const BUCKET_MS_MAX = 60_000;

/** What part of a burst is taken at a time. */
const LEASE_PART = 0.2;
/** Tokens that were taken and not used by then are gone, so that no signer saves up beside the ledger. */
const LEASE_MS = 5000;
/** Keys whose tokens are at hand; beyond it those of the one that came first are lost. */
const LEASES_MAX = 10_000;

type Lease = { left: number; readonly untilMs: number };

export class Rates {
  readonly #clock: Clock;
  readonly #ledger: RateLedger;
  readonly #leases = new Map<string, Lease>();

  constructor(clock: Clock, ledger: RateLedger) {
    this.#clock = clock;
    this.#ledger = ledger;
  }

  /** One that was taken for what came to nothing, for whoever asks next. */
  giveBack(key: string): void {
    const lease = this.#leases.get(key);
    if (lease !== undefined) lease.left += 1;
  }

  /** Takes one for `key`. Throws ProtocolError `limit_reached` if there is none, `storage_failed` if that is not known. */
  async take(key: string, rate: Rate): Promise<void> {
    const nowMs = this.#clock.bootMs();
    const lease = this.#leases.get(key);
    if (lease !== undefined && lease.left > 0 && nowMs < lease.untilMs) {
      lease.left -= 1;
      return;
    }
    const want = Math.max(1, Math.floor(rate.burst * LEASE_PART));
    const wallMs = this.#clock.wallMs();
    const taken = await this.#ledger.update(key, (before) =>
      takeTokens(before, wallMs, rate, want),
    );
    if (taken < 1) {
      throw new ProtocolError("limit_reached", `rate: at most ${rate.perS} a second`);
    }
    // Another request may have taken tokens meanwhile; what is left of both is at hand.
    const before = this.#leases.get(key);
    const kept = before !== undefined && nowMs < before.untilMs ? before.left : 0;
    this.#leases.delete(key);
    this.#leases.set(key, { left: kept + taken - 1, untilMs: nowMs + LEASE_MS });
    const [oldest] = this.#leases.size > LEASES_MAX ? this.#leases.keys() : [];
    if (oldest !== undefined) this.#leases.delete(oldest);
  }
}

/** What is taken of a bucket, and what it is then. Pure. A clock that went back counts as no time passed. */
export function takeTokens(
  before: Bucket | undefined,
  nowMs: number,
  { perS, burst }: Rate,
  want: number,
): { readonly after: Bucket; readonly value: number } {
  const { level, atMs } = before ?? { level: burst, atMs: nowMs };
  const full = Math.min(burst, level + (Math.max(0, nowMs - atMs) * perS) / 1000);
  const taken = Math.max(0, Math.min(want, Math.floor(full)));
  return { after: { level: full - taken, atMs: nowMs }, value: taken };
}

/** In memory, for a signer that is alone and may forget. */
export function memoryLedger(): RateLedger {
  const buckets = new Map<string, Bucket>();
  return {
    update: async (key, change) => {
      const { after, value } = change(buckets.get(key));
      buckets.set(key, after);
      return value;
    },
  };
}
