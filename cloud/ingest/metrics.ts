/** What leaves this process about ingest (P-42): totals over all tenants and cars, and no label that could name one. */
import type { IngestCounts } from "./ingest.ts";

type Metric = { readonly name: string; readonly type: "counter" | "gauge"; readonly help: string };

const METRICS: Readonly<Record<keyof IngestCounts, Metric>> = {
  stored: { name: "segments_stored_total", type: "counter", help: "segments stored" },
  events: { name: "events_stored_total", type: "counter", help: "events stored" },
  bytes: { name: "bytes_total", type: "counter", help: "bytes of messages that came in" },
  duplicates: { name: "retries_total", type: "counter", help: "segments that came once more" },
  gaps: { name: "gaps_total", type: "counter", help: "segments that the car declared as gone" },
  forks: { name: "forks_total", type: "counter", help: "numbers that came with two headers" },
  unreadable: { name: "unreadable_total", type: "counter", help: "authentic, and not readable" },
  quarantined: { name: "quarantined_total", type: "counter", help: "messages put aside" },
  evicted: {
    name: "quarantine_evicted_total",
    type: "counter",
    help: "messages put aside that gave way to later ones",
  },
  refused: {
    name: "quarantine_refused_total",
    type: "counter",
    help: "messages not put aside: above what a car may, or without room",
  },
  dropped: { name: "dropped_total", type: "counter", help: "messages refused for good" },
  waiting: { name: "depth", type: "gauge", help: "messages under way to the store" },
  held: { name: "held", type: "gauge", help: "messages that wait for the opening of their log" },
  ageMs: {
    name: "age_milliseconds",
    type: "gauge",
    help: "age of the newest event of the segment stored last, by the car's clocks",
  },
};

/** Prometheus' text format 0.0.4. */
export function ingestMetrics(counts: IngestCounts): string {
  const lines: string[] = [];
  for (const key of Object.keys(METRICS)) {
    if (!isCount(key)) continue;
    const { name, type, help } = METRICS[key];
    const full = `kerbside_ingest_${name}`;
    lines.push(`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, `${full} ${counts[key]}`);
  }
  return `${lines.join("\n")}\n`;
}

function isCount(key: string): key is keyof IngestCounts {
  return Object.hasOwn(METRICS, key);
}
