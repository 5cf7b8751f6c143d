/** The tables of access that others agree to. See tenant-schema.ts. */
import type { ColumnClasses } from "./schema-check.ts";

export const ACCESS_SQL = `
CREATE TABLE tickets /* questions of the tenant's contacts, which support answers #SPI */ (
  id /* UUIDv4 */ TEXT PRIMARY KEY,
  opened_by /* who #SPI */ TEXT NOT NULL,
  words /* what it is about, no personal data */ TEXT NOT NULL,
  opened_at_ms /* Unix time */ INTEGER NOT NULL,
  closed_at_ms /* Unix time */ INTEGER
) STRICT;
CREATE TABLE access_requests /* who asked for access, and who agreed #SPI */ (
  id /* UUIDv4 */ TEXT PRIMARY KEY,
  place /* order of asking */ INTEGER NOT NULL UNIQUE,
  kind /* of the table of kinds */ TEXT NOT NULL,
  subject /* of what */ TEXT NOT NULL,
  ticket /* of tickets */ TEXT REFERENCES tickets (id),
  reason /* why */ TEXT NOT NULL,
  asked_by /* who #SPI */ TEXT NOT NULL,
  asked_at_ms /* Unix time */ INTEGER NOT NULL,
  life_ms /* once it is approved */ INTEGER NOT NULL,
  state /* asked, approved, refused or ended */ TEXT NOT NULL,
  decided_by /* who #SPI */ TEXT,
  until_ms /* Unix time */ INTEGER,
  secret_hash /* SHA-256 of what is shown to use it */ BLOB
) STRICT;
CREATE INDEX access_requests_ticket ON access_requests (ticket);
`;

const internal = ["Internal"] as const;
const spi = ["Confidential", "SPI"] as const;
export const ACCESS_CLASSES: ColumnClasses = {
  tickets: {
    id: internal,
    opened_by: spi,
    words: internal,
    opened_at_ms: internal,
    closed_at_ms: internal,
  },
  access_requests: {
    id: internal,
    place: internal,
    kind: internal,
    subject: internal,
    ticket: internal,
    reason: internal,
    asked_by: spi,
    asked_at_ms: internal,
    life_ms: internal,
    state: internal,
    decided_by: spi,
    until_ms: internal,
    secret_hash: internal,
  },
};
