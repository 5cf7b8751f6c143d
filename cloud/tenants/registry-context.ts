/** What the parts of the registry share: the platform's files, whose keys open the vaults, and where a tenant lies. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { TenantId } from "@kerbside/protocol";
import { PLATFORM } from "./anchors.ts";
import type { PlatformFiles } from "./platform-files.ts";

export const NODE_VAULT = "vault.sealed";
export const SIGNER_VAULT = "signer-vault.sealed";
export const ISSUER_VAULT = "issuer-vault.sealed";
/** Written by the signer itself. */
export const SIGNER_REVOKED = "signer-revoked.sealed";
export type Context = PlatformFiles & {
  readonly dir: string;
  readonly nowMs: () => number;
  /** Seals the vaults of this service. */
  readonly key: Uint8Array;
  readonly vaultFile: string;
  /** How long one try waits for a tenant's file that another process has locked, in milliseconds; else 5 s. */
  readonly lockWaitMs?: number | undefined;
  /** Only tenants of these regions are there for this service; all where nothing is said. */
  readonly regions?: ReadonlySet<string> | undefined;
};

/** A tenant of the same name that is made anew has another directory, and so another owner of vault and trail. */
export const ownerOf = (id: TenantId, directory: string): string => `${id}/${directory}`;

export function directoryOf({ platform }: Context, id: string): string | undefined {
  return platform.read(
    (sql) =>
      sql.get<{ directory: string }>("SELECT directory FROM tenants WHERE tenant = ?", id)
        ?.directory,
  );
}

/** Whose trail it is: the platform's where no tenant is named. */
export function trailOf(context: Context, id: TenantId | undefined): string | undefined {
  if (id === undefined) return PLATFORM;
  const directory = directoryOf(context, id);
  return directory === undefined ? undefined : ownerOf(id, directory);
}

/** A tenant that left took its keys with it, and is in no newer set of them. */
export function hasKeys(dir: string, directory: string | undefined): boolean {
  return directory !== undefined && existsSync(join(dir, "tenants", directory, "subjects.sqlite"));
}
