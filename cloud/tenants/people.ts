/** People, their consents and credentials. Profiles and values are sealed under the person's own key (P-31). */
import {
  CONSENT_PURPOSES,
  type Consent,
  type ConsentPurpose,
  type CredentialRecord,
  decode,
  encode,
  type Finder,
  type PersonProfile,
  type PersonRecord,
  type PersonState,
  ProtocolError,
  personProfileCodec,
  type Quotas,
  refuseCardNumbers,
  type Subject,
  utf8,
  withinQuota,
} from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import type { Engine } from "./engine.ts";
import { normalized } from "./finders.ts";

export const personSubject = (person: string): Subject => `person:${person}`;
const NOTHING = new Uint8Array();
const COLUMNS =
  "person, state, profile, created_at_ms, used_at_ms, paid_at_ms, suspended_at_ms, erased_at_ms";

type Row = {
  readonly person: string;
  readonly state: string;
  readonly profile: Uint8Array;
  readonly created_at_ms: number;
  readonly used_at_ms: number | null;
  readonly paid_at_ms: number | null;
  readonly suspended_at_ms: number | null;
  readonly erased_at_ms: number | null;
};

export function personBinding({ tenant }: Engine, what: string, person: string): Uint8Array {
  return utf8(`kerbside/v1/person\n${tenant}\n${what}\n${person}`);
}

/** Before the transaction, because keys and indexes lie in another file. Throws `malformed` (a card number). */
export function sealProfile(engine: Engine, { person, profile }: PersonRecord): Uint8Array {
  refuseCardNumbers("profile", profile);
  const sealed = engine.keys
    .key(personSubject(person))
    .seal(encode(personProfileCodec, profile), personBinding(engine, "profile", person));
  const { email, phone, licence } = profile;
  engine.finders.set(personSubject(person), { email, phone, licence });
  return sealed;
}

/** What was erased stays so, and what was suspended too. Throws `conflict`. */
export function putPerson(
  sql: Sql,
  record: PersonRecord,
  profile: Uint8Array,
  quotas: () => Quotas,
): void {
  const { person, state } = record;
  const before = sql.get<{ state: string }>("SELECT state FROM people WHERE person = ?", person);
  const gone = before?.state === "erased" || (before?.state === "suspended" && state === "active");
  if (gone || state === "erased")
    throw new ProtocolError("conflict", `person ${person}: is suspended or erased, for good`);
  const kept = "SELECT count(*) AS n FROM people WHERE state <> 'erased'";
  if (before === undefined) withinQuota("people", sql.get<{ n: number }>(kept)?.n ?? 0, quotas());
  sql.run(
    `INSERT INTO people (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, NULL) ON CONFLICT (person) DO UPDATE SET state = excluded.state, profile = excluded.profile, used_at_ms = excluded.used_at_ms, paid_at_ms = excluded.paid_at_ms, suspended_at_ms = excluded.suspended_at_ms`,
    ...[person, state, profile, record.createdAtMs, record.usedAtMs ?? null],
    ...[record.paidAtMs ?? null, record.suspendedAtMs ?? null],
  );
}

function personOf(engine: Engine, row: Row): PersonRecord {
  const { person } = row;
  return {
    person,
    state: stateOf(row.state),
    profile: profileOf(engine, row),
    createdAtMs: row.created_at_ms,
    ...(row.used_at_ms === null ? {} : { usedAtMs: row.used_at_ms }),
    ...(row.paid_at_ms === null ? {} : { paidAtMs: row.paid_at_ms }),
    ...(row.suspended_at_ms === null ? {} : { suspendedAtMs: row.suspended_at_ms }),
    ...(row.erased_at_ms === null ? {} : { erasedAtMs: row.erased_at_ms }),
  };
}

function profileOf(engine: Engine, { person, profile }: Row): PersonProfile {
  const key = engine.keys.existing(personSubject(person));
  if (key === undefined || profile.length === 0) return {};
  return decode(personProfileCodec, key.open(profile, personBinding(engine, "profile", person)));
}

function stateOf(state: string): PersonState {
  if (state === "active" || state === "suspended" || state === "erased") return state;
  throw new ProtocolError("storage_failed", "person: its state is none of the known ones");
}

export function readPerson(engine: Engine, person: string): PersonRecord | undefined {
  const row = engine.store.read((sql) =>
    sql.get<Row>(`SELECT ${COLUMNS} FROM people WHERE person = ?`, person),
  );
  return row === undefined ? undefined : personOf(engine, row);
}

