/**
 * Which tenants there are, and where each one's store and vaults lie: under a random UUID, so that no id becomes a
 * path. A tenant exists from the moment its row is committed, when all that belongs to it is in place.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import {
  type AuditEntry,
  cryptoReady,
  KEY_BYTES,
  type PlatformDesk,
  ProtocolError,
  quotasOf,
  REGION_DEFAULT,
  randomBytes,
  type TenantId,
  type TenantTerms,
  tenantId,
  type Vault,
} from "@kerbside/protocol";
import { type AnchorCopies, anchorCopies, type HeadCopy } from "./anchor-copies.ts";
import { anchorOf, PLATFORM, type PlatformAudited } from "./anchors.ts";
import type { AuditReport } from "./audit-chain.ts";
import { auditKeys } from "./audit-keys.ts";
import { benchmarkDesk } from "./benchmark.ts";
import type { ErasureCertificate } from "./erasure.ts";
import { makeDirectory, syncDirectory } from "./files.ts";
import { type Incidents, incidentTable } from "./incidents.ts";
import { PAYMENTS_SECRET, paymentProvider } from "./payment-provider.ts";
import { type Platform, platformTables } from "./platform.ts";
import { openFiles } from "./platform-files.ts";
import { ANCHOR_CLASSES, PLATFORM_CLASSES } from "./platform-schema.ts";
import { platformTrail } from "./platform-trail.ts";
import { admitIssuer, rotateKeys, type TenantVaults } from "./registry-changes.ts";
import {
  type Context,
  directoryOf,
  hasKeys,
  ISSUER_VAULT,
  NODE_VAULT,
  ownerOf,
  SIGNER_VAULT,
  trailOf,
} from "./registry-context.ts";
import { schemaProblems } from "./schema-check.ts";
import { openTenantStore, type SqliteTenantStore } from "./store.ts";
import {
  type IngestUsage,
  ingestUsage,
  type Orders,
  orderDesk,
  putTerms,
  readTerms,
} from "./terms.ts";
import { addVersion, transitKeys } from "./transit.ts";
import { noteMaking, removeTenant, settleAll, settled, takeAway } from "./unsettled.ts";
import { type FileVault, openVault } from "./vault.ts";

export const TENANTS_MAX = 1000;

export type Tenant = { readonly store: SqliteTenantStore; readonly vault: Vault };
/** A tenant while it is being made: both vaults are open for writing. */
export type NewTenant = Tenant & { readonly signerVault: Vault };

/** The tenants as one service sees them: each with the vault that is this service's, open for reading. */
export type Tenants = {
  /** Those that there are now. Closes the stores of those that are no more. */
  readonly list: () => readonly TenantId[];
  /** The same objects on each call; undefined if there is no such tenant, or another region is its home (P-14). */
  readonly tenant: (id: string) => Promise<Tenant | undefined>;
  /** What is agreed with it, as of now. */
  readonly terms: (id: string) => TenantTerms | undefined;
  readonly close: () => Promise<void>;
};

