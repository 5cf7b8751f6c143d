/**
 * What a tenant's cars may send and its directory may hold. Above either bound `track` and `state` are not taken: they
 * stay in the cars, which keep them as long as they have room and send them when there is some here; `critical` is
 * always taken. Bytes are counted for all nodes together, each adding its own every few seconds.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  type Clock,
  type Log,
  ProtocolError,
  type Quotas,
  type SourceMessage,
  type TenantId,
  type Timer,
} from "@kerbside/protocol";
import type { IngestUsage } from "@kerbside/tenants";

const DAY_MS = 86_400_000;
const ADD_EVERY_MS = 5000;
/** How often a directory is measured, while its tenant's cars send. */
const MEASURE_EVERY_MS = 60_000;

type Account = {
  /** As of when it was last looked at. */
  readonly quotas: Quotas;
  readonly day: number;
  /** Of all nodes, as of when this one last added. */
  readonly known: number;
  /** Since then. */
  readonly own: number;
  readonly stored: number;
  readonly measuredMs: number;
  readonly isOver: boolean;
};

export type IngestQuotaParts = {
  readonly usage: IngestUsage;
  readonly quotas: (tenant: TenantId) => Quotas | undefined;
  /** Where the tenant's files are. */
  readonly directory: (tenant: TenantId) => string | undefined;
  readonly clock: Clock;
  readonly log: Log;
};

export class IngestQuota {
  readonly #parts: IngestQuotaParts;
  readonly #accounts = new Map<TenantId, Account>();
  #timer: Timer;

  constructor(parts: IngestQuotaParts) {
    this.#parts = parts;
    this.#timer = parts.clock.after(ADD_EVERY_MS, () => this.#round());
  }

  /** Throws ProtocolError `limit_reached`: the message is not taken, and the car keeps what is in it. */
  take({ topic, payload }: SourceMessage): void {
    if (topic.channel !== "up") return;
    const { tenant } = topic;
    const account = this.#accountOf(tenant);
    if (account === undefined) return;
    const { quotas } = account;
    const sent = account.known + account.own;
    const isOver = sent >= quotas.ingestBytesPerDay || account.stored >= quotas.storedBytes;
    const isTaken = !isOver || topic.lane === "critical";
    if (isOver && !account.isOver) this.#parts.log.warn("ingest.over_quota", { tenant });
    const own = account.own + (isTaken ? payload.length : 0);
    this.#accounts.set(tenant, { ...account, own, isOver });
    if (isTaken) return;
    const name = sent >= quotas.ingestBytesPerDay ? "ingestBytesPerDay" : "storedBytes";
    throw new ProtocolError("limit_reached", `quota ${name}: expected at most ${quotas[name]}`);
  }

  close(): void {
    this.#timer.cancel();
    this.#add();
  }

  /** Undefined where there is no such tenant: ingest says so. */
  #accountOf(tenant: TenantId): Account | undefined {
    const day = Math.floor(this.#parts.clock.wallMs() / DAY_MS);
    const account = this.#accounts.get(tenant);
    if (account?.day === day) return account;
    const quotas = this.#parts.quotas(tenant);
    if (quotas === undefined) return undefined;
    const known = this.#parts.usage.add(tenant, day, 0);
    const stored = account?.stored ?? this.#measure(tenant);
    const measuredMs = account?.measuredMs ?? this.#parts.clock.bootMs();
    return { quotas, day, known, own: 0, stored, measuredMs, isOver: false };
  }

  #measure(tenant: TenantId): number {
    const directory = this.#parts.directory(tenant);
    return directory === undefined ? 0 : bytesUnder(directory);
  }

  #round(): void {
    this.#add();
    this.#timer = this.#parts.clock.after(ADD_EVERY_MS, () => this.#round());
  }

  /** A store that fails now is tried again with the next round: what is its own stays counted. */
  #add(): void {
    const { clock, usage, log } = this.#parts;
    for (const [tenant, account] of this.#accounts)
      try {
        const quotas = this.#parts.quotas(tenant);
        if (quotas === undefined) {
          this.#accounts.delete(tenant);
          continue;
        }
        const known = usage.add(tenant, account.day, account.own);
        const isDue = clock.bootMs() - account.measuredMs >= MEASURE_EVERY_MS;
        const measured = isDue ? { stored: this.#measure(tenant), measuredMs: clock.bootMs() } : {};
        this.#accounts.set(tenant, { ...account, ...measured, quotas, known, own: 0 });
      } catch (error) {
        const code = error instanceof ProtocolError ? error.code : "unexpected";
        log.warn("ingest.usage_failed", { tenant, code });
      }
  }
}

/** Of all files below; what goes away meanwhile counts nothing. */
export function bytesUnder(directory: string): number {
  let bytes = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true }))
    if (entry.isFile())
      bytes += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0;
  return bytes;
}
