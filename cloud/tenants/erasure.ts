/**
 * P-81: a person is erased in two stages. Suspended first, not to be restored; then, when the legal term has passed, the
 * keys are destroyed of the person and of what the person booked. Copies of the keys live on in their own backups for a
 * bounded time; only when that has passed too is the erasure certified (P-31).
 */
import {
  fileOwner,
  type PersonRecord,
  ProtocolError,
  type SigningKey,
  type Subject,
  toHex,
  utf8,
} from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import type { Engine } from "./engine.ts";
import { heldSubjects } from "./held-subjects.ts";
import { removeFilesOf } from "./owned-files.ts";
import { personSubject } from "./people.ts";

const DAY_MS = 86_400_000;
/** P-31: how long a backup of subject keys lives. */
export const KEY_BACKUP_DAYS_DEFAULT = 30;
/** P-81: how long a person is kept after the suspension, by what the person did. */
export const ERASURE_TERMS = {
  never_used: { days: 183, doc: "6 months where the person never used the service" },
  used: { days: 1096, doc: "3 years where they did" },
  paid: { days: 3653, doc: "10 years where they paid" },
} as const;
export type ErasureTerm = keyof typeof ERASURE_TERMS;
/** A person who did nothing for so long is due for suspension without asking. */
export const INACTIVITY_DAYS_DEFAULT = 1096;

export function termOf({
  usedAtMs,
  paidAtMs,
}: Pick<PersonRecord, "usedAtMs" | "paidAtMs">): ErasureTerm {
  if (paidAtMs !== undefined) return "paid";
  return usedAtMs !== undefined ? "used" : "never_used";
}

export type Due = {
  readonly person: string;
  /** What is to be done next. `certify` ends it. */
  readonly stage: "suspend" | "erase" | "certify";
  readonly term: ErasureTerm;
  /** Unix time. */
  readonly dueAtMs: number;
  readonly held: boolean;
};

/** What comes next for a person, and when; undefined where nothing does any more. */
export function dueOf(
  record: PersonRecord & { readonly certified: boolean; readonly hasKey: boolean },
  held: boolean,
  inactivityDays: number,
): Due | undefined {
  const { person, state, createdAtMs, usedAtMs = 0, paidAtMs = 0 } = record;
  const term = termOf(record);
  const next = { person, term, held };
  switch (state) {
    case "active": {
      const lastMs = Math.max(createdAtMs, usedAtMs, paidAtMs);
      return { ...next, stage: "suspend", dueAtMs: lastMs + inactivityDays * DAY_MS };
    }
    case "suspended": {
      const dueAtMs = (record.suspendedAtMs ?? createdAtMs) + ERASURE_TERMS[term].days * DAY_MS;
      return { ...next, stage: "erase", dueAtMs };
    }
    case "erased":
      // It was cut short between the mark and the end of the keys, and is taken on.
      if (record.hasKey) return { ...next, stage: "erase", dueAtMs: record.erasedAtMs ?? 0 };
      return record.certified
        ? undefined
        : { ...next, stage: "certify", dueAtMs: certifiableAtMs(record) };
  }
}

function certifiableAtMs({ erasedAtMs = 0 }: PersonRecord, days = KEY_BACKUP_DAYS_DEFAULT): number {
  return erasedAtMs + days * DAY_MS;
}

/** The first half, in one transaction with the look at holds: from here on nothing of the person is given out. */
export function markErased(engine: Engine, sql: Sql, person: string): void {
  checkErasable(engine, sql, person);
  // Where it is taken on, backups of the keys were made until now.
  if (engine.keys.existing(personSubject(person)) !== undefined)
    sql.run("UPDATE people SET erased_at_ms = NULL WHERE person = ?", person);
  tombstone(sql, person, engine.nowMs());
}

/** Throws `not_found` or `conflict`. */
export function checkErasable(engine: Engine, sql: Sql, person: string): void {
  const row = sql.get<{ state: string }>("SELECT state FROM people WHERE person = ?", person);
  if (row === undefined) throw new ProtocolError("not_found", "person: is not there");
  if (row.state === "active")
    throw new ProtocolError("conflict", "person: is to be suspended before it is erased");
  if (heldSubjects(engine, sql).has(personSubject(person)))
    throw new ProtocolError("conflict", "person: a legal hold keeps it");
}