export type Registry = Tenants & {
  readonly platform: Platform & {
    readonly vault: Vault;
    readonly incidents: Incidents;
    readonly audit: (entry: AuditEntry) => void;
    readonly verifyAudit: (elsewhere?: readonly HeadCopy[]) => AuditReport;
    /** A new key for the heads of the platform's own trail. Returns its version. */
    readonly rotateAudit: (audit: AuditEntry) => Promise<number>;
    readonly schemaProblems: () => readonly string[];
    readonly desk: Orders & PlatformDesk;
    readonly usage: IngestUsage;
  };
  /** All or nothing: what `provision` throws leaves no tenant. Throws `conflict`. */
  readonly create: (
    id: TenantId,
    signerKey: Uint8Array,
    audit: AuditEntry,
    provision: (tenant: NewTenant) => Promise<void>,
    terms?: TenantTerms,
  ) => Promise<void>;
  /** Changes keys of a tenant: both vaults are open for writing. Throws `not_found`, and what `change` throws. */
  readonly rotate: <T>(
    id: TenantId,
    signerKey: Uint8Array,
    audit: AuditEntry,
    change: (vaults: TenantVaults) => Promise<T>,
  ) => Promise<T>;
  /** The name of a tenant's directory. */
  readonly directory: (id: TenantId) => string | undefined;
  /** Gives the token issuer what it needs to keep people's accounts in the tenant's store. Safe to be done again. */
  readonly admitIssuer: (id: TenantId, issuerKey: Uint8Array) => Promise<void>;
  /** A new transit key in the vaults of all services, and every subject key wrapped by it. Returns its version. */
  readonly rotateTransit: (
    id: TenantId,
    keys: { readonly signerKey: Uint8Array; readonly issuerKey: Uint8Array },
    audit: AuditEntry,
  ) => Promise<number>;
  /** A new key for the heads of the tenant's audit trail, in the vaults of all services. Returns its version. */
  readonly rotateAudit: Registry["rotateTransit"];
  /** Under which name the heads of a tenant's trail are kept; the platform's own without an id. */
  readonly trail: (id?: TenantId) => string | undefined;
  /** Keeps the heads of all trails in another directory as well. */
  readonly copyHeads: (directory: string) => AnchorCopies;
  /** Takes the tenant away with everything in its directory, and certifies it (P-83). Throws `not_found`, or `conflict` while a hold is open. */
  readonly remove: (id: TenantId, audit: AuditEntry) => Promise<ErasureCertificate>;
  /** Ends removals and creations of tenants that a crash cut short. Returns the tenants concerned. */
  readonly settle: () => readonly TenantId[];
};

export type RegistryOptions = {
  readonly dir: string;
  readonly masterKey: Uint8Array;
  /** Makes the directory and the platform's store if they are missing; else that is `not_found`. */
  readonly create?: boolean;
  /** Whether the platform's vault may be written (the first start makes keys). */
  readonly platformVault?: "read" | "write";
  readonly nowMs?: () => number;
  readonly regions?: ReadonlySet<string>;
  readonly lockWaitMs?: Context["lockWaitMs"];
};

/** Throws ProtocolError `not_found`, `storage_failed` or `unauthenticated` (another master key). */
export async function openRegistry(options: RegistryOptions): Promise<Registry> {
  await cryptoReady();
  const { dir, masterKey, create = false, nowMs = Date.now } = options;
  if (create) makeDirectory(join(dir, "tenants"));
  const files = openFiles(dir, create, nowMs);
  const vault = openVault(
    join(dir, "platform-vault.sealed"),
    masterKey,
    PLATFORM,
    options.platformVault ?? "write",
  );
  try {
    await vault.names();
  } catch (error) {
    files.close();
    throw error;
  }
  const { regions, lockWaitMs } = options;
  const own = { key: masterKey, vaultFile: NODE_VAULT, regions, lockWaitMs };
  const context: Context = { dir, nowMs, ...files, ...own };
  const trail = platformTrail(context, vault);
  const { audited, key: auditKey } = trail;
  const platform = platformTables(files.platform, nowMs, audited);
  const tenants = tenantsOf(context);
  const remove: Registry["remove"] = async (id, audit) => {
    await refuseWhereHeld(context, tenants, id);
    return removeTenant({ context, audited, key: auditKey }, { id, audit });
  };
  return {
    ...tenants,
    platform: {
      ...platform,
      vault,
      incidents: incidentTable(context.platform, audited, nowMs),
      audit: (entry) => audited(entry, () => undefined),
      verifyAudit: trail.verify,
      rotateAudit: trail.rotate,
      desk: {
        ...orderDesk(files.platform, audited, nowMs),
        remove,
        benchmark: benchmarkDesk(tenants, audited),
      },
      usage: ingestUsage(files.platform),
      schemaProblems: () => [
        ...files.platform.read((sql) => schemaProblems(sql, PLATFORM_CLASSES)),
        ...files.anchors.read((sql) => schemaProblems(sql, ANCHOR_CLASSES)),
      ],
    },
    create: (id, signerKey, audit, provision, terms = TERMS_DEFAULT) =>
      createTenant(context, audited, { id, signerKey, audit, provision, terms }),
    rotate: (id, signerKey, audit, change) =>
      rotateKeys(context, audited, { id, signerKey, audit }, change),
    directory: (id) => directoryOf(context, id),
    admitIssuer: (id, issuerKey) => admitIssuer(context, id, issuerKey),
    rotateTransit: async (id, { signerKey, issuerKey }, audit) => {
      const version = await rotateKeys(context, audited, { id, signerKey, audit }, (vaults) =>
        addVersion("transit", [vaults.vault, vaults.signerVault]),
      );
      await admitIssuer(context, id, issuerKey);
      const tenant = await tenants.tenant(id);
      await tenant?.store.rewrapKeys(version, audit);
      return version;
    },
    rotateAudit: async (id, { signerKey, issuerKey }, audit) => {
      const version = await rotateKeys(context, audited, { id, signerKey, audit }, (vaults) =>
        addVersion("audit", [vaults.vault, vaults.signerVault]),
      );
      await admitIssuer(context, id, issuerKey);
      const tenant = await tenants.tenant(id);
      await tenant?.store.rotateAuditKey(version, audit);
      return version;
    },
    trail: (id) => trailOf(context, id),
    copyHeads: (directory) => anchorCopies(files.anchors, directory),
    remove,
    settle: () => settleAll({ context, audited, key: auditKey }),
  };
}

