/** What changes a tenant that is there: new keys, and the token issuer let in. */
import { join } from "node:path";
import { type AuditEntry, ProtocolError, type TenantId } from "@kerbside/protocol";
import type { PlatformAudited } from "./anchors.ts";
import {
  type Context,
  directoryOf,
  ISSUER_VAULT,
  NODE_VAULT,
  ownerOf,
  SIGNER_VAULT,
} from "./registry-context.ts";
import { type FileVault, openVault } from "./vault.ts";

/** What every service that writes to a tenant's store needs of its vault. */
const SHARED = /^(?:transit|audit)\/\d{1,3}$/;
/** Both vaults of a tenant, open for writing. */
export type TenantVaults = { readonly vault: FileVault; readonly signerVault: FileVault };
type Change = { readonly id: TenantId; readonly signerKey: Uint8Array; readonly audit: AuditEntry };

export async function admitIssuer(
  context: Context,
  id: TenantId,
  issuerKey: Uint8Array,
): Promise<void> {
  const directory = directoryOf(context, id);
  if (directory === undefined) throw new ProtocolError("not_found", `tenant ${id}: is not there`);
  const path = join(context.dir, "tenants", directory);
  const owner = ownerOf(id, directory);
  const own = openVault(join(path, NODE_VAULT), context.key, owner, "read");
  const theirs = openVault(join(path, ISSUER_VAULT), issuerKey, owner, "write");
  const there = new Set(await theirs.names());
  for (const name of await own.names()) {
    const secret = SHARED.test(name) && !there.has(name) ? await own.get(name) : undefined;
    if (secret !== undefined) await theirs.put(name, secret);
  }
}

export async function rotateKeys<T>(
  context: Context,
  audited: PlatformAudited,
  { id, signerKey, audit }: Change,
  change: (vaults: TenantVaults) => Promise<T>,
): Promise<T> {
  const directory = directoryOf(context, id);
  if (directory === undefined) throw new ProtocolError("not_found", `tenant ${id}: is not there`);
  const path = join(context.dir, "tenants", directory);
  const owner = ownerOf(id, directory);
  const vault = openVault(join(path, NODE_VAULT), context.key, owner, "write");
  const signerVault = openVault(join(path, SIGNER_VAULT), signerKey, owner, "write");
  audited({ ...audit, outcome: "asked" }, () => undefined);
  const done = await change({ vault, signerVault });
  audited(audit, () => undefined);
  return done;
}
