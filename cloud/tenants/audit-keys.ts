/**
 * The keys that sign the heads of an audit trail, one after the other. The change from one to the next is an entry of
 * the trail itself: its head is still signed by the key before, which so vouches for the next, and every head after it
 * by the next. So a verifier needs to know the first key only, and a key that was replaced signs nothing new.
 */
import {
  type AuditEntry,
  ProtocolError,
  type SigningKey,
  signingKey,
  toHex,
} from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import type { ColumnClasses } from "./schema-check.ts";

export const AUDIT_KEYS_SQL = `
CREATE TABLE audit_keys /* keys that sign the heads of the audit trail, after the first */ (
  version /* in the vault */ INTEGER PRIMARY KEY,
  from_seq /* entry that announces it: heads after it are signed by it */ INTEGER NOT NULL
) STRICT;
`;
export const AUDIT_KEY_CLASSES: ColumnClasses = {
  audit_keys: { version: ["Internal"], from_seq: ["Internal"] },
};

/** Nothing but a change of keys may be entered under it. */
export const AUDIT_KEY_ACTION = "audit.key";
const ANNOUNCED = /^public key ([0-9a-f]{64})$/;

/** By version. Throws ProtocolError `storage_failed` where the vault has none. */
export type AuditKeys = (version: number) => SigningKey;

/** `read` gives a seed out of the vault, also one that was put there since. */
export function auditKeys(
  owner: string,
  read: (version: number) => Uint8Array | undefined,
): AuditKeys {
  const known = new Map<number, SigningKey>();
  return (version) => {
    let key = known.get(version);
    if (key === undefined) {
      const seed = read(version);
      if (seed === undefined)
        throw new ProtocolError(
          "storage_failed",
          `audit key ${version} of ${owner}: is not in the vault`,
        );
      key = signingKey(seed);
      known.set(version, key);
    }
    return key;
  };
}

/** The version that signs the head of an entry. */
export function keyVersionOf(sql: Pick<Sql, "get">, seq: number): number {
  const row = sql.get<{ version: number | null }>(
    "SELECT max(version) AS version FROM audit_keys WHERE from_seq < ?",
    seq,
  );
  return row?.version ?? 1;
}

/** What certificates are signed by: the key that is in force as one is made. */
export function newestKey(sql: Pick<Sql, "get">, keys: AuditKeys): SigningKey {
  const key = (): SigningKey => keys(keyVersionOf(sql, Number.MAX_SAFE_INTEGER));
  return {
    get publicKey() {
      return key().publicKey;
    },
    sign: (bytes) => key().sign(bytes),
  };
}

/** `at` is the entry that announces it, of the same transaction. Throws `conflict` where a later one is announced. */
export function enterKey(sql: Sql, version: number, at: { readonly seq: number }): void {
  if (version <= keyVersionOf(sql, at.seq))
    throw new ProtocolError("conflict", `audit key ${version}: a later one is in force already`);
  sql.run("INSERT INTO audit_keys (version, from_seq) VALUES (?, ?)", version, at.seq);
}

export function announcement(entry: AuditEntry, version: number, key: SigningKey): AuditEntry {
  const reason = `public key ${toHex(key.publicKey)}`;
  return { ...entry, action: AUDIT_KEY_ACTION, subject: `audit-key:${version}`, reason };
}

/** The public key that an entry announces. */
export function announced(entry: {
  readonly action: string;
  readonly reason: string | null;
}): Uint8Array | undefined {
  if (entry.action !== AUDIT_KEY_ACTION) return undefined;
  const hex = ANNOUNCED.exec(entry.reason ?? "")?.[1];
  return hex === undefined ? undefined : new Uint8Array(Buffer.from(hex, "hex"));
}
