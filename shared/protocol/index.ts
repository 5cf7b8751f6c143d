/**
 * Every contract that two parties of Kerbside share: signals and events with the class of each field, lanes,
 * segments and acknowledgements, sessions, commands and results, topics, the lock link, keys, enrolment, errors,
 * and the interfaces between the parts. It imports nothing of ours. `protocol.md` says what each byte means.
 */
export * from "./access.ts";
export * from "./acks.ts";
export * from "./aggregates.ts";
export * from "./artefact.ts";
export * from "./bytes.ts";
export * from "./card-auth.ts";
export * from "./cbor.ts";
export {
  type CheckedColumns,
  checkColumns,
  eventAtMs,
} from "./column-check.ts";
export { LOOK_BITS, VALUE_CODES } from "./column-codes.ts";
export { columnEvents } from "./column-events.ts";
export { type ColumnRows, rowData } from "./column-rows.ts";
export { traceSeries } from "./column-series.ts";
export { TRAINED_LENGTHS } from "./column-trained.ts";
export { type ColumnsEncoder, columnsEncoder, decodeColumns, encodeColumns } from "./columns.ts";
export * from "./commands.ts";
export * from "./cose.ts";
export * from "./crypto.ts";
export * from "./enrolment.ts";
export * from "./errors.ts";
export * from "./event-kinds.ts";
export * from "./events.ts";
export * from "./grants.ts";
export * from "./ids.ts";
export * from "./key-push.ts";
export * from "./keys.ts";
export * from "./lanes.ts";
export * from "./link.ts";
export * from "./link-dialect.ts";
export * from "./link-session.ts";
export * from "./lock-actuations.ts";
export * from "./lock-link.ts";
export * from "./lock-link-channel.ts";
export * from "./lock-link-frames.ts";
export { layoutBytes, type WireField, type WireLayout } from "./lock-link-layout.ts";
export * from "./lock-link-messages.ts";
export * from "./log-fields.ts";
export * from "./owned-files.ts";
export * from "./paired-line.ts";
export * from "./payments.ts";
export * from "./people.ts";
export * from "./phone-access.ts";
export * from "./privacy.ts";
export * from "./push.ts";
export * from "./reader-link.ts";
export * from "./reader-link-messages.ts";
export * from "./rental-policy.ts";
export * from "./retention.ts";
export * from "./roles.ts";
export * from "./runtime.ts";
export * from "./schema.ts";
export * from "./segment-message.ts";
export * from "./segments.ts";
export * from "./session.ts";
export * from "./signal-values.ts";
export * from "./signals.ts";
export * from "./store.ts";
export * from "./system-runtime.ts";
export * from "./tenant-terms.ts";
export * from "./time.ts";
export * from "./topics.ts";
export * from "./traces.ts";
export * from "./webhooks.ts";
