/**
 * The one way into quarantine, for what comes on any channel. A bucket a car keeps one from filling what its tenant's cars
 * share: whoever opens a car's module has its key and its certificate, and says as much rubbish as it likes.
 */
import type { Address, Clock, Log, QuarantineEntry, TenantStore } from "@kerbside/protocol";
import type { IngestLimits } from "./limits.ts";
import { Lru } from "./lru.ts";

type Bucket = { readonly left: number; readonly atMs: number };

export type QuarantineCounts = {
  /** Put aside. */
  readonly quarantined: number;
  /** Put aside once and gone for a later one; the car has it, or nobody signed it. */
  readonly evicted: number;
  /** Above the bucket of a car, or without room: a car keeps what of it is its own. */
  readonly refused: number;
};

export type QuarantineOptions = {
  readonly limits: Pick<IngestLimits, "quarantineBurst" | "quarantineEveryMs" | "vehiclesMax">;
  readonly clock: Clock;
  readonly log: Log;
};

export class Quarantine {
  readonly #buckets: Lru<Bucket>;
  readonly #options: QuarantineOptions;
  readonly #counts: { -readonly [K in keyof QuarantineCounts]: number } = {
    quarantined: 0,
    evicted: 0,
    refused: 0,
  };

  constructor(options: QuarantineOptions) {
    this.#buckets = new Lru(options.limits.vehiclesMax);
    this.#options = options;
  }

  counts(): QuarantineCounts {
    return { ...this.#counts };
  }

  /** Says whether it is kept; not where this car has put too much there, or there is no room. Rejects where the store fails. */
  readonly put = async (
    store: Pick<TenantStore, "quarantine">,
    { tenant, vehicle }: Address,
    entry: Omit<QuarantineEntry, "vehicle">,
  ): Promise<boolean> => {
    const { log } = this.#options;
    const { reason } = entry;
    const isAdmitted = this.#admits(`${tenant}.${vehicle}`);
    const done = isAdmitted ? await store.quarantine({ ...entry, vehicle }) : undefined;
    this.#counts.evicted += done?.gaveWay ?? 0;
    if (done?.isKept !== true) {
      this.#counts.refused += 1;
      log.warn("quarantine.full", { tenant, vehicle, reason });
      return false;
    }
    this.#counts.quarantined += 1;
    log.warn("quarantine.put", { tenant, vehicle, reason });
    return true;
  };

  /** Whether one more message of this car may be kept; counts it if so. */
  #admits(car: string): boolean {
    const { quarantineBurst, quarantineEveryMs } = this.#options.limits;
    const atMs = this.#options.clock.bootMs();
    const before = this.#buckets.get(car) ?? { left: quarantineBurst, atMs };
    const gained = (atMs - before.atMs) / quarantineEveryMs;
    const left = Math.min(quarantineBurst, before.left + gained);
    this.#buckets.set(car, { left: left < 1 ? left : left - 1, atMs });
    return left >= 1;
  }
}
