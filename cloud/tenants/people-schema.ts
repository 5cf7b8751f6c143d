/** The tables of people in a tenant's store, and the blind indexes that lie with their keys. See tenant-schema.ts. */
import type { ColumnClasses } from "./schema-check.ts";

export const PEOPLE_SQL = `
CREATE TABLE people /* who drives, and who works for the operator #PPI #SPI */ (
  person /* UUIDv4 #SPI */ TEXT PRIMARY KEY,
  state /* active, suspended or erased */ TEXT NOT NULL,
  profile /* CBOR, sealed under the person's key #PPI */ BLOB NOT NULL,
  created_at_ms /* Unix time */ INTEGER NOT NULL,
  used_at_ms /* last use, Unix time #SPI */ INTEGER,
  paid_at_ms /* last payment, Unix time #SPI */ INTEGER,
  suspended_at_ms /* Unix time */ INTEGER,
  erased_at_ms /* Unix time */ INTEGER,
  certificate /* of the erasure, signed */ TEXT
) STRICT;
CREATE TABLE consents /* what people agreed to, never changed but for the date of withdrawal #SPI */ (
  person /* UUIDv4 #SPI */ TEXT NOT NULL,
  purpose /* terms, privacy or marketing */ TEXT NOT NULL,
  version /* of the text */ TEXT NOT NULL,
  given_at_ms /* Unix time */ INTEGER NOT NULL,
  withdrawn_at_ms /* Unix time */ INTEGER,
  PRIMARY KEY (person, purpose, given_at_ms)
) STRICT, WITHOUT ROWID;
CREATE TABLE credentials /* cards and phones of people #PPI #SPI */ (
  credential /* UUIDv4 */ TEXT PRIMARY KEY,
  person /* UUIDv4 #SPI */ TEXT NOT NULL,
  kind /* card or phone */ TEXT NOT NULL,
  value /* UID or public key, sealed under the person's key #PPI */ BLOB NOT NULL,
  added_at_ms /* Unix time */ INTEGER NOT NULL,
  removed_at_ms /* Unix time */ INTEGER
) STRICT;
CREATE INDEX credentials_person ON credentials (person);
CREATE TABLE accounts /* with which people sign in #PPI #SPI */ (
  person /* UUIDv4 #SPI */ TEXT PRIMARY KEY,
  version /* rises by one */ INTEGER NOT NULL,
  role /* of the table of roles */ TEXT NOT NULL,
  state /* open, locked, locked-for-good or closed */ TEXT NOT NULL,
  locked_until_ms /* Unix time, where it is locked */ INTEGER,
  tokens_after_ms /* older tokens are over, Unix time */ INTEGER NOT NULL,
  secret /* user name and hashes, sealed by the issuer and under the person's key #PPI */ BLOB NOT NULL
) STRICT;
CREATE TABLE holds /* what must not be erased #PPI #GEO #SPI */ (
  hold /* UUIDv4 */ TEXT PRIMARY KEY,
  person /* UUIDv4 #SPI */ TEXT NOT NULL,
  reason /* why */ TEXT NOT NULL,
  readers /* who may read the copy, separated by spaces #SPI */ TEXT NOT NULL,
  placed_at_ms /* Unix time */ INTEGER NOT NULL,
  released_at_ms /* Unix time */ INTEGER,
  copy /* what is known of the person, sealed under the hold's own key #PPI #GEO #SPI */ BLOB NOT NULL
) STRICT;
CREATE INDEX holds_person ON holds (person);
`;

/** Anew, because a column that may be null cannot be made of one that may not. */
export const CAR_HOLDS_SQL = `
ALTER TABLE holds RENAME TO holds_of_people;
DROP INDEX holds_person;
CREATE TABLE holds /* what must not be erased #PPI #GEO #SPI */ (
  hold /* UUIDv4 */ TEXT PRIMARY KEY,
  person /* UUIDv4, where it names a person #SPI */ TEXT,
  vehicle /* pseudonym, where it names a car */ TEXT,
  from_ms /* with the car: since when, Unix time */ INTEGER,
  to_ms /* with the car: until when, Unix time */ INTEGER,
  reason /* why */ TEXT NOT NULL,
  readers /* who may read the copy, separated by spaces #SPI */ TEXT NOT NULL,
  placed_at_ms /* Unix time */ INTEGER NOT NULL,
  released_at_ms /* Unix time */ INTEGER,
  copy /* what is known of it, sealed under the hold's own key #PPI #GEO #SPI */ BLOB NOT NULL,
  CHECK ((person IS NULL) <> (vehicle IS NULL AND from_ms IS NULL AND to_ms IS NULL))
) STRICT;
INSERT INTO holds (hold, person, reason, readers, placed_at_ms, released_at_ms, copy)
  SELECT hold, person, reason, readers, placed_at_ms, released_at_ms, copy FROM holds_of_people;
DROP TABLE holds_of_people;
CREATE INDEX holds_open ON holds (released_at_ms) WHERE released_at_ms IS NULL;
`;

const internal = ["Internal"] as const;
const spi = ["Confidential", "SPI"] as const;
const ppi = ["Confidential", "PPI"] as const;

export const PEOPLE_CLASSES: ColumnClasses = {
  people: {
    person: spi,
    state: internal,
    profile: ppi,
    created_at_ms: internal,
    used_at_ms: spi,
    paid_at_ms: spi,
    suspended_at_ms: internal,
    erased_at_ms: internal,
    certificate: internal,
  },
  consents: {
    person: spi,
    purpose: internal,
    version: internal,
    given_at_ms: internal,
    withdrawn_at_ms: internal,
  },
  credentials: {
    credential: internal,
    person: spi,
    kind: internal,
    value: ppi,
    added_at_ms: internal,
    removed_at_ms: internal,
  },
  accounts: {
    person: spi,
    version: internal,
    role: internal,
    state: internal,
    locked_until_ms: internal,
    tokens_after_ms: internal,
    secret: ppi,
  },
  holds: {
    hold: internal,
    person: spi,
    vehicle: internal,
    from_ms: internal,
    to_ms: internal,
    reason: internal,
    readers: spi,
    placed_at_ms: internal,
    released_at_ms: internal,
    copy: ["Confidential", "PPI", "GEO", "SPI"],
  },
};

/** With the keys and not in the store, so that they end with them, in all backups too. */
export const FINDERS_SQL = `
CREATE TABLE finders /* keyed hashes by which people and bookings are found #PPI #SPI */ (
  kind /* of the value */ TEXT NOT NULL,
  value /* HMAC-SHA-256 of it #PPI */ BLOB NOT NULL,
  subject /* person:… or booking:… #SPI */ TEXT NOT NULL,
  PRIMARY KEY (kind, value, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX finders_subject ON finders (subject);
`;
export const FINDER_CLASSES: ColumnClasses = {
  finders: { kind: internal, value: ppi, subject: spi },
};
