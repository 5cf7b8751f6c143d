/** What concerns many subject keys at once. */
import { KEY_BYTES, ProtocolError, randomBytes, type Subject } from "@kerbside/protocol";
import type { KeyWish } from "./commit-group.ts";
import type { Database, Sql } from "./database.ts";
import type { FinderFile } from "./finders.ts";
import { openWith, sealWith } from "./sealing.ts";
import type { SubjectKey, TransitKeys } from "./subject-keys.ts";

/** As many as one transaction may take without others noticing. */
const REWRAPPED_AT_ONCE = 500;
type Bound = (subject: Subject) => Uint8Array;

/** Wraps every key that is not yet by this version of the transit key. Returns how many. */
export function rewrapKeys(
  file: Database,
  transit: TransitKeys,
  bound: Bound,
  version: number,
): number {
  const wrapping = transit.get(version);
  if (wrapping === undefined)
    throw new ProtocolError("storage_failed", `transit key ${version}: is not in the vault`);
  let count = 0;
  for (let changed = -1; changed !== 0; count += changed)
    changed = file.write((sql) => rewrapSome(sql, { version, wrapping, transit, bound }));
  file.scrub();
  return count;
}

type By = {
  readonly version: number;
  readonly wrapping: Uint8Array;
  readonly transit: TransitKeys;
  readonly bound: Bound;
};

function rewrapSome(sql: Sql, { version, wrapping, transit, bound }: By): number {
  const rows = sql.all<{ subject: Subject; by: number; wrapped: Uint8Array }>(
    "SELECT subject, transit AS by, wrapped FROM subject_keys WHERE transit <> ? AND destroyed_at_ms IS NULL LIMIT ?",
    ...[version, REWRAPPED_AT_ONCE],
  );
  for (const { subject, by, wrapped } of rows) {
    const before = transit.get(by);
    if (before === undefined)
      throw new ProtocolError("storage_failed", `transit key ${by}: is not in the vault`);
    const key = openWith(before, wrapped, bound(subject));
    sql.run(
      "UPDATE subject_keys SET transit = ?, wrapped = ? WHERE subject = ?",
      ...[version, sealWith(wrapping, key, bound(subject)), subject],
    );
  }
  return rows.length;
}

/** What follows `prefix` in the names of subjects whose keys were destroyed. */
export function destroyedSubjects(file: Database, prefix: string): readonly string[] {
  const rows = file.read((sql) =>
    sql.all<{ subject: string }>(
      "SELECT subject FROM subject_keys WHERE destroyed_at_ms IS NOT NULL AND substr(subject, 1, length(?)) = ?",
      ...[prefix, prefix],
    ),
  );
  return rows.map(({ subject }) => subject.slice(prefix.length));
}

export type KeyTools = {
  readonly file: Database;
  readonly existingOf: (subjects: readonly Subject[]) => ReadonlyMap<Subject, SubjectKey>;
  /** False where there is one already. */
  readonly insert: (sql: Sql, subject: Subject, secret: Uint8Array) => boolean;
  /** Of the secret, or without one of what is stored; undefined where that was destroyed. */
  readonly opened: (sql: Sql, subject: Subject, secret?: Uint8Array) => SubjectKey | undefined;
  readonly finders: Pick<FinderFile, "addTo">;
};

/** The keys of all these, made in one commit where they are missing. One that was destroyed is left out. */
export function makeAll(
  { file, existingOf, insert, opened, finders }: KeyTools,
  wishes: readonly KeyWish[],
): ReadonlyMap<Subject, SubjectKey> {
  const made = new Map(existingOf(wishes.map(({ subject }) => subject)));
  const missing = new Set(wishes.map(({ subject }) => subject).filter((one) => !made.has(one)));
  const toFind = wishes.filter(({ finder }) => finder !== undefined);
  if (missing.size === 0 && toFind.length === 0) return made;
  file.write((sql) => {
    for (const subject of missing) {
      const secret = randomBytes(KEY_BYTES);
      const isOurs = insert(sql, subject, secret);
      const key = opened(sql, subject, isOurs ? secret : undefined);
      if (key !== undefined) made.set(subject, key);
    }
    for (const { subject, finder } of toFind)
      if (finder !== undefined && made.has(subject))
        finders.addTo(sql, subject, finder.kind, finder.value);
  });
  return made;
}

/** Durably, and out of the file's log as well. */
export function destroyKey(file: Database, subject: Subject, nowMs: number): void {
  file.write((sql) => {
    sql.run(
      "INSERT INTO subject_keys (subject, transit, wrapped, made_at_ms, destroyed_at_ms) VALUES (?, 0, x'', ?, ?) " +
        "ON CONFLICT (subject) DO UPDATE SET wrapped = excluded.wrapped, destroyed_at_ms = excluded.destroyed_at_ms " +
        "WHERE destroyed_at_ms IS NULL",
      ...[subject, nowMs, nowMs],
    );
    sql.run("DELETE FROM finders WHERE subject = ?", subject);
  });
  file.scrub();
}
