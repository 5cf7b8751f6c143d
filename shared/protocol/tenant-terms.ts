/** What the platform agrees with an operator: where its data is processed, and how much of everything it may have. */
import type { Benchmark, Month } from "./aggregates.ts";
import { ProtocolError } from "./errors.ts";
import type { TenantId } from "./ids.ts";
import type { AuditEntry } from "./store.ts";

/** Of a tenant and of a node for which nothing else is said. */
export const REGION_DEFAULT = "local";
const REGION = /^[a-z][a-z0-9-]{0,31}$/;

/** What is bounded for each tenant, and what the bound is where nothing else is agreed. */
export const QUOTAS = {
  cars: { doc: "cars enrolled, revoked ones apart", otherwise: 20_000 },
  people: { doc: "people kept, erased ones apart", otherwise: 1_000_000 },
  requestsPerMin: {
    doc: "calls of the API each minute; one account may take half",
    otherwise: 30_000,
  },
  storedBytes: { doc: "bytes in its directory", otherwise: 500_000_000_000 },
  ingestBytesPerDay: { doc: "bytes from its cars each day (UTC)", otherwise: 50_000_000_000 },
} as const satisfies Readonly<Record<string, QuotaRow>>;
export type QuotaRow = { readonly doc: string; readonly otherwise: number };
export type QuotaName = keyof typeof QUOTAS;
export type Quotas = Readonly<Record<QuotaName, number>>;
export const QUOTA_NAMES: readonly QuotaName[] = Object.keys(QUOTAS).filter(
  (name): name is QuotaName => Object.hasOwn(QUOTAS, name),
);

export type TenantTerms = {
  /** P-14: processed by nodes of this region alone. Never changes. */
  readonly region: string;
  readonly quotas: Quotas;
};

/** Throws ProtocolError `malformed`. */
export function regionOf(text: string): string {
  if (!REGION.test(text))
    throw new ProtocolError("malformed", "region: expected a–z, 0–9 and hyphens, 1 to 32");
  return text;
}

/** The same as a service sees them: bounds as of now, none where there is nobody to ask. */
export type AgreedTerms = { readonly quotas?: () => Quotas; readonly region?: string };

/** Those that were agreed, and the usual bounds for the rest. Throws ProtocolError `malformed`. */
export function quotasOf(agreed: Readonly<Record<string, unknown>>): Quotas {
  const unknown = Object.keys(agreed).find((name) => !Object.hasOwn(QUOTAS, name));
  if (unknown !== undefined)
    throw new ProtocolError("malformed", `quotas: expected ${QUOTA_NAMES.join(", ")}`);
  const one = (name: QuotaName): number => {
    const value = agreed[name] ?? QUOTAS[name].otherwise;
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
      throw new ProtocolError("malformed", `quota ${name}: expected a whole number`);
    return value;
  };
  return {
    cars: one("cars"),
    people: one("people"),
    requestsPerMin: one("requestsPerMin"),
    storedBytes: one("storedBytes"),
    ingestBytesPerDay: one("ingestBytesPerDay"),
  };
}

/** Throws ProtocolError `limit_reached` where there would be more than was agreed. */
export function withinQuota(name: QuotaName, there: number, quotas: Quotas): void {
  if (there >= quotas[name])
    throw new ProtocolError(
      "limit_reached",
      `quota ${name}: expected at most ${quotas[name]}, as agreed with the platform`,
    );
}

export type PlatformTenant = TenantTerms & {
  readonly tenant: string;
  /** `ordered`: its keys are still to be made, by whoever has those of all services. */
  readonly state: "ready" | "ordered" | "failed";
  readonly sinceMs: number;
  /** Of `failed`: a code of the table of errors. */
  readonly why?: string;
};

/** The operators on this platform, for who runs it. Everything is in the platform's audit trail. */
export type PlatformDesk = {
  readonly tenants: () => Promise<readonly PlatformTenant[]>;
  /** Rejects with `conflict` where it is there or ordered already. */
  readonly order: (tenant: TenantId, terms: TenantTerms, audit: AuditEntry) => Promise<void>;
  /** Other bounds; those that are left out stay. Rejects with `not_found`. */
  readonly agree: (
    tenant: TenantId,
    quotas: Partial<Quotas>,
    audit: AuditEntry,
  ) => Promise<PlatformTenant>;
  /** Takes it away for good; the certificate of it (P-83). Rejects with `not_found`. */
  readonly remove: (
    tenant: TenantId,
    audit: AuditEntry,
  ) => Promise<{
    readonly statement: string;
    readonly signature: string;
    readonly publicKey: string;
  }>;
  /**
   * Over all tenants of a region that is served here (P-15); each of them reads in its own trail that it was counted.
   * Rejects with `not_found`.
   */
  readonly benchmark: (region: string, month: Month, audit: AuditEntry) => Promise<Benchmark>;
};