/** P-82 goes before P-83: what must be kept is not taken away with the rest. */
async function refuseWhereHeld(
  context: Context,
  tenants: Pick<Registry, "tenant">,
  id: TenantId,
): Promise<void> {
  // Where the keys are gone, in a backup of who left, nothing can be read any more, and so nothing be kept.
  const readable = hasKeys(context.dir, directoryOf(context, id));
  const store = readable ? (await tenants.tenant(id))?.store : undefined;
  const holds = (await store?.people.holds()) ?? [];
  if (holds.some(({ releasedAtMs }) => releasedAtMs === undefined))
    throw new ProtocolError("conflict", `tenant ${id}: legal holds are open; release them first`);
}

/** As the signer sees the tenants: with its own vaults, sealed by its own key, and without the platform's tables. */
export async function openSignerTenants(options: {
  readonly dir: string;
  readonly signerKey: Uint8Array;
  readonly nowMs?: () => number;
  readonly regions?: ReadonlySet<string>;
}): Promise<Tenants> {
  await cryptoReady();
  const { dir, signerKey, nowMs = Date.now, regions } = options;
  const files = openFiles(dir, false, nowMs);
  return tenantsOf({ dir, nowMs, ...files, key: signerKey, vaultFile: SIGNER_VAULT, regions });
}

/** As the token issuer sees them, likewise: those that it was admitted to. */
export async function openIssuerTenants(options: {
  readonly dir: string;
  readonly issuerKey: Uint8Array;
  readonly nowMs?: () => number;
  readonly regions?: ReadonlySet<string>;
}): Promise<Tenants> {
  await cryptoReady();
  const { dir, issuerKey, nowMs = Date.now, regions } = options;
  const files = openFiles(dir, false, nowMs);
  return tenantsOf({ dir, nowMs, ...files, key: issuerKey, vaultFile: ISSUER_VAULT, regions });
}

const isServed = ({ regions }: Context, region: string): boolean => regions?.has(region) !== false;

function tenantsOf(context: Context): Tenants {
  const open = new Map<string, Promise<Tenant>>();
  const closeStore = async (tenant: Promise<Tenant>): Promise<void> => {
    const [settled] = await Promise.allSettled([tenant]);
    if (settled.status === "fulfilled") await settled.value.store.close();
  };
  /** What another process removed is closed here: its files are gone, and a handle would still read them. */
  const closeRemoved = (there: ReadonlySet<string>): void => {
    for (const [directory, tenant] of open)
      if (!there.has(directory)) {
        open.delete(directory);
        void closeStore(tenant);
      }
  };
  return {
    list: () => {
      const rows = context.platform
        .read((sql) =>
          sql.all<{ tenant: string; directory: string; region: string }>(
            "SELECT tenant, directory, region FROM tenants ORDER BY tenant",
          ),
        )
        .filter(({ region }) => isServed(context, region));
      closeRemoved(new Set(rows.map(({ directory }) => directory)));
      return rows.map(({ tenant }) => tenantId(tenant));
    },
    tenant: async (id) => {
      const row = context.platform.one<{ directory: string; region: string }>(
        "SELECT directory, region FROM tenants WHERE tenant = ?",
        id,
      );
      if (row === undefined || !isServed(context, row.region)) return undefined;
      const { directory } = row;
      let opened = open.get(directory);
      if (opened === undefined) {
        opened = openTenant(context, tenantId(id), directory);
        open.set(directory, opened);
        // What failed to open is tried again on the next call.
        opened.catch(() => open.delete(directory));
      }
      return await opened;
    },
    terms: (id) => readTerms(context.platform, id),
    close: async () => {
      await Promise.all([...open.values()].map(closeStore));
      open.clear();
      context.close();
    },
  };
}

