/** What the services of the node need of a tenant, read once from its vault and kept while the process runs. */
import {
  type EnrolmentTenant,
  openTenantAuthority,
  type PlatformAuthority,
} from "@kerbside/identity";
import {
  KEY_BYTES,
  ProtocolError,
  type Quotas,
  quotasOf,
  REGION_DEFAULT,
  type TenantId,
  type Vault,
} from "@kerbside/protocol";
import type { Registry, SqliteTenantStore } from "@kerbside/tenants";
import { certifiedKeys, currentCertificates, VAULT_NAMES } from "./provisioning.ts";

export type IngestKey = { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array };
export type Home = EnrolmentTenant & {
  readonly store: SqliteTenantStore;
  readonly vault: Vault;
  readonly quotas: () => Quotas;
  readonly region: string;
  /** The tenant's key that roots of logs are sealed to, by version; undefined where there never was one. */
  readonly ingestKey: (version: number) => Promise<IngestKey | undefined>;
};
/** Undefined where there is no such tenant, any more or yet. */
export type Homes = (id: TenantId) => Promise<Home | undefined>;

export function homesOf(registry: Registry, platform: PlatformAuthority): Homes {
  // By store, so that a tenant that is removed and made anew is never taken for the one before.
  const homes = new WeakMap<SqliteTenantStore, Promise<Home>>();
  return async (id) => {
    const tenant = await registry.tenant(id);
    if (tenant === undefined) return undefined;
    let home = homes.get(tenant.store);
    if (home === undefined) {
      home = openHome(id, tenant, platform, registry);
      homes.set(tenant.store, home);
      home.catch(() => homes.delete(tenant.store));
    }
    return await home;
  };
}

async function openHome(
  id: TenantId,
  { store, vault }: { readonly store: SqliteTenantStore; readonly vault: Vault },
  platform: PlatformAuthority,
  { terms }: Pick<Registry, "terms">,
): Promise<Home> {
  const must = async (name: string): Promise<Uint8Array> => {
    const secret = await vault.get(name);
    if (secret === undefined)
      throw new ProtocolError("storage_failed", `vault of ${id}: has no ${name}`);
    return secret;
  };
  return {
    store,
    quotas: lately(() => terms(id)?.quotas ?? quotasOf({})),
    region: terms(id)?.region ?? REGION_DEFAULT,
    authority: await openTenantAuthority(platform, id, vault, Date.now),
    // Read anew each time: a succession takes place while services run.
    keyAuthority: async () => ({
      version: (await certifiedKeys(vault)).authorityVersion,
      key: await must(VAULT_NAMES.authority),
      spare: await vault.get(VAULT_NAMES.spare),
    }),
    keyCertificates: async () =>
      new Map([...(await currentCertificates(vault))].map(([of, { envelope }]) => [of, envelope])),
    vault,
    ingestKey: ingestKeysOf(vault),
  };
}

/** Quotas that were agreed anew count after this. */
const LATELY_MS = 1000;

function lately<T>(look: () => T): () => T {
  let known: { readonly value: T; readonly atMs: number } | undefined;
  return () => {
    const nowMs = performance.now();
    if (known === undefined || nowMs - known.atMs >= LATELY_MS)
      known = { value: look(), atMs: nowMs };
    return known.value;
  };
}

/** The ingest keys of a vault, each read once. */
export function ingestKeysOf(vault: Pick<Vault, "get">): Home["ingestKey"] {
  const keys = new Map<number, IngestKey>();
  return async (version) => {
    const known = keys.get(version);
    if (known !== undefined) return known;
    const pair = await vault.get(VAULT_NAMES.ingestKey(version));
    if (pair?.length !== 2 * KEY_BYTES) return undefined;
    const key = { publicKey: pair.slice(0, KEY_BYTES), privateKey: pair.slice(KEY_BYTES) };
    keys.set(version, key);
    return key;
  };
}
