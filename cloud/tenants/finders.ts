/**
 * Blind indexes: values that must be found again although they lie encrypted, as HMACs under a key that only the vault
 * has. They lie in the file of subject keys and end with the subject's key, so no copy of the store tells of them.
 */
import {
  deriveKey,
  type Finder,
  hmac,
  ProtocolError,
  type Subject,
  type TenantId,
  utf8,
} from "@kerbside/protocol";
import type { Database, Sql } from "./database.ts";
import type { TransitKeys } from "./subject-keys.ts";

export type FinderFile = {
  /** These are the values by which the subject is found from now on; one that is undefined ends. */
  readonly set: (
    subject: Subject,
    values: Readonly<Partial<Record<Finder, string | undefined>>>,
  ) => void;
  readonly add: (subject: Subject, kind: Finder, value: string) => void;
  /** As `add`, within the caller's transaction of the same file. */
  readonly addTo: (sql: Sql, subject: Subject, kind: Finder, value: string) => void;
  readonly find: (kind: Finder, value: string) => readonly string[];
  /** Whether there are any of this kind. */
  readonly any: (kind: Finder) => boolean;
};

/** As people write it in different ways, one way. */
export function normalized(kind: Finder, value: string): string {
  const text = value.normalize("NFKC").trim();
  switch (kind) {
    case "user":
    case "email":
      return text.toLowerCase();
    case "phone":
      return text.replaceAll(/[^\d+]/g, "");
    case "licence":
    case "card":
      return text.replaceAll(/[\s-]/g, "").toUpperCase();
    case "holder":
      return text;
  }
}

export function finderFile(tenant: TenantId, file: Database, transit: TransitKeys): FinderFile {
  // The oldest transit key, which stays for as long as anything is wrapped by it; wrapping goes on with the newest.
  const oldest = transit.get(Math.min(...transit.keys()));
  if (oldest === undefined)
    throw new ProtocolError("storage_failed", `transit key of ${tenant}: is not in the vault`);
  const key = deriveKey(oldest, "kerbside/v1/blind-index", utf8(tenant));
  const blind = (kind: Finder, value: string): Uint8Array =>
    hmac(key, utf8(`${kind}\n${normalized(kind, value)}`));
  const insert =
    "INSERT INTO finders (kind, value, subject) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
  const addTo: FinderFile["addTo"] = (sql, subject, kind, value) =>
    void sql.run(insert, kind, blind(kind, value), subject);
  return {
    set: (subject, values) =>
      file.write((sql) => {
        for (const [name, value] of Object.entries(values)) {
          const kind = name as Finder;
          sql.run("DELETE FROM finders WHERE subject = ? AND kind = ?", subject, kind);
          if (value !== undefined) sql.run(insert, kind, blind(kind, value), subject);
        }
      }),
    add: (subject, kind, value) => file.write((sql) => addTo(sql, subject, kind, value)),
    addTo,
    any: (kind) =>
      file.read(
        (sql) => sql.get("SELECT 1 FROM finders WHERE kind = ? LIMIT 1", kind) !== undefined,
      ),
    find: (kind, value) =>
      file.read((sql) =>
        sql
          .all<{ subject: string }>(
            "SELECT subject FROM finders WHERE kind = ? AND value = ? ORDER BY subject",
            kind,
            blind(kind, value),
          )
          .map(({ subject }) => subject),
      ),
  };
}
