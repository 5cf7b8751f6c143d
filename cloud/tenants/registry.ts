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
  randomBytes,
  type TenantId,
  type TenantTerms,
  type Vault,
} from "@kerbside/protocol";
import { type AnchorCopies, anchorCopies, type HeadCopy } from "./anchor-copies.ts";
import { PLATFORM, type PlatformAudited } from "./anchors.ts";
import type { AuditChain, AuditReport } from "./audit-chain.ts";
import { benchmarkDesk } from "./benchmark.ts";
import type { ErasureCertificate } from "./erasure.ts";
import { makeDirectory, syncDirectory } from "./files.ts";
import { type Incidents, incidentTable } from "./incidents.ts";
import { type Platform, platformTables } from "./platform.ts";
import { openFiles } from "./platform-files.ts";
import { ANCHOR_CLASSES, PLATFORM_CLASSES } from "./platform-schema.ts";
import { platformTrail } from "./platform-trail.ts";
import { admitIssuer, rotateKeys, type TenantVaults } from "./registry-changes.ts";
import {
  type Context,
  directoryOf,
  hasKeys,
  NODE_VAULT,
  ownerOf,
  SIGNER_VAULT,
  trailOf,
} from "./registry-context.ts";
import { schemaProblems } from "./schema-check.ts";
import { openStore, TERMS_DEFAULT, type Tenant, type Tenants, tenantsOf } from "./tenants.ts";
import { type IngestUsage, ingestUsage, type Orders, orderDesk, putTerms } from "./terms.ts";
import { addVersion } from "./transit.ts";
import { noteMaking, removeTenant, settleAll, settled, takeAway } from "./unsettled.ts";
import { openVault } from "./vault.ts";

export const TENANTS_MAX = 1000;

/** A tenant while it is being made: both vaults are open for writing. */
export type NewTenant = Tenant & { readonly signerVault: Vault };

export type Registry = Tenants & {
  readonly platform: Platform & {
    readonly vault: Vault;
    readonly incidents: Incidents;
    readonly audit: (entry: AuditEntry) => void;
    readonly verifyAudit: (elsewhere?: readonly HeadCopy[]) => AuditReport;
    readonly auditChain: AuditChain;
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
  const tenants = tenantsOf(context, (tenant) => tenant);
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
      auditChain: trail.chain,
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

type Creation = {
  readonly id: TenantId;
  readonly signerKey: Uint8Array;
  readonly audit: AuditEntry;
  readonly provision: (tenant: NewTenant) => Promise<void>;
  readonly terms: TenantTerms;
};

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