async function openTenant(context: Context, id: TenantId, directory: string): Promise<Tenant> {
  const path = join(context.dir, "tenants", directory);
  const owner = ownerOf(id, directory);
  const vault = openVault(join(path, context.vaultFile), context.key, owner, "read");
  const store = await openStore(context, { id, path, owner, vault, create: false });
  return { store, vault };
}

type StorePlace = {
  readonly id: TenantId;
  readonly path: string;
  readonly owner: string;
  readonly vault: FileVault;
  readonly create: boolean;
};

async function openStore(context: Context, place: StorePlace): Promise<SqliteTenantStore> {
  if ((await place.vault.get("audit/1")) === undefined)
    throw new ProtocolError("storage_failed", `vault of ${place.id}: has no audit key`);
  return openTenantStore({
    tenant: place.id,
    directory: place.path,
    create: place.create,
    transit: await transitKeys(place.vault),
    auditKeys: auditKeys(place.id, (version) => place.vault.now(`audit/${version}`)),
    anchor: anchorOf(context.anchors, place.owner),
    nowMs: context.nowMs,
    lockWaitMs: context.lockWaitMs,
    quotas: () => readTerms(context.platform, place.id)?.quotas ?? TERMS_DEFAULT.quotas,
    payments: () => {
      const secret = place.vault.now(PAYMENTS_SECRET);
      return secret && paymentProvider(secret);
    },
  });
}

type Creation = {
  readonly id: TenantId;
  readonly signerKey: Uint8Array;
  readonly audit: AuditEntry;
  readonly provision: (tenant: NewTenant) => Promise<void>;
  readonly terms: TenantTerms;
};
const TERMS_DEFAULT: TenantTerms = { region: REGION_DEFAULT, quotas: quotasOf({}) };

async function createTenant(
  context: Context,
  audited: PlatformAudited,
  { id, signerKey, audit, provision, terms }: Creation,
): Promise<void> {
  const conflict = new ProtocolError("conflict", `tenant ${id}: is there already`);
  if (directoryOf(context, id) !== undefined) throw conflict;
  const directory = randomUUID();
  const path = join(context.dir, "tenants", directory);
  const owner = ownerOf(id, directory);
  noteMaking(context, directory, { id, audit });
  makeDirectory(path);
  try {
    const vault = openVault(join(path, NODE_VAULT), context.key, owner, "write");
    const signerVault = openVault(join(path, SIGNER_VAULT), signerKey, owner, "write");
    // Both services read the store's personal fields and sign the heads of its audit trail.
    for (const name of ["transit/1", "audit/1"]) {
      const secret = randomBytes(KEY_BYTES);
      await vault.put(name, secret);
      await signerVault.put(name, secret);
    }
    const store = await openStore(context, { id, path, owner, vault, create: true });
    try {
      await provision({ store, vault, signerVault });
    } finally {
      await store.close();
    }
    syncDirectory(join(context.dir, "tenants"));
    audited(audit, (sql) => {
      const added = sql.run(
        "INSERT INTO tenants (tenant, directory, created_at_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        ...[id, directory, context.nowMs()],
      );
      // Where it took too long, somebody else may have taken it away.
      if (added === 0 || !settled(sql, directory)) throw conflict;
      putTerms(sql, id, terms);
    });
  } catch (error) {
    takeAway(context, directory);
    context.platform.write((sql) => settled(sql, directory));
    throw error;
  }
}
