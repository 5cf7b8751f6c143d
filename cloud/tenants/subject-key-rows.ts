/** What concerns many subject keys at once. */
import { ProtocolError, type Subject } from "@kerbside/protocol";
import type { Database, Sql } from "./database.ts";
import { openWith, sealWith } from "./sealing.ts";
import type { TransitKeys } from "./subject-keys.ts";

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
