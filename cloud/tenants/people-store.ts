/** The people of a tenant's store, put together: what is sealed first, and what is written with its audit record. */
import type { AuditEntry, BookingRecord, PeopleStore, SigningKey } from "@kerbside/protocol";
import { putAccount, readAccount, sealAccount } from "./accounts.ts";
import type { HeadToSign } from "./audit-chain.ts";
import type { Sql } from "./database.ts";
import { type EndedNow, endWhatIsDue } from "./due-endings.ts";
import type { Engine } from "./engine.ts";
import {
  certify,
  checkErasable,
  type Due,
  destroyKeys,
  dueOf,
  type ErasureCertificate,
  INACTIVITY_DAYS_DEFAULT,
  KEY_BACKUP_DAYS_DEFAULT,
  markErased,
  tombstone,
} from "./erasure.ts";
import { heldSubjects } from "./held-subjects.ts";
import {
  holdSubject,
  mayRead,
  openCopy,
  putHold,
  readHolds,
  releaseHold,
  sealCopy,
} from "./legal-holds.ts";
import {
  findPeople,
  giveConsent,
  personSubject,
  putCredential,
  putPerson,
  readConsents,
  readCredentials,
  readPeople,
  readPerson,
  sealCredentialValue,
  sealProfile,
  withdrawConsent,
} from "./people.ts";

/** The most people that one call reads. */
const PEOPLE_MAX = 1000;

export type Audited = <T>(entry: AuditEntry, change: (sql: Sql) => T) => T;
/** As `Audited`, where only the change itself can tell what is to be entered, if anything; `keep` anchors its head. */
export type AuditedBy = <T>(
  change: (sql: Sql) => { readonly value: T; readonly entry: AuditEntry | undefined },
  keep?: (head: HeadToSign) => void,
) => T;

/** What an operator's tools need beyond the contract. */
export type PeopleTools = {
  /** What is to be done of erasures until then, soonest first (P-81). */
  readonly due: (untilMs: number, inactivityDays?: number) => Promise<readonly Due[]>;
  /** Marks those as erased whose keys are destroyed, as after a restore of an older store. Returns how many. */
  readonly eraseDestroyed: (audit: AuditEntry) => Promise<number>;
  /** Does all that is due now (P-81), but for what a hold names. */
  readonly endDue: (audit: AuditEntry, inactivityDays?: number) => Promise<EndedNow>;
  /** Throws `conflict` before it may be certified. */
  readonly certifyErasure: (
    person: string,
    audit: AuditEntry,
    keyBackupDays?: number,
  ) => Promise<ErasureCertificate>;
};

export function peopleStore(
  engine: Engine,
  audited: Audited,
  auditKey: SigningKey,
  bookingOf: (booking: string) => BookingRecord | undefined,
): PeopleStore & PeopleTools {
  const people = { ...persons(engine, audited), ...endings(engine, audited, auditKey, bookingOf) };
  const parts = { ...people, booking: bookingOf, nowMs: engine.nowMs };
  return { ...people, endDue: (audit, days) => endWhatIsDue(parts, audit, days) };
}

type Persons = Omit<
  PeopleStore,
  "placeHold" | "releaseHold" | "holds" | "isHeld" | "readHeld" | "erasePerson"
>;

function persons(engine: Engine, audited: Audited): Persons {
  const { store, nowMs } = engine;
  return {
    putPerson: async (record, audit) => {
      const profile = sealProfile(engine, record);
      audited(audit, (sql) => putPerson(sql, record, profile, engine.quotas));
    },
    person: async (person) => readPerson(engine, person),
    people: async (after, limit) => readPeople(engine, after, Math.min(limit, PEOPLE_MAX)),
    findPeople: async (by, value) => findPeople(engine, by, value),
    bookingsOf: async (person) => bookingsOf(engine, person),
    giveConsent: async (person, consent, audit) =>
      audited(audit, (sql) => giveConsent(sql, person, consent)),
    withdrawConsent: async (person, purpose, audit) =>
      audited(audit, (sql) => withdrawConsent(sql, person, purpose, nowMs())),
    consents: async (person) => store.read((sql) => readConsents(sql, person)),
    putCredential: async (record, audit) => {
      const value = sealCredentialValue(engine, record);
      audited(audit, (sql) => putCredential(sql, record, value));
    },
    credentials: async (person) => readCredentials(engine, person),
    putAccount: async (record, user, audit) => {
      const secret = sealAccount(engine, record, user);
      audited(audit, (sql) => putAccount(sql, record, secret));
    },
    account: async (person) => readAccount(engine, person),
  };
}

