/**
 * Token buckets, by key. They bound what somebody who took over the API can do with tokens that are alive there. Kept
 * in memory of each signer: after a restart they are full again, and several signers allow as many times as much.
 */
import { type Clock, ProtocolError } from "@kerbside/protocol";

type Rate = { readonly perS: number; readonly burst: number };
export type SignerRates = { readonly vehicle: Rate; readonly tenant: Rate };
/** A car takes a command a second at the very most; a tenant's whole fleet fifty. */
export const SIGNER_RATES: SignerRates = {
  vehicle: { perS: 1, burst: 10 },
  tenant: { perS: 50, burst: 200 },
};
/** Beyond this many keys the longest unused one is forgotten: it is most likely full. */
const KEYS_MAX = 100_000;

type Bucket = { level: number; atMs: number };

export class Rates {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes one from the bucket of `key`. Throws ProtocolError `limit_reached` if it is empty. */
  take(key: string, rate: Rate): void {
    const nowMs = this.#clock.bootMs();
    const before = this.#buckets.get(key) ?? { level: rate.burst, atMs: nowMs };
    const refilled = before.level + ((nowMs - before.atMs) * rate.perS) / 1000;
    const level = Math.min(rate.burst, refilled);
    if (level < 1) {
      throw new ProtocolError("limit_reached", `rate: at most ${rate.perS} a second`);
    }
    this.#buckets.delete(key);
    this.#buckets.set(key, { level: level - 1, atMs: nowMs });
    if (this.#buckets.size > KEYS_MAX) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
  }
}
