/** A registry with tenants in real files under a directory of its own. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes, tenantId } from "@kerbside/protocol";
import { type NewTenant, openRegistry, openSignerTenants, type Registry } from "@kerbside/tenants";
import { AUDIT } from "../conformance/car-log.ts";

export type TestRegistry = {
  readonly dir: string;
  readonly masterKey: Uint8Array;
  readonly signerKey: Uint8Array;
  readonly registry: Registry;
  /** Another registry over the same files, closed with the rest. */
  readonly again: () => Promise<Registry>;
  readonly create: (id: string, provision?: (tenant: NewTenant) => Promise<void>) => Promise<void>;
  readonly signer: () => ReturnType<typeof openSignerTenants>;
  /** Closes everything and removes the files. */
  readonly close: () => Promise<void>;
};

export async function testRegistry(
  nowMs: () => number = Date.now,
  lockWaitMs?: number,
): Promise<TestRegistry> {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-tenants-"));
  const [masterKey, signerKey] = [randomBytes(32), randomBytes(32)];
  const opened: { readonly close: () => Promise<void> }[] = [];
  const open = async (create: boolean): Promise<Registry> => {
    const registry = await openRegistry({ dir, masterKey, create, nowMs, lockWaitMs });
    opened.push(registry);
    return registry;
  };
  const registry = await open(true);
  return {
    dir,
    masterKey,
    signerKey,
    registry,
    again: () => open(false),
    create: (id, provision = async () => undefined) =>
      registry.create(tenantId(id), signerKey, AUDIT, provision),
    signer: async () => {
      const tenants = await openSignerTenants({ dir, signerKey });
      opened.push(tenants);
      return tenants;
    },
    close: async () => {
      for (const each of opened) await each.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** The directories of the tenants, which no id names. */
export function tenantDirectories(dir: string): readonly string[] {
  return readdirSync(join(dir, "tenants")).map((name) => join(dir, "tenants", name));
}

/** Every byte that lies under a directory, databases with their logs. */
export function allBytes(directory: string): Buffer {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true });
  return Buffer.concat(
    files
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name))),
  );
}
