/** P-20: the class and personal tags of every column of a tenant's files. */
import type { ColumnClasses } from "./schema-check.ts";
import { AUDIT_CLASSES } from "./tenant-schema.ts";

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
  },
  quarantine: {
    id: internal,
    at_ms: internal,
    vehicle: internal,
    reason: internal,
    topic: internal,
    payload: report,
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
    result: internal,
    error: internal,
  },
  feed: { cursor: internal, at_ms: internal, topic: internal, id: internal },
  audit: AUDIT_CLASSES,
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
};
