/**
 * P-31: a random key for each person, booking or vehicle, wrapped by the tenant vault's transit key and kept in a file
 * apart from the store. Destroying the key erases what was sealed under it, wherever copies of that may be.
 */
import {
  KEY_BYTES,
  ProtocolError,
  randomBytes,
  type Subject,
  type SubjectKeys,
  type TenantId,
  utf8,
} from "@kerbside/protocol";
import type { KeyWish } from "./commit-group.ts";
import type { Database, Sql } from "./database.ts";
import type { FinderFile } from "./finders.ts";
import { openWith, sealWith } from "./sealing.ts";
import {
  destroyedSubjects,
  destroyKey,
  type KeyTools,
  makeAll,
  rewrapKeys,
} from "./subject-key-rows.ts";

/** Seals and opens without waiting, for use inside a transaction of the store. */
export type SubjectKey = {
  readonly seal: (plain: Uint8Array, bound: Uint8Array) => Uint8Array;
  readonly open: (sealed: Uint8Array, bound: Uint8Array) => Uint8Array;
};

/** The transit keys of a tenant's vault by version; new keys are wrapped by the highest. */
export type TransitKeys = ReadonlyMap<number, Uint8Array>;

export type SubjectKeyFile = SubjectKeys & {
  /** The subject's key, made durably on first use. Throws `not_found` where it was destroyed. */
  readonly key: (subject: Subject) => SubjectKey;
  /** As `key`, but undefined where there is none any more or yet. */
  readonly existing: (subject: Subject) => SubjectKey | undefined;
  /** As `existing`, of many at once: those that there are. */
  readonly existingOf: (subjects: readonly Subject[]) => ReadonlyMap<Subject, SubjectKey>;
  /** The keys of all these, made in one commit where they are missing. One that was destroyed is left out. */
  readonly makeAll: (wishes: readonly KeyWish[]) => ReadonlyMap<Subject, SubjectKey>;
  /** Wraps every key that is not yet by this version of the transit key. Returns how many. */
  readonly rewrap: (version: number) => number;
  /** What follows `prefix` in the names of subjects whose keys were destroyed. */
  readonly destroyed: (prefix: "person:") => readonly string[];
};

type Row = { readonly transit: number; readonly wrapped: Uint8Array; readonly destroyed: number };

const FIND =
  "SELECT transit, wrapped, destroyed_at_ms IS NOT NULL AS destroyed FROM subject_keys WHERE subject = ?";

export function subjectKeyFile(
  tenant: TenantId,
  file: Database,
  transit: TransitKeys,
  finders: Pick<FinderFile, "addTo">,
  nowMs: () => number,
): SubjectKeyFile {
  const bound = (subject: Subject): Uint8Array =>
    utf8(`kerbside/v1/subject-key\n${tenant}\n${subject}`);
  const unwrap = (subject: Subject, row: Row): SubjectKey => {
    if (row.destroyed === 1) throw destroyed();
    const wrapping = transit.get(row.transit);
    if (wrapping === undefined)
      throw new ProtocolError(
        "storage_failed",
        `transit key ${row.transit} of ${tenant}: is not in the vault`,
      );
    return sealedBy(openWith(wrapping, row.wrapped, bound(subject)));
  };
  const existing = (subject: Subject): SubjectKey | undefined => {
    const row = file.one<Row>(FIND, subject);
    return row === undefined || row.destroyed === 1 ? undefined : unwrap(subject, row);
  };
  const opened: KeyTools["opened"] = (sql, subject, secret) => {
    if (secret !== undefined) return sealedBy(secret);
    const row = sql.get<Row>(FIND, subject);
    return row === undefined || row.destroyed === 1 ? undefined : unwrap(subject, row);
  };
  const newest = (): { version: number; wrapping: Uint8Array } => {
    const version = Math.max(...transit.keys());
    const wrapping = transit.get(version);
    if (wrapping === undefined)
      throw new ProtocolError("storage_failed", `transit key of ${tenant}: is not in the vault`);
    return { version, wrapping };
  };
  /** Another process may have made it meanwhile: the first one stands. */
  const insert = (sql: Sql, subject: Subject, secret: Uint8Array): boolean => {
    const { version, wrapping } = newest();
    const wrapped = sealWith(wrapping, secret, bound(subject));
    const added = sql.run(
      "INSERT INTO subject_keys (subject, transit, wrapped, made_at_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
      ...[subject, version, wrapped, nowMs()],
    );
    return added > 0;
  };
  const key = (subject: Subject): SubjectKey => {
    const row = file.one<Row>(FIND, subject);
    if (row !== undefined) return unwrap(subject, row);
    const stored = file.write((sql) => {
      insert(sql, subject, randomBytes(KEY_BYTES));
      return sql.get<Row>(FIND, subject);
    });
    if (stored === undefined)
      throw new ProtocolError("storage_failed", "subject key: was not kept");
    return unwrap(subject, stored);
  };
  const existingOf = (subjects: readonly Subject[]): ReadonlyMap<Subject, SubjectKey> => {
    const rows = file.read((sql) =>
      sql.raw<Row & { readonly subject: Subject }>(
        "SELECT subject, transit, wrapped, 0 AS destroyed FROM subject_keys " +
          "WHERE subject IN (SELECT value FROM json_each(?)) AND destroyed_at_ms IS NULL",
        JSON.stringify(subjects),
      ),
    );
    return new Map(rows.map((row) => [row.subject, unwrap(row.subject, row)]));
  };
  return {
    key,
    existing,
    existingOf,
    makeAll: (wishes) => makeAll({ file, existingOf, insert, opened, finders }, wishes),
    rewrap: (version) => rewrapKeys(file, transit, bound, version),
    destroyed: (prefix) => destroyedSubjects(file, prefix),
    seal: async (subject, plain, where) => key(subject).seal(plain, where),
    open: async (subject, sealed, where) => {
      const found = existing(subject);
      if (found === undefined) throw destroyed();
      return found.open(sealed, where);
    },
    destroy: async (subject) => destroyKey(file, subject, nowMs()),
  };
}

function destroyed(): ProtocolError {
  return new ProtocolError("not_found", "subject key: was destroyed, or never made");
}

function sealedBy(secret: Uint8Array): SubjectKey {
  return {
    seal: (plain, bound) => sealWith(secret, plain, bound),
    open: (sealed, bound) => openWith(secret, sealed, bound),
  };
}
