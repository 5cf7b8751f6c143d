/**
 * The fields that logs may carry, in the schema's words (P-20, P-41). A log masks every field that has no row here, and
 * every one whose row is personal or above Internal: whole, by its name, whatever its value looks like.
 */
import type { LogFields } from "./runtime.ts";
import type { FieldMeta } from "./schema.ts";

const internal = (doc: string): FieldMeta => ({ class: "Internal", doc });
const personal = (tag: "PPI" | "GEO" | "SPI", doc: string): FieldMeta => ({
  class: "Confidential",
  tag,
  doc,
});

export const LOG_FIELDS: Readonly<Record<string, FieldMeta>> = {
  tenant: internal("pseudonym of the tenant"),
  vehicle: internal("pseudonym of the car"),
  channel: internal("of a message"),
  lane: internal("of a segment"),
  kind: internal("of an event or a scheme"),
  id: internal("of a command: 128 random bits"),
  action: internal("of a command"),
  status: internal("of a result"),
  state: internal("of a machine"),
  code: internal("of an error, from the list of errors, or of a process that ended"),
  error: internal("name of an error's class, or its code"),
  reason: internal("why, in words of ours that name places and bounds, never values"),
  reasons: internal("as reason, several"),
  what: internal("which fault, in words of ours"),
  refusal: internal("why a connection was refused"),
  detail: internal("code of a TLS or system error"),
  name: internal("of a service, a key or a file of ours"),
  client: internal("id of an OAuth client that proved itself"),
  names: internal("of metrics of ours"),
  purpose: internal("of a key"),
  purposes: internal("of keys"),
  source: internal("which part says so: a clock, a bus, a transport"),
  announcement: internal("number of a session's announcement"),
  version: internal("of a key, a list or a scheme"),
  count: internal("how many"),
  failures: internal("how many in a row"),
  waiting: internal("how many wait"),
  segments: internal("how many segments"),
  retries: internal("how many were sent again"),
  bytes: internal("how many bytes"),
  connections: internal("how many connections"),
  requests: internal("how many requests"),
  blocked: internal("how many from the block list"),
  handshake: internal("how many that did not shake hands"),
  pauseMs: internal("until the next try"),
  retryMs: internal("until the next try"),
  wallMs: internal("time of the car's clock"),
  doubtMs: internal("doubt of a time"),
  notAfterMs: internal("when a certificate runs out"),
  https: internal("port"),
  broker: internal("port"),
  address: personal("SPI", "network address of somebody"),
  subject: personal("SPI", "user or client of a token"),
  booking: personal("SPI", "id of a booking"),
  holder: personal("SPI", "who holds a booking"),
  latitude: personal("GEO", "of a car"),
  longitude: personal("GEO", "of a car"),
  vin: personal("PPI", "of a car"),
};

export const MASKED = "[masked]";
/** Longer texts are cut: a log line is no place for what somebody sent. */
export const LOG_TEXT_CHARS_MAX = 300;

/** What may be written of these fields. */
export function maskFields(fields: LogFields): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, masked(name, value)]),
  );
}

function masked(name: string, value: LogFields[string]): LogFields[string] {
  const meta = Object.hasOwn(LOG_FIELDS, name) ? LOG_FIELDS[name] : undefined;
  if (meta === undefined || meta.tag !== undefined) return MASKED;
  if (meta.class !== "Public" && meta.class !== "Internal") return MASKED;
  return typeof value === "string" ? value.slice(0, LOG_TEXT_CHARS_MAX) : value;
}