export function readPeople(engine: Engine, after: string, limit: number): readonly PersonRecord[] {
  const rows = engine.store.read((sql) =>
    sql.all<Row>(
      `SELECT ${COLUMNS} FROM people WHERE person > ? ORDER BY person LIMIT ?`,
      after,
      limit,
    ),
  );
  return rows.map((row) => personOf(engine, row));
}

/** An index may be ahead of the store or behind it, where a write failed: what it names is looked at again. */
export function findPeople(engine: Engine, by: Finder, value: string): readonly string[] {
  const wanted = normalized(by, value);
  return engine.finders
    .find(by, value)
    .flatMap((subject) => (subject.startsWith("person:") ? [subject.slice(7)] : []))
    .filter((person) => {
      const record = readPerson(engine, person);
      if (record === undefined || record.state === "erased") return false;
      if (by !== "email" && by !== "phone" && by !== "licence") return true;
      return normalized(by, record.profile[by] ?? "") === wanted;
    });
}

export function giveConsent(sql: Sql, person: string, consent: Consent): void {
  const { purpose, version, givenAtMs } = consent;
  sql.run(
    "INSERT INTO consents (person, purpose, version, given_at_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    ...[person, purpose, version, givenAtMs],
  );
}

export function withdrawConsent(
  sql: Sql,
  person: string,
  purpose: ConsentPurpose,
  nowMs: number,
): boolean {
  const changed = sql.run(
    "UPDATE consents SET withdrawn_at_ms = ? WHERE person = ? AND purpose = ? AND withdrawn_at_ms IS NULL",
    ...[nowMs, person, purpose],
  );
  return changed > 0;
}

export function readConsents(sql: Sql, person: string): readonly Consent[] {
  type ConsentRow = {
    readonly purpose: string;
    readonly version: string;
    readonly given_at_ms: number;
    readonly withdrawn_at_ms: number | null;
  };
  return sql
    .all<ConsentRow>("SELECT * FROM consents WHERE person = ? ORDER BY given_at_ms", person)
    .map(({ purpose, version, given_at_ms: givenAtMs, withdrawn_at_ms: withdrawnAtMs }) => ({
      purpose: purposeOf(purpose),
      version,
      givenAtMs,
      ...(withdrawnAtMs === null ? {} : { withdrawnAtMs }),
    }));
}

function purposeOf(name: string): ConsentPurpose {
  const purpose = CONSENT_PURPOSES.find((known) => known === name);
  if (purpose === undefined)
    throw new ProtocolError("storage_failed", "consent: its purpose is none of the known ones");
  return purpose;
}

const credentialBinding = (engine: Engine, { credential, person }: CredentialPlace): Uint8Array =>
  personBinding(engine, `credential ${credential}`, person);
type CredentialPlace = Pick<CredentialRecord, "credential" | "person">;

export function sealCredentialValue(engine: Engine, record: CredentialRecord): Uint8Array {
  const { person, kind, value, removedAtMs } = record;
  const subject = personSubject(person);
  if (kind === "card" && removedAtMs === undefined) engine.finders.add(subject, "card", value);
  return engine.keys.key(subject).seal(utf8(value), credentialBinding(engine, record));
}

export function putCredential(sql: Sql, record: CredentialRecord, value: Uint8Array): void {
  const { credential, person, kind, addedAtMs, removedAtMs } = record;
  sql.run(
    "INSERT INTO credentials (credential, person, kind, value, added_at_ms, removed_at_ms) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (credential) DO UPDATE SET value = excluded.value, removed_at_ms = excluded.removed_at_ms WHERE person = excluded.person",
    ...[credential, person, kind, value, addedAtMs, removedAtMs ?? null],
  );
}

export function readCredentials(engine: Engine, person: string): readonly CredentialRecord[] {
  type CredentialRow = {
    readonly credential: string;
    readonly kind: string;
    readonly value: Uint8Array;
    readonly added_at_ms: number;
    readonly removed_at_ms: number | null;
  };
  const rows = engine.store.read((sql) =>
    sql.all<CredentialRow>(
      "SELECT credential, kind, value, added_at_ms, removed_at_ms FROM credentials WHERE person = ? ORDER BY added_at_ms, credential",
      person,
    ),
  );
  const key = engine.keys.existing(personSubject(person));
  return rows.map(({ credential, kind, value, added_at_ms, removed_at_ms }) => {
    const place = { credential, person };
    const plain = value.length === 0 ? NOTHING : key?.open(value, credentialBinding(engine, place));
    return {
      ...place,
      kind: kind === "card" ? "card" : "phone",
      value: new TextDecoder().decode(plain ?? NOTHING),
      addedAtMs: added_at_ms,
      ...(removed_at_ms === null ? {} : { removedAtMs: removed_at_ms }),
    };
  });
}
