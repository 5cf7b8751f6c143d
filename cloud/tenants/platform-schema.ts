/** The schema of the platform's own store (P-12), and of the file that anchors the tenants' audit trails (P-51). */
import { AUDIT_KEY_CLASSES, AUDIT_KEYS_SQL } from "./audit-keys.ts";
import { AVAILABILITY_CLASSES, AVAILABILITY_SQL } from "./availability.ts";
import type { Migration } from "./database.ts";
import { INCIDENT_CLASSES, INCIDENTS_SQL } from "./incidents.ts";
import type { ColumnClasses } from "./schema-check.ts";
import { MIGRATION_CLASSES } from "./tenant-classes.ts";
import { AUDIT_CLASSES, AUDIT_SQL } from "./tenant-schema.ts";
import { TERMS_CLASSES, TERMS_SQL } from "./terms.ts";

export const PLATFORM_MIGRATIONS: readonly Migration[] = [
  {
    name: "first",
    sql: `
CREATE TABLE tenants /* the operators on this platform */ (
  tenant /* id */ TEXT PRIMARY KEY,
  directory /* a random UUID: ids never become paths */ TEXT NOT NULL UNIQUE,
  created_at_ms /* Unix time */ INTEGER NOT NULL
) STRICT;
CREATE TABLE clients /* OAuth clients */ (
  client /* id */ TEXT PRIMARY KEY,
  tenant /* whose */ TEXT NOT NULL REFERENCES tenants (tenant) ON DELETE CASCADE,
  scopes /* separated by spaces */ TEXT NOT NULL,
  salt /* of the hash */ BLOB NOT NULL,
  secret_hash /* scrypt */ BLOB NOT NULL,
  created_at_ms /* Unix time */ INTEGER NOT NULL,
  revoked_at_ms /* Unix time */ INTEGER
) STRICT;
CREATE TABLE enrolment_tokens /* each lets one car in, once */ (
  hash /* SHA-256 of the token */ BLOB PRIMARY KEY,
  tenant /* whose car */ TEXT NOT NULL REFERENCES tenants (tenant) ON DELETE CASCADE,
  vehicle /* which car */ TEXT NOT NULL,
  profile /* the car's vehicle profile */ TEXT NOT NULL,
  issued_at_ms /* Unix time */ INTEGER NOT NULL,
  expires_at_ms /* Unix time */ INTEGER NOT NULL,
  consumed_at_ms /* Unix time */ INTEGER
) STRICT;
${AUDIT_SQL}`,
  },
  {
    name: "clients sealed by the issuer",
    sql: "ALTER TABLE clients ADD COLUMN seal /* MAC by the token issuer's key over all that it may do */ BLOB;",
  },
  {
    name: "certificates of tenants that left",
    sql: `
CREATE TABLE erasures /* that tenants left, signed */ (
  id /* order */ INTEGER PRIMARY KEY,
  tenant /* who left */ TEXT NOT NULL,
  erased_at_ms /* Unix time */ INTEGER NOT NULL,
  certificate /* the statement and its signature, as JSON */ TEXT NOT NULL
) STRICT;`,
  },
  { name: "incidents", sql: INCIDENTS_SQL },
  { name: "what is agreed with tenants", sql: TERMS_SQL },
  { name: "which parts were there", sql: AVAILABILITY_SQL },
  {
    name: "directories that are being made or taken away",
    sql: `
CREATE TABLE unsettled /* directories of tenants that are being made or taken away */ (
  directory /* its name */ TEXT PRIMARY KEY,
  tenant /* id */ TEXT NOT NULL,
  what /* make or remove */ TEXT NOT NULL,
  since_ms /* Unix time */ INTEGER NOT NULL,
  actor /* who asked, as the audit says */ TEXT NOT NULL
) STRICT;`,
  },
  { name: "keys of the audit trail", sql: AUDIT_KEYS_SQL },
];

export const PLATFORM_CLASSES: ColumnClasses = {
  migrations: MIGRATION_CLASSES,
  tenants: {
    tenant: ["Internal"],
    directory: ["Internal"],
    created_at_ms: ["Internal"],
    region: ["Internal"],
    quotas: ["Internal"],
  },
  clients: {
    client: ["Internal"],
    tenant: ["Internal"],
    scopes: ["Internal"],
    salt: ["Confidential"],
    secret_hash: ["Confidential"],
    seal: ["Internal"],
    created_at_ms: ["Internal"],
    revoked_at_ms: ["Internal"],
  },
  enrolment_tokens: {
    hash: ["Confidential"],
    tenant: ["Internal"],
    vehicle: ["Internal"],
    profile: ["Internal"],
    issued_at_ms: ["Internal"],
    expires_at_ms: ["Internal"],
    consumed_at_ms: ["Internal"],
  },
  erasures: {
    id: ["Internal"],
    tenant: ["Internal"],
    erased_at_ms: ["Internal"],
    certificate: ["Internal"],
  },
  unsettled: {
    directory: ["Internal"],
    tenant: ["Internal"],
    what: ["Internal"],
    since_ms: ["Internal"],
    actor: ["Internal"],
  },
  audit: AUDIT_CLASSES,
  ...AUDIT_KEY_CLASSES,
  ...INCIDENT_CLASSES,
  ...TERMS_CLASSES,
  ...AVAILABILITY_CLASSES,
};

export const ANCHOR_MIGRATIONS: readonly Migration[] = [
  {
    name: "first",
    sql: `
CREATE TABLE anchors /* signed heads of audit trails, never changed */ (
  owner /* tenant, or platform */ TEXT NOT NULL,
  seq /* place in that trail */ INTEGER NOT NULL,
  hash /* of that entry */ BLOB NOT NULL,
  signature /* Ed25519 */ BLOB NOT NULL,
  PRIMARY KEY (owner, seq)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER anchors_no_update BEFORE UPDATE ON anchors
BEGIN SELECT RAISE(ABORT, 'anchors is append-only'); END;
CREATE TRIGGER anchors_no_delete BEFORE DELETE ON anchors
BEGIN SELECT RAISE(ABORT, 'anchors is append-only'); END;
CREATE TRIGGER anchors_no_replace BEFORE INSERT ON anchors
WHEN EXISTS (SELECT 1 FROM anchors WHERE owner = NEW.owner AND seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'anchors is append-only'); END;`,
  },
];

export const ANCHOR_CLASSES: ColumnClasses = {
  migrations: MIGRATION_CLASSES,
  anchors: { owner: ["Internal"], seq: ["Internal"], hash: ["Internal"], signature: ["Internal"] },
};