function bookingsOf(engine: Engine, person: string): readonly string[] {
  return engine.finders.find("holder", person).map((subject) => subject.slice("booking:".length));
}

function endings(
  engine: Engine,
  audited: Audited,
  auditKey: SigningKey,
  bookingOf: (booking: string) => BookingRecord | undefined,
): Omit<PeopleStore & PeopleTools, keyof Persons | "endDue"> {
  const { store, nowMs } = engine;
  return {
    placeHold: async (hold, audit) => {
      const copy = await sealCopy(engine, hold, bookingOf);
      audited(audit, (sql) => putHold(sql, hold, copy));
    },
    releaseHold: async (hold, audit) => {
      const hasKey = engine.keys.existing(holdSubject(hold)) !== undefined;
      audited(audit, (sql) => releaseHold(sql, hold, nowMs(), hasKey));
      await engine.keys.destroy(holdSubject(hold));
    },
    holds: async () => store.read(readHolds),
    isHeld: async (person) =>
      store.read((sql) => heldSubjects(engine, sql)).has(personSubject(person)),
    readHeld: async (hold, reader, audit) => {
      mayRead(engine, hold, reader);
      audited(audit, () => undefined);
      return openCopy(engine, hold);
    },
    erasePerson: async (person, audit) => {
      store.read((sql) => checkErasable(engine, sql, person));
      // While it can be read: afterwards nobody could give it up any more. Where the provider does not answer, the
      // erasure stays due.
      const token = readPerson(engine, person)?.profile.paymentToken;
      if (token !== undefined) await engine.payments()?.revoke(token);
      audited({ ...audit, outcome: "asked" }, (sql) => markErased(engine, sql, person));
      await destroyKeys(engine, person);
      audited(audit, () => undefined);
    },
    eraseDestroyed: async (audit) => {
      const destroyed = new Set(engine.keys.destroyed("person:"));
      let count = 0;
      for (const person of destroyed) {
        const state = readPerson(engine, person)?.state;
        if (state === undefined || state === "erased") continue;
        const entry = { ...audit, action: "person.erase", subject: `person:${person}` };
        audited(entry, (sql) => tombstone(sql, person, nowMs()));
        count += 1;
      }
      return count;
    },
    due: async (untilMs, inactivityDays = INACTIVITY_DAYS_DEFAULT) =>
      readDue(engine, inactivityDays).filter(({ dueAtMs }) => dueAtMs <= untilMs),
    certifyErasure: async (person, audit, keyBackupDays = KEY_BACKUP_DAYS_DEFAULT) =>
      audited(audit, (sql) => certify(engine, sql, auditKey, person, keyBackupDays)),
  };
}

/** Soonest first. */
function readDue(engine: Engine, inactivityDays: number): readonly Due[] {
  const certified = new Set(
    engine.store
      .read((sql) =>
        sql.all<{ person: string }>("SELECT person FROM people WHERE certificate IS NOT NULL"),
      )
      .map(({ person }) => person),
  );
  const held = engine.store.read((sql) => heldSubjects(engine, sql));
  const found: Due[] = [];
  for (let after = ""; ; ) {
    const page = readPeople(engine, after, PEOPLE_MAX);
    for (const record of page) {
      const { person } = record;
      const hasKey =
        record.state === "erased" && engine.keys.existing(personSubject(person)) !== undefined;
      const due = dueOf(
        { ...record, certified: certified.has(person), hasKey },
        held.has(personSubject(person)),
        inactivityDays,
      );
      if (due !== undefined) found.push(due);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PEOPLE_MAX) break;
    after = last.person;
  }
  return found.sort((a, b) => a.dueAtMs - b.dueAtMs);
}
