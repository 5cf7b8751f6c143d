/** Keeps one car from filling its tenant's quarantine, where the oldest gives way: a bucket a car. */
import type { Clock } from "@kerbside/protocol";
import type { IngestLimits } from "./limits.ts";
import { Lru } from "./lru.ts";

type Bucket = { readonly left: number; readonly atMs: number };

export class QuarantineGate {
  readonly #buckets: Lru<Bucket>;
  readonly #limits: IngestLimits;
  readonly #clock: Clock;

  constructor(limits: IngestLimits, clock: Clock) {
    this.#buckets = new Lru(limits.vehiclesMax);
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Whether one more message of this car may be kept; counts it if so. */
  admits(car: string): boolean {
    const { quarantineBurst, quarantineEveryMs } = this.#limits;
    const atMs = this.#clock.bootMs();
    const before = this.#buckets.get(car) ?? { left: quarantineBurst, atMs };
    const gained = (atMs - before.atMs) / quarantineEveryMs;
    const left = Math.min(quarantineBurst, before.left + gained);
    this.#buckets.set(car, { left: left < 1 ? left : left - 1, atMs });
    return left >= 1;
  }
}
