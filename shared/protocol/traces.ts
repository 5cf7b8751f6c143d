/**
 * What traces may say (P-41, P-42): the names of spans and of their attributes, as a table with a form for each. What has
 * no row, or reads otherwise, is left out before anything is kept. No attribute can hold a person, a car, a place, a
 * booking, an address or a token; a tenant is named by its id, as in the log.
 */
import type { FieldMeta } from "./schema.ts";

/** `begins`: a trace may begin with it; the others are there only within one. */
export const SPANS = {
  "api.request": { begins: true, doc: "a request to the API, from its arrival" },
  "car.message": { begins: true, doc: "what a car says besides its events" },
  "ingest.segment": { begins: true, doc: "a segment from its arrival to its place in the store" },
  "ingest.store": { begins: false, doc: "waiting for a commit shared with others, and it" },
  signer: { begins: false, doc: "a question to the signer, until it answered" },
  "broker.send": { begins: false, doc: "handing a message for a car to the broker" },
  "car.answer": { begins: false, doc: "from sending a command to the record of its end" },
  store: { begins: false, doc: "a call of the tenant's store" },
} as const;
export type SpanName = keyof typeof SPANS;

const WORD = /^[A-Za-z][A-Za-z_]{0,39}$/;
const internal = (doc: string, form: RegExp) => ({ class: "Internal", doc, form }) as const;

/** The form is that of the value as text. */
export const SPAN_FIELDS = {
  tenant: internal("pseudonym of the tenant", /^[a-z0-9][a-z0-9-]{0,39}$/),
  method: internal("of a request", /^(?:GET|POST|PUT|PATCH)$/),
  route: internal("template of a route", /^\/v1\/tenants\/:tenant[a-z/:-]*$/),
  status: internal("of an answer", /^[1-5]\d\d$/),
  code: internal("of an error, from the list of errors", WORD),
  operation: internal("name of a call of ours", WORD),
  channel: internal("of a message", WORD),
  lane: internal("of a segment", WORD),
  outcome: internal("of a piece of work, in a word of ours", WORD),
  action: internal("of a command", WORD),
  bytes: internal("of a message", /^\d{1,12}$/),
} as const satisfies Readonly<Record<string, FieldMeta & { readonly form: RegExp }>>;
export type SpanField = keyof typeof SPAN_FIELDS;
export type SpanFields = Partial<Readonly<Record<SpanField, string | number>>>;

/** Of these fields, those that may be told. */
export function siftSpanFields(fields: Readonly<Record<string, unknown>>): SpanFields {
  return Object.fromEntries(
    Object.entries(fields).filter(
      ([name, value]) =>
        Object.hasOwn(SPAN_FIELDS, name) &&
        (typeof value === "string" || typeof value === "number") &&
        SPAN_FIELDS[name as SpanField].form.test(String(value)),
    ),
  );
}

/** A piece of work that is being told of. */
export type TraceSpan = {
  readonly note: (fields: SpanFields) => void;
};
/** A piece of work that ends elsewhere than where it began. */
export type OpenSpan = TraceSpan & { readonly end: () => void };
export type Begun = {
  readonly fields?: SpanFields;
  /** How long ago it began. */
  readonly agoMs?: number;
  /** What the caller says it belongs to (W3C `traceparent`); told as a link and nothing more. */
  readonly caller?: string | undefined;
};

/** Where parts tell how long their work takes. Nothing of it can fail. */
export type Tracing = {
  /** Runs `work`; told where a trace runs, or begins here and is among those that are taken. Its errors pass. */
  readonly span: <T>(
    name: SpanName,
    begun: Begun,
    work: (span: TraceSpan) => Promise<T>,
  ) => Promise<T>;
  /** Undefined where no trace runs. */
  readonly open: (name: SpanName, fields: SpanFields) => OpenSpan | undefined;
  readonly running: () => boolean;
  /** Runs `work` outside every trace: what goes on for others too. */
  readonly apart: <T>(work: () => T) => T;
};

const SILENT: TraceSpan = { note: () => undefined };
export const NO_TRACES: Tracing = {
  span: (_name, _begun, work) => work(SILENT),
  open: () => undefined,
  running: () => false,
  apart: (work) => work(),
};
