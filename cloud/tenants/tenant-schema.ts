/**
 * The schema of a tenant's store and of the file with its subjects' keys. Comments stand after the name of what they
 * describe, because SQLite's ALTER TABLE keeps them only there, and end in the personal tags (P-21).
 */

import { ACCESS_SQL } from "./access-schema.ts";
import { ARTEFACTS_SQL } from "./artefacts.ts";
import { AUDIT_KEYS_SQL } from "./audit-keys.ts";
import type { Migration } from "./database.ts";
import { DERIVED_SQL } from "./derived.ts";
import { NEW_LOGS_SQL } from "./new-logs.ts";
import { NEWEST_SQL } from "./newest.ts";
import { OWNED_FILES_SQL } from "./owned-files-schema.ts";
import { CAR_HOLDS_SQL, FINDERS_SQL, PEOPLE_SQL } from "./people-schema.ts";
import { PRIVACY_SQL } from "./privacy.ts";
import { QUARANTINE_ROOM_SQL } from "./quarantine-room.ts";
import { ROW_SPANS_SQL } from "./read-rows.ts";
import { RETENTION_SQL } from "./retention.ts";
import { ROW_SEALS_SQL } from "./row-seals.ts";
import type { ColumnClasses } from "./schema-check.ts";
import { TRIPS_SQL } from "./trips.ts";
import { WEBHOOK_BATCH_TOPICS_SQL, WEBHOOKS_SQL } from "./webhook-schema.ts";

const APPEND_ONLY = (table: string): string => `
CREATE TRIGGER ${table}_no_update BEFORE UPDATE ON ${table}
BEGIN SELECT RAISE(ABORT, '${table} is append-only'); END;
CREATE TRIGGER ${table}_no_delete BEFORE DELETE ON ${table}
BEGIN SELECT RAISE(ABORT, '${table} is append-only'); END;
CREATE TRIGGER ${table}_in_order BEFORE INSERT ON ${table}
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM ${table})
BEGIN SELECT RAISE(ABORT, '${table} is append-only'); END;
`;

/** The audit chain, the same in a tenant's store and in the platform's. */
export const AUDIT_SQL: string = `
CREATE TABLE audit /* who did what, hash-chained, never changed #SPI */ (
  seq /* place in the chain, from 1 */ INTEGER PRIMARY KEY,
  at_ms /* Unix time */ INTEGER NOT NULL,
  actor /* who #SPI */ TEXT NOT NULL,
  action /* what */ TEXT NOT NULL,
  subject /* of what */ TEXT NOT NULL,
  outcome /* asked, done, refused or failed */ TEXT NOT NULL,
  reason /* why */ TEXT,
  origin /* from where #SPI */ TEXT,
  hash /* SHA-256 over this entry and the hash before */ BLOB NOT NULL
) STRICT;
${APPEND_ONLY("audit")}`;

export const AUDIT_CLASSES: ColumnClasses[string] = {
  seq: ["Internal"],
  at_ms: ["Internal"],
  actor: ["Confidential", "SPI"],
  action: ["Internal"],
  subject: ["Internal"],
  outcome: ["Internal"],
  reason: ["Internal"],
  origin: ["Confidential", "SPI"],
  hash: ["Internal"],
};

const VEHICLES_SQL = `
CREATE TABLE meta /* whose store this is */ (
  tenant /* the only row */ TEXT PRIMARY KEY
) STRICT;
CREATE TABLE vehicles /* enrolled cars */ (
  vehicle /* pseudonym */ TEXT PRIMARY KEY,
  profile /* vehicle profile */ TEXT NOT NULL,
  signing_key /* Ed25519 public key */ BLOB NOT NULL,
  certificate_serial /* of its TLS certificate */ TEXT NOT NULL,
  enrolled_at_ms /* Unix time */ INTEGER NOT NULL,
  revoked_at_ms /* Unix time */ INTEGER
) STRICT;
CREATE TABLE sessions /* the newest session each car announced */ (
  vehicle /* pseudonym */ TEXT PRIMARY KEY,
  epoch /* 128 random bits */ BLOB NOT NULL,
  session /* the announcement as CBOR */ BLOB NOT NULL,
  envelope /* as the car signed it */ BLOB NOT NULL,
  received_at_ms /* Unix time */ INTEGER NOT NULL,
  online /* 1: connected, 2: asleep */ INTEGER NOT NULL
) STRICT;
CREATE TABLE counters /* the last command counter handed out */ (
  vehicle /* pseudonym */ TEXT PRIMARY KEY,
  value /* only rises */ INTEGER NOT NULL
) STRICT;
`;

