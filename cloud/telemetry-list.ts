/**
 * P-42: what may leave a region, as a table: names of metrics, their labels, and what a label may read. Whatever has no
 * row, or reads otherwise, stays where it is. No label can hold a person, a car, an address or a token: tenants are named
 * by their id for billing only, and hosts of webhooks by their name.
 */

const ROUTE = /^(?:\/v1\/(?:tenants\/:tenant|platform)[a-z/:-]*|other)$/;
const WORD = /^[a-z_]{1,40}$/;
const NUMBER = /^(?:\+Inf|\d+(?:\.\d+)?)$/;
const TENANT = /^[a-z0-9][a-z0-9-]{0,39}$/;
/** A name: its last label is no number, so that no network address is one (WHATWG URL § 3.5). */
const HOST = /^(?=.{1,253}$)(?:[a-z0-9-]+\.)*(?!\d+$)[a-z0-9-]+$/;
const STATUS = /^[1-5]\d\d$/;
const VERB = /^(?:GET|POST|PUT|PATCH|DELETE|other)$/;

type Labels = Readonly<Record<string, RegExp>>;
const http: Labels = { method: VERB, route: ROUTE, status: STATUS };
const none: Labels = {};

export const TELEMETRY: Readonly<Record<string, Labels>> = {
  kerbside_http_request_seconds_bucket: { ...http, le: NUMBER },
  kerbside_http_request_seconds_sum: http,
  kerbside_http_request_seconds_count: http,
  kerbside_command_ended_total: { action: WORD, outcome: WORD, reason: WORD },
  kerbside_command_seconds_bucket: { action: WORD, le: NUMBER },
  kerbside_command_seconds_sum: { action: WORD },
  kerbside_command_seconds_count: { action: WORD },
  kerbside_ingest_event_delay_seconds_bucket: { lane: WORD, le: NUMBER },
  kerbside_ingest_event_delay_seconds_sum: { lane: WORD },
  kerbside_ingest_event_delay_seconds_count: { lane: WORD },
  kerbside_ingest_segments_stored_total: none,
  kerbside_ingest_events_stored_total: none,
  kerbside_ingest_bytes_total: none,
  kerbside_ingest_retries_total: none,
  kerbside_ingest_gaps_total: none,
  kerbside_ingest_forks_total: none,
  kerbside_ingest_unreadable_total: none,
  kerbside_ingest_quarantined_total: none,
  kerbside_ingest_quarantine_evicted_total: none,
  kerbside_ingest_quarantine_refused_total: none,
  kerbside_ingest_dropped_total: none,
  kerbside_ingest_depth: none,
  kerbside_ingest_held: none,
  kerbside_ingest_age_milliseconds: none,
  kerbside_trace_spans_total: { outcome: WORD },
  kerbside_webhook_deliveries_total: { host: HOST, outcome: WORD },
  kerbside_billing_total: { tenant: TENANT, what: /^(?:cars|bookings|commands|events)$/ },
};

const LINE = /^([a-z_]+)(?:\{(.*)\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;
const LABEL = /^([a-z]+)="([^"\\]*)"$/;

export type Sifted = {
  /** In the order given, without comments. */
  readonly lines: readonly string[];
  /** Names of metrics of which something was held back; at most `REFUSED_MAX`. */
  readonly refused: readonly string[];
};
const REFUSED_MAX = 20;

/** Of a text in Prometheus' format, what may leave. Pure. */
export function sift(text: string): Sifted {
  const lines: string[] = [];
  const refused = new Set<string>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    if (mayLeave(line)) lines.push(line);
    // Cut to what a name is, so that the telling of it is not the leak.
    else if (refused.size < REFUSED_MAX) refused.add(/^[a-z_]{0,60}/.exec(line)?.[0] ?? "");
  }
  return { lines, refused: [...refused] };
}

function mayLeave(line: string): boolean {
  const [, name = "", labels = ""] = LINE.exec(line) ?? [];
  const row = Object.hasOwn(TELEMETRY, name) ? TELEMETRY[name] : undefined;
  if (row === undefined) return false;
  const given = labels === "" ? [] : labels.split(/,(?=[a-z]+=")/);
  const seen = new Set<string>();
  for (const label of given) {
    const [, key = "", value = ""] = LABEL.exec(label) ?? [];
    const form = Object.hasOwn(row, key) ? row[key] : undefined;
    if (form?.test(value) !== true || seen.has(key)) return false;
    seen.add(key);
  }
  return seen.size === Object.keys(row).length;
}