/** What is left of a person whose key is destroyed. */
export function tombstone(sql: Sql, person: string, nowMs: number): void {
  sql.run(
    "UPDATE people SET state = 'erased', profile = x'', erased_at_ms = coalesce(erased_at_ms, ?) WHERE person = ?",
    nowMs,
    person,
  );
  sql.run("UPDATE credentials SET value = x'' WHERE person = ?", person);
  sql.run(
    "UPDATE accounts SET state = 'closed', secret = x'', version = version + 1, tokens_after_ms = ? WHERE person = ?",
    nowMs,
    person,
  );
  removeFilesOf(sql, `person:${person}`);
  sql.run("DELETE FROM vehicle_owners WHERE person = ?", person);
}

/** The second half. Safe to be done again, as after a crash between the two. */
export async function destroyKeys(engine: Engine, person: string): Promise<void> {
  const booked = engine.finders.find("holder", person).map((subject) => subject as Subject);
  engine.store.write((sql) => {
    for (const subject of booked) removeFilesOf(sql, fileOwner(subject));
  });
  for (const subject of [...booked, personSubject(person)]) await engine.keys.destroy(subject);
}

/** What an erasure is certified by: the statement as it was signed, and the signature under the tenant's audit key. */
export type ErasureCertificate = {
  readonly statement: string;
  readonly publicKey: string;
  readonly signature: string;
};
const DOMAIN = "kerbside/v1/erasure\n";

export function signStatement(key: SigningKey, statement: object): ErasureCertificate {
  const words = JSON.stringify(statement);
  return {
    statement: words,
    publicKey: toHex(key.publicKey),
    signature: toHex(key.sign(utf8(DOMAIN + words))),
  };
}

/** What a verifier hashes. */
export function statementBytes({ statement }: ErasureCertificate): Uint8Array {
  return utf8(DOMAIN + statement);
}

/**
 * The certificate of a person's erasure, the same each time. Throws `not_found`, or `conflict` while a backup of keys
 * may still hold the key, or where the key is there still.
 */
export function certify(
  engine: Engine,
  sql: Sql,
  key: SigningKey,
  person: string,
  keyBackupDays: number,
): ErasureCertificate {
  const row = sql.get<{ erased_at_ms: number | null; certificate: string | null }>(
    "SELECT erased_at_ms, certificate FROM people WHERE person = ?",
    person,
  );
  if (row === undefined) throw new ProtocolError("not_found", "person: is not there");
  if (row.certificate !== null) return JSON.parse(row.certificate) as ErasureCertificate;
  const { erased_at_ms: erasedAtMs } = row;
  if (erasedAtMs === null || engine.keys.existing(personSubject(person)) !== undefined)
    throw new ProtocolError("conflict", "person: is not erased");
  const fromMs = erasedAtMs + keyBackupDays * DAY_MS;
  if (engine.nowMs() < fromMs)
    throw new ProtocolError(
      "conflict",
      `person: backups of keys live until ${new Date(fromMs).toISOString()}; it is certified after that`,
    );
  const certificate = signStatement(key, {
    tenant: engine.tenant,
    person,
    erasedAt: new Date(erasedAtMs).toISOString(),
    certifiedAt: new Date(engine.nowMs()).toISOString(),
    how: "the keys of the person and of the person's bookings were destroyed, and every backup of them has ended",
  });
  sql.run(
    "UPDATE people SET certificate = ? WHERE person = ?",
    JSON.stringify(certificate),
    person,
  );
  return certificate;
}

/** P-83: that a tenant left, with all that was its own. The certificate stays in the platform's store. */
export function newestRemoval(sql: Sql, tenant: string): ErasureCertificate | undefined {
  const row = sql.get<{ certificate: string }>(
    "SELECT certificate FROM erasures WHERE tenant = ? ORDER BY id DESC LIMIT 1",
    tenant,
  );
  // As `certifyRemoval` wrote it.
  return row === undefined ? undefined : (JSON.parse(row.certificate) as ErasureCertificate);
}

export function certifyRemoval(
  sql: Sql,
  key: SigningKey,
  tenant: string,
  nowMs: number,
): ErasureCertificate {
  const certificate = signStatement(key, {
    tenant,
    erasedAt: new Date(nowMs).toISOString(),
    how: "the store, the keys of all its subjects, the vaults, the clients and the enrolment tokens were removed; backups of the stores open no more once those of the keys have ended",
  });
  sql.run(
    "INSERT INTO erasures (tenant, erased_at_ms, certificate) VALUES (?, ?, ?)",
    ...[tenant, nowMs, JSON.stringify(certificate)],
  );
  return certificate;
}