const EVENTS_SQL = `
CREATE TABLE logs /* what a car's buffer wrote between two boots #SPI */ (
  id /* local */ INTEGER PRIMARY KEY,
  vehicle /* pseudonym */ TEXT NOT NULL,
  log /* 128 random bits */ BLOB NOT NULL,
  previous_log /* the log before on this car */ BLOB,
  opening /* the opening as CBOR */ BLOB,
  first_at_ms /* Unix time of its first event #SPI */ INTEGER,
  last_at_ms /* Unix time of its last event #SPI */ INTEGER,
  UNIQUE (vehicle, log)
) STRICT;
CREATE TABLE segments /* what has been committed of each log */ (
  id /* local, in order of commits */ INTEGER PRIMARY KEY,
  log_id /* of logs */ INTEGER NOT NULL REFERENCES logs (id),
  lane /* place in the list of lanes */ INTEGER NOT NULL,
  number /* in its lane and log, from 1 */ INTEGER NOT NULL,
  hash /* of the signed header */ BLOB NOT NULL,
  previous_hash /* of the header before */ BLOB NOT NULL,
  first_seq /* of its events */ INTEGER NOT NULL,
  count /* of its events */ INTEGER NOT NULL,
  gone /* 1: the car declared its events as gone */ INTEGER NOT NULL,
  fork /* 1: another header has this number */ INTEGER NOT NULL,
  stored_at_ms /* Unix time */ INTEGER NOT NULL,
  UNIQUE (log_id, lane, number, hash)
) STRICT;
CREATE INDEX segments_gone ON segments (log_id, lane, first_seq) WHERE gone = 1;
CREATE INDEX segments_fork ON segments (log_id, lane, number) WHERE fork = 1;
CREATE TABLE marks /* all segments of a lane up to here are stored */ (
  log_id /* of logs */ INTEGER NOT NULL REFERENCES logs (id),
  lane /* place in the list of lanes */ INTEGER NOT NULL,
  up_to /* number */ INTEGER NOT NULL,
  hash /* of that header */ BLOB NOT NULL,
  PRIMARY KEY (log_id, lane)
) STRICT, WITHOUT ROWID;
CREATE TABLE ranges /* segments stored beyond the mark */ (
  log_id /* of logs */ INTEGER NOT NULL REFERENCES logs (id),
  lane /* place in the list of lanes */ INTEGER NOT NULL,
  first /* number */ INTEGER NOT NULL,
  last /* number */ INTEGER NOT NULL,
  hash /* of the last header */ BLOB NOT NULL,
  PRIMARY KEY (log_id, lane, first)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX ranges_last ON ranges (log_id, lane, last);
CREATE TABLE events /* what the cars report #PPI #GEO #SPI */ (
  log_id /* of logs */ INTEGER NOT NULL REFERENCES logs (id),
  lane /* place in the list of lanes */ INTEGER NOT NULL,
  seq /* in its lane and log, from 1 */ INTEGER NOT NULL,
  segment_id /* of segments */ INTEGER NOT NULL REFERENCES segments (id),
  at_ms /* Unix time by the car's clocks #SPI */ INTEGER NOT NULL,
  kind /* number of the kind */ INTEGER NOT NULL,
  sealed /* 1: data is encrypted under the vehicle's key */ INTEGER NOT NULL,
  data /* CBOR by kind, sealed where the kind is personal #PPI #GEO #SPI */ BLOB NOT NULL,
  PRIMARY KEY (log_id, lane, seq, segment_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE latest /* the newest event of each kind in each log #PPI #GEO #SPI */ (
  vehicle /* pseudonym */ TEXT NOT NULL,
  kind /* number of the kind */ INTEGER NOT NULL,
  log_id /* of logs */ INTEGER NOT NULL REFERENCES logs (id),
  boot_ms /* on the car's boot clock */ INTEGER NOT NULL,
  lane /* place in the list of lanes */ INTEGER NOT NULL,
  seq /* in its lane and log */ INTEGER NOT NULL,
  at_ms /* Unix time #SPI */ INTEGER NOT NULL,
  sealed /* 1: data is encrypted under the vehicle's key */ INTEGER NOT NULL,
  data /* CBOR by kind, sealed where the kind is personal #PPI #GEO #SPI */ BLOB NOT NULL,
  PRIMARY KEY (vehicle, kind, log_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE quarantine /* messages that did not verify #PPI #GEO #SPI */ (
  id /* rises */ INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms /* Unix time */ INTEGER NOT NULL,
  vehicle /* pseudonym, where it is known */ TEXT,
  reason /* why */ TEXT NOT NULL,
  topic /* where it came in */ TEXT NOT NULL,
  payload /* as it came in, sealed under the tenant's key #PPI #GEO #SPI */ BLOB NOT NULL
) STRICT;
CREATE TABLE alarms /* what a person should look at */ (
  id /* rises */ INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms /* Unix time */ INTEGER NOT NULL,
  vehicle /* pseudonym */ TEXT NOT NULL,
  kind /* fork, chain or successors */ TEXT NOT NULL,
  detail /* which log, lane and number */ TEXT NOT NULL
) STRICT;
`;

