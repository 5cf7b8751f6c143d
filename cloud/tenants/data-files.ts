/** Which files a data directory has that a copy of it needs, by what they are, in the order in which to copy them. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/**
 * `log`: heads of audit trails, before the trails, so that no copy anchors what it does not have. `store`: databases
 * whose personal fields are sealed. `sealed`: files that are replaced as a whole. `keys`: subject keys, last, so that a
 * copy has the key of all that it has.
 */
export type DataFileKind = "log" | "store" | "sealed" | "keys";
/** `path` is relative to the data directory. */
export type DataFile = { readonly path: string; readonly kind: DataFileKind };

const PLATFORM: readonly DataFile[] = [
  { path: "anchors.sqlite", kind: "log" },
  { path: "platform.sqlite", kind: "store" },
  { path: "platform-vault.sealed", kind: "sealed" },
  { path: "issuer-vault.sealed", kind: "sealed" },
  { path: "signer-platform.sealed", kind: "sealed" },
];
const TENANT: readonly DataFile[] = [
  { path: "store.sqlite", kind: "store" },
  { path: "vault.sealed", kind: "sealed" },
  { path: "signer-vault.sealed", kind: "sealed" },
  { path: "signer-revoked.sealed", kind: "sealed" },
  { path: "issuer-vault.sealed", kind: "sealed" },
  { path: "subjects.sqlite", kind: "keys" },
];
const ORDER: readonly DataFileKind[] = ["log", "store", "sealed", "keys"];

export function dataFiles(dir: string): readonly DataFile[] {
  const tenants = join(dir, "tenants");
  const directories = existsSync(tenants) ? readdirSync(tenants).sort() : [];
  const all = [
    ...PLATFORM,
    ...directories.flatMap((name) =>
      TENANT.map(({ path, kind }) => ({ path: join("tenants", name, path), kind })),
    ),
  ];
  return all
    .filter(({ path }) => existsSync(join(dir, path)))
    .sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
}
