/** P-20: the class and personal tags of every column of a tenant's files. */
import { ACCESS_CLASSES } from "./access-schema.ts";
import { AUDIT_KEY_CLASSES } from "./audit-keys.ts";
import { OWNED_FILE_CLASSES } from "./owned-files-schema.ts";
import { FINDER_CLASSES, PEOPLE_CLASSES } from "./people-schema.ts";
import { PRIVACY_CLASSES } from "./privacy.ts";
import { QUARANTINE_ROOM_CLASSES } from "./quarantine-room.ts";
import { ROW_SPAN_CLASSES } from "./read-rows.ts";
import { RETENTION_TABLE_CLASSES } from "./retention.ts";
import { ROW_SEAL_CLASSES } from "./row-seals.ts";
import type { ColumnClasses } from "./schema-check.ts";
import { AUDIT_CLASSES } from "./tenant-schema.ts";
import { TRIP_CLASSES } from "./trips.ts";
import { WEBHOOK_CLASSES } from "./webhook-schema.ts";

const internal = ["Internal"] as const;
const spi = ["Confidential", "SPI"] as const;
/** A value that may hold anything a car reports. */
const report = ["Confidential", "PPI", "GEO", "SPI"] as const;

export const MIGRATION_CLASSES: ColumnClasses[string] = {
  version: internal,
  name: internal,
  applied_at_ms: internal,
};

export const TENANT_CLASSES: ColumnClasses = {
  migrations: MIGRATION_CLASSES,
  meta: { tenant: internal },
  vehicles: {
    vehicle: internal,
    profile: internal,
    signing_key: internal,
    certificate_serial: internal,
    renewed_serial: internal,
    enrolled_at_ms: internal,
    revoked_at_ms: internal,
  },
  sessions: {
    vehicle: internal,
    epoch: internal,
    session: internal,
    envelope: internal,
    received_at_ms: internal,
    online: internal,
  },
  counters: { vehicle: internal, value: internal },
  logs: {
    id: internal,
    vehicle: internal,
    log: internal,
    previous_log: internal,
    opening: internal,
    first_at_ms: spi,
    last_at_ms: spi,
    opened_at_ms: spi,
  },
  segments: {
    id: internal,
    log_id: internal,
    lane: internal,
    number: internal,
    hash: internal,
    previous_hash: internal,
    replaces: internal,
    first_seq: internal,
    count: internal,
    gone: internal,
    fork: internal,
    stored_at_ms: internal,
  },
  marks: { log_id: internal, lane: internal, up_to: internal, hash: internal },
  ranges: { log_id: internal, lane: internal, first: internal, last: internal, hash: internal },
  events: {
    log_id: internal,
    lane: internal,
    seq: internal,
    segment_id: internal,
    at_ms: spi,
    kind: internal,
    sealed: internal,
    data: report,
  },
  chunks: {
    segment_id: internal,
    log_id: internal,
    lane: internal,
    first_seq: internal,
    count: internal,
    first_at_ms: spi,
    last_at_ms: spi,
    kinds: internal,
    sealed: internal,
    data: report,
  },
  latest: {
    vehicle: internal,
    kind: internal,
    log_id: internal,
    boot_ms: internal,
    lane: internal,
    seq: internal,
    at_ms: spi,
    sealed: internal,
    data: report,
    newest: internal,
  },
  ...ROW_SEAL_CLASSES,
  ...ROW_SPAN_CLASSES,
  ...TRIP_CLASSES,
  ...AUDIT_KEY_CLASSES,
  derived: { what: internal, next_segment: internal, last_segment: internal },
  rivals: { vehicle: internal, log: internal, last_branch: internal, turns: internal },
  quarantine: {
    id: internal,
    at_ms: internal,
    vehicle: internal,
    reason: internal,
    topic: internal,
    payload: report,
    ...QUARANTINE_ROOM_CLASSES,
  },
  alarms: { id: internal, at_ms: internal, vehicle: internal, kind: internal, detail: internal },
  bookings: {
    booking: internal,
    vehicle: internal,
    holder: spi,
    from_ms: spi,
    to_ms: spi,
    state: internal,
    version: internal,
    mac: internal,
  },
  grants: {
    id: internal,
    booking: spi,
    vehicle: internal,
    credential: ["Confidential", "PPI", "SPI"],
    actions: internal,
    state: internal,
    version: internal,
    mac: internal,
    list_version: internal,
  },
  grant_lists: {
    vehicle: internal,
    version: internal,
    digest: internal,
    grants: internal,
    changed: internal,
    sealed: internal,
  },
  commands: {
    id: internal,
    place: internal,
    vehicle: internal,
    action: internal,
    booking: spi,
    requested_by: spi,
    idempotency_key: internal,
    request_digest: internal,
    state: internal,
    steps: internal,
    deadline_ms: internal,
    request_hash: internal,
    request_seal: internal,
    result: internal,
    error: internal,
  },
  artefacts: {
    kind: internal,
    name: internal,
    version: internal,
    envelope: internal,
    content: internal,
    vehicles: internal,
    published_at_ms: internal,
  },
  feed: { cursor: internal, at_ms: internal, topic: internal, id: internal },
  audit: AUDIT_CLASSES,
  ...PEOPLE_CLASSES,
  ...ACCESS_CLASSES,
  ...WEBHOOK_CLASSES,
  ...OWNED_FILE_CLASSES,
  ...PRIVACY_CLASSES,
  ...RETENTION_TABLE_CLASSES,
};

export const SUBJECT_CLASSES: ColumnClasses = {
  migrations: MIGRATION_CLASSES,
  subject_keys: {
    subject: spi,
    transit: internal,
    wrapped: internal,
    made_at_ms: internal,
    destroyed_at_ms: internal,
  },
  ...FINDER_CLASSES,
};