/** Events of a whole segment in one row; the columns' form is that of segments on the wire. */
const CHUNKS_SQL = `
CREATE TABLE chunks /* what the cars report on their way, a segment a row #PPI #GEO #SPI */ (
  segment_id /* of segments */ INTEGER PRIMARY KEY REFERENCES segments (id),
  log_id /* of logs */ INTEGER NOT NULL REFERENCES logs (id),
  lane /* place in the list of lanes */ INTEGER NOT NULL,
  first_seq /* of its events */ INTEGER NOT NULL,
  count /* of its events */ INTEGER NOT NULL,
  first_at_ms /* Unix time of its earliest event by the car's clocks #SPI */ INTEGER NOT NULL,
  last_at_ms /* Unix time of its latest event #SPI */ INTEGER NOT NULL,
  kinds /* numbers of the kinds in order, deflated */ BLOB NOT NULL,
  sealed /* 1: data is encrypted under the vehicle's key; 2: that was destroyed before */ INTEGER NOT NULL,
  data /* events as columns, sealed #PPI #GEO #SPI */ BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX chunks_place ON chunks (log_id, lane, first_seq, segment_id);
`;

const BOOKINGS_SQL = `
CREATE TABLE bookings /* who may use which car when #SPI */ (
  booking /* id */ TEXT PRIMARY KEY,
  vehicle /* pseudonym */ TEXT NOT NULL,
  holder /* opaque id of the person, sealed under the booking's key #SPI */ BLOB NOT NULL,
  from_ms /* Unix time #SPI */ INTEGER NOT NULL,
  to_ms /* Unix time #SPI */ INTEGER NOT NULL,
  state /* reserved, open, ended or cancelled */ TEXT NOT NULL,
  version /* rises by one */ INTEGER NOT NULL,
  mac /* by the signer, over all else */ BLOB NOT NULL
) STRICT;
CREATE INDEX bookings_vehicle ON bookings (vehicle, from_ms);
CREATE TABLE commands /* what was asked of a car, and what became of it #SPI */ (
  id /* 128 random bits */ TEXT PRIMARY KEY,
  place /* order of creation */ INTEGER NOT NULL UNIQUE,
  vehicle /* pseudonym */ TEXT NOT NULL,
  action /* what */ TEXT NOT NULL,
  booking /* for which booking #SPI */ TEXT,
  requested_by /* client or user #SPI */ TEXT NOT NULL,
  idempotency_key /* by the caller */ TEXT NOT NULL,
  request_digest /* SHA-256 of the request's body */ TEXT NOT NULL,
  state /* of its life cycle */ TEXT NOT NULL,
  steps /* JSON: states with their times */ TEXT NOT NULL,
  deadline_ms /* Unix time */ INTEGER NOT NULL,
  request_hash /* of the signed command */ BLOB,
  result /* as CBOR */ BLOB,
  error /* code */ TEXT,
  UNIQUE (requested_by, idempotency_key)
) STRICT;
CREATE INDEX commands_vehicle ON commands (vehicle, place);
CREATE TABLE feed /* announcements, ids only, in the order of commits */ (
  cursor /* rises */ INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms /* Unix time */ INTEGER NOT NULL,
  topic /* vehicle, booking, command or events */ TEXT NOT NULL,
  id /* of what changed */ TEXT NOT NULL
) STRICT;
`;

const RIVALS_SQL = `
CREATE TABLE rivals /* logs that more than one log follows */ (
  vehicle /* pseudonym */ TEXT NOT NULL,
  log /* the one that they follow */ BLOB NOT NULL,
  last_branch /* of logs: the follower that last was heard of, by itself or by what follows it */ INTEGER NOT NULL REFERENCES logs (id),
  turns /* how often another one was heard of than before */ INTEGER NOT NULL,
  PRIMARY KEY (vehicle, log)
) STRICT, WITHOUT ROWID;
CREATE INDEX logs_previous ON logs (vehicle, previous_log);
`;

