/**
 * A restore into an empty directory (P-90): the stores of a chosen time, and with them the newest subject keys there are,
 * so that whoever was erased since stays erased. What was destroyed in those keys is then marked in the stores too, and
 * all audit trails are verified before anything is served.
 */
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { type AuditEntry, ProtocolError } from "@kerbside/protocol";
import type { AuditReport } from "./audit-chain.ts";
import { listBackups, type Progress, restoreSet } from "./backup.ts";
import { openRegistry } from "./registry.ts";
import { hasKeys } from "./registry-context.ts";
import { markStage, type Stage } from "./stage.ts";

export type RestoreOptions = {
  readonly from: string;
  readonly dir: string;
  readonly backupKey: Uint8Array;
  readonly masterKey: Uint8Array;
  /** Default: the newest. */
  readonly set?: string;
  readonly audit: AuditEntry;
  /** Where this is; a backup of the other stage is refused (P-94). */
  readonly stage?: Stage;
  readonly told?: Progress;
};
export type Restored = {
  readonly set: string;
  readonly keys: string;
  readonly atMs: number;
  readonly trails: readonly (AuditReport & { readonly trail: string })[];
  /** People whom the stores knew and who had been erased since. */
  readonly erasedAgain: number;
  /** Tenants that the stores knew and that had left since. */
  readonly removedAgain: number;
};

/** Throws ProtocolError `conflict` (the directory is not empty), `not_found` (no such set) or what a set is refused for. */
export async function restoreBackup(options: RestoreOptions): Promise<Restored> {
  const { from, dir, backupKey, masterKey, audit } = options;
  if (existsSync(dir) && readdirSync(dir).length > 0)
    throw new ProtocolError("conflict", `${dir}: expected an empty directory`);
  const stores = listBackups(from, "stores");
  const set = options.set ?? stores.at(-1)?.name;
  const keys = listBackups(from, "keys").at(-1)?.name;
  if (set === undefined || keys === undefined || !stores.some(({ name }) => name === set))
    throw new ProtocolError("not_found", `${from}: has no such set of stores, or none of keys`);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  let bytes = 0;
  const told = (path: string, more: number): void => {
    bytes += more;
    options.told?.({ path, bytes, of: 0 });
  };
  const { stage = "production" } = options;
  const { atMs } = restoreSet(from, "stores", set, dir, backupKey, told, stage);
  restoreSet(from, "keys", keys, dir, backupKey, told, stage);
  markStage(dir, stage);
  const registry = await openRegistry({ dir, masterKey });
  try {
    let erasedAgain = 0;
    let removedAgain = 0;
    const trails = [{ trail: "platform", ...registry.platform.verifyAudit() }];
    for (const id of registry.list()) {
      if (!hasKeys(dir, registry.directory(id))) {
        await registry.remove(id, { ...audit, action: "tenant.remove", subject: `tenant:${id}` });
        removedAgain += 1;
        continue;
      }
      const store = (await registry.tenant(id))?.store;
      if (store === undefined) continue;
      trails.push({ trail: id, ...store.verifyAudit() });
      erasedAgain += await store.people.eraseDestroyed(audit);
    }
    registry.platform.audit({ ...audit, reason: `set ${set}, keys ${keys}` });
    return { set, keys, atMs, trails, erasedAgain, removedAgain };
  } finally {
    await registry.close();
  }
}
