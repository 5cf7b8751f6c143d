/**
 * How long a tenant keeps what its cars report, by class of data (P-80: for as long as it is on the platform, where it does
 * not say less). An event is of the first class here that one of its fields has the tag of; what is not personal stays.
 */
import { ProtocolError } from "./errors.ts";
import { EVENT_KINDS, type EventKind } from "./event-kinds.ts";
import { eventDataCodec } from "./events.ts";
import { personalTags } from "./schema.ts";
import type { AuditEntry } from "./store.ts";

export const RETENTION_CLASSES = {
  positions: { tag: "GEO", doc: "events that say where a car was" },
  personal: { tag: "SPI", doc: "other events that are personal" },
} as const;
export type RetentionClass = keyof typeof RETENTION_CLASSES;
export const RETENTION_NAMES: readonly RetentionClass[] = ["positions", "personal"];

/** A week, so that an alarm or a damage can still be looked into; ten years is the longest legal term (P-81). */
export const RETENTION_DAYS = { min: 7, max: 3653 } as const;

/** Days since it came in; a class that is left out is kept. */
export type RetentionTerms = Partial<Readonly<Record<RetentionClass, number>>>;

export type RetentionStore = {
  readonly terms: () => Promise<RetentionTerms>;
  /** Instead of all terms before. What is gone by shorter ones does not come back with longer ones. */
  readonly setTerms: (terms: RetentionTerms, audit: AuditEntry) => Promise<void>;
  /** How many segments hold what is to go now; those that a legal hold keeps are not among them. */
  readonly due: () => Promise<number>;
  /** Lets go what is due, a few segments a transaction, each audited; others have their turns in between. */
  readonly sweep: () => Promise<number>;
};

/** Undefined where nothing of it is personal. */
export function retentionClassOf(kind: EventKind): RetentionClass | undefined {
  const tags = personalTags(eventDataCodec(kind));
  if (tags.size === 0) return undefined;
  return tags.has(RETENTION_CLASSES.positions.tag) ? "positions" : "personal";
}

/** Numbers of the kinds of a class. */
export function kindsOfClass(name: RetentionClass): ReadonlySet<number> {
  const kinds = Object.keys(EVENT_KINDS).filter((kind): kind is EventKind =>
    Object.hasOwn(EVENT_KINDS, kind),
  );
  return new Set(
    kinds.filter((kind) => retentionClassOf(kind) === name).map((kind) => EVENT_KINDS[kind].code),
  );
}

/** Throws ProtocolError `malformed`. */
export function retentionTermsOf(given: Readonly<Record<string, unknown>>): RetentionTerms {
  const { min, max } = RETENTION_DAYS;
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(RETENTION_CLASSES, name));
  if (unknown !== undefined)
    throw new ProtocolError("malformed", `retention: expected ${RETENTION_NAMES.join(", ")}`);
  for (const [name, days] of Object.entries(given))
    if (typeof days !== "number" || !Number.isInteger(days) || days < min || days > max)
      throw new ProtocolError("malformed", `retention of ${name}: expected ${min} to ${max} days`);
  return given;
}