const GRANTS_SQL = `
CREATE TABLE grants /* rights of cards and phones #PPI #SPI */ (
  id /* 128 random bits */ TEXT PRIMARY KEY,
  booking /* the booking that gives it #SPI */ TEXT NOT NULL,
  vehicle /* pseudonym */ TEXT NOT NULL,
  credential /* card or phone as CBOR, sealed under the booking's key #PPI #SPI */ BLOB NOT NULL,
  actions /* what it allows */ TEXT NOT NULL,
  state /* active or revoked */ TEXT NOT NULL,
  version /* rises by one */ INTEGER NOT NULL,
  mac /* by the signer, over all else */ BLOB NOT NULL,
  list_version /* the first list that shows it so */ INTEGER
) STRICT;
CREATE INDEX grants_vehicle ON grants (vehicle);
CREATE TABLE grant_lists /* the newest list of each car */ (
  vehicle /* pseudonym */ TEXT PRIMARY KEY,
  version /* only rises */ INTEGER NOT NULL,
  digest /* SHA-256 of its grants */ BLOB NOT NULL,
  grants /* ids of those in it */ TEXT NOT NULL,
  changed /* ids of those that differ from the list before */ TEXT NOT NULL,
  sealed /* signed, and sealed to the car */ BLOB NOT NULL
) STRICT;
`;

/** What an event is passed over by stands in the index: rows with their data are read only where they are asked for. */
const CHUNK_SPANS_SQL = `
DROP INDEX chunks_place;
CREATE UNIQUE INDEX chunks_place ON chunks (log_id, lane, first_seq, segment_id, count, first_at_ms, last_at_ms);
`;

export const TENANT_MIGRATIONS: readonly Migration[] = [
  { name: "first", sql: VEHICLES_SQL + EVENTS_SQL + BOOKINGS_SQL + AUDIT_SQL },
  {
    name: "gaps name what they replace",
    sql: "ALTER TABLE segments ADD COLUMN replaces /* of a gap: hash of the header it took the place of */ BLOB;",
  },
  { name: "grants", sql: GRANTS_SQL },
  { name: "the track lane in chunks", sql: CHUNKS_SQL },
  { name: "logs that follow the same log", sql: RIVALS_SQL },
  {
    name: "certificates renewed and not used yet",
    sql: "ALTER TABLE vehicles ADD COLUMN renewed_serial /* of a certificate that it has not used yet */ TEXT;",
  },
  { name: "people", sql: PEOPLE_SQL },
  { name: "access that others agree to", sql: ACCESS_SQL },
  { name: "what is published for the cars", sql: ARTEFACTS_SQL },
  { name: "all lanes in chunks, found by their time", sql: CHUNK_SPANS_SQL },
  { name: "the newest across logs, and trips", sql: NEWEST_SQL + TRIPS_SQL + DERIVED_SQL },
  { name: "keys of the audit trail", sql: AUDIT_KEYS_SQL },
  { name: "webhooks", sql: WEBHOOKS_SQL },
  { name: "files", sql: OWNED_FILES_SQL },
  { name: "what is kept of positions, and whose cars are a person's", sql: PRIVACY_SQL },
  { name: "what is personal of a segment's rows", sql: ROW_SEALS_SQL },
  { name: "holds on cars", sql: CAR_HOLDS_SQL },
  { name: "how long what cars report is kept", sql: RETENTION_SQL },
  {
    name: "seals of commands",
    sql: "ALTER TABLE commands ADD COLUMN request_seal /* the signer's, over what was asked and its hash */ BLOB;",
  },
  { name: "what gives way in quarantine", sql: QUARANTINE_ROOM_SQL },
  { name: "when logs were opened", sql: NEW_LOGS_SQL },
  { name: "what batches of webhooks were gathered for", sql: WEBHOOK_BATCH_TOPICS_SQL },
  { name: "when the rows of a segment were", sql: ROW_SPANS_SQL },
  // Nothing to make; an earlier release cannot read what is written from here on.
  { name: "data of trips, read from the rows of their events", sql: "" },
];

/** A file of its own, so that no backup of the store holds a key (P-31). */
export const SUBJECT_MIGRATIONS: readonly Migration[] = [
  {
    name: "first",
    sql: `
CREATE TABLE subject_keys /* one a person, booking or vehicle #SPI */ (
  subject /* person:…, booking:… or vehicle:… #SPI */ TEXT PRIMARY KEY,
  transit /* version of the transit key that wraps it */ INTEGER NOT NULL,
  wrapped /* the key, wrapped; empty once destroyed */ BLOB NOT NULL,
  made_at_ms /* Unix time */ INTEGER NOT NULL,
  destroyed_at_ms /* Unix time */ INTEGER
) STRICT;`,
  },
  { name: "blind indexes", sql: FINDERS_SQL },
];
