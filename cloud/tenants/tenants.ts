/** The tenants that there are as one service sees them: each with its store, and with the vault that is this service's. */
import { join } from "node:path";
import {
  cryptoReady,
  ProtocolError,
  quotasOf,
  REGION_DEFAULT,
  type TenantId,
  type TenantTerms,
  tenantId,
  type Vault,
} from "@kerbside/protocol";
import { anchorOf } from "./anchors.ts";
import { auditKeys } from "./audit-keys.ts";
import { isOpenClient } from "./clients.ts";
import { PAYMENTS_SECRET, paymentProvider } from "./payment-provider.ts";
import { openFiles } from "./platform-files.ts";
import {
  type Context,
  ISSUER_VAULT,
  ownerOf,
  SIGNER_REVOKED,
  SIGNER_VAULT,
} from "./registry-context.ts";
import { openTenantStore, type SqliteTenantStore } from "./store.ts";
import { readTerms } from "./terms.ts";
import { transitKeys } from "./transit.ts";
import { type FileVault, openVault } from "./vault.ts";

export const TERMS_DEFAULT: TenantTerms = { region: REGION_DEFAULT, quotas: quotasOf({}) };

export type Tenant = { readonly store: SqliteTenantStore; readonly vault: Vault };
/** `revoked`: which public keys of callers were taken back; the one file of a tenant that the signer writes itself. */
export type SignersTenant = Tenant & { readonly revoked: Vault };

/** The tenants as one service sees them: each with the vault that is this service's, open for reading. */
export type Tenants<T extends Tenant = Tenant> = {
  /** Those that there are now. Closes the stores of those that are no more. */
  readonly list: () => readonly TenantId[];
  /** The same objects on each call; undefined if there is no such tenant, or another region is its home (P-14). */
  readonly tenant: (id: string) => Promise<T | undefined>;
  /** What is agreed with it, as of now. */
  readonly terms: (id: string) => TenantTerms | undefined;
  /** Whether that tenant has that OAuth client now: one that was revoked is none any more. */
  readonly hasClient: (id: TenantId, client: string) => boolean;
  readonly close: () => Promise<void>;
};

/** As the signer sees the tenants: with its own vaults, sealed by its own key, and without the platform's tables. */
export async function openSignerTenants(options: {
  readonly dir: string;
  readonly signerKey: Uint8Array;
  readonly nowMs?: () => number;
  readonly regions?: ReadonlySet<string>;
}): Promise<Tenants<SignersTenant>> {
  await cryptoReady();
  const { dir, signerKey, nowMs = Date.now, regions } = options;
  const files = openFiles(dir, false, nowMs);
  const context = { dir, nowMs, ...files, key: signerKey, vaultFile: SIGNER_VAULT, regions };
  return tenantsOf(context, (tenant, { path, owner }) => ({
    ...tenant,
    // An owner of its own, so that neither file can be put in the place of the other.
    revoked: openVault(join(path, SIGNER_REVOKED), signerKey, `${owner}/revoked`, "write"),
  }));
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
  const context = { dir, nowMs, ...files, key: issuerKey, vaultFile: ISSUER_VAULT, regions };
  return tenantsOf(context, (tenant) => tenant);
}

const isServed = ({ regions }: Context, region: string): boolean => regions?.has(region) !== false;

type Place = { readonly path: string; readonly owner: string };

/** `complete`: what this service has of a tenant beside its store and vault. */
export function tenantsOf<T extends Tenant>(
  context: Context,
  complete: (tenant: Tenant, place: Place) => T,
): Tenants<T> {
  const open = new Map<string, Promise<T>>();
  const closeStore = async (tenant: Promise<T>): Promise<void> => {
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
        opened = openTenant(context, tenantId(id), directory, complete);
        open.set(directory, opened);
        // What failed to open is tried again on the next call.
        opened.catch(() => open.delete(directory));
      }
      return await opened;
    },
    terms: (id) => readTerms(context.platform, id),
    hasClient: (id, client) => isOpenClient(context.platform, id, client),
    close: async () => {
      await Promise.all([...open.values()].map(closeStore));
      open.clear();
      context.close();
    },
  };
}

async function openTenant<T extends Tenant>(
  context: Context,
  id: TenantId,
  directory: string,
  complete: (tenant: Tenant, place: Place) => T,
): Promise<T> {
  const path = join(context.dir, "tenants", directory);
  const owner = ownerOf(id, directory);
  const vault = openVault(join(path, context.vaultFile), context.key, owner, "read");
  const store = await openStore(context, { id, path, owner, vault, create: false });
  return complete({ store, vault }, { path, owner });
}

type StorePlace = Place & {
  readonly id: TenantId;
  readonly vault: FileVault;
  readonly create: boolean;
};

export async function openStore(context: Context, place: StorePlace): Promise<SqliteTenantStore> {
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
