/** How old events are when they are stored (P-42): by lane, over all tenants and cars. */
import { LANES, type Lane } from "@kerbside/protocol";

/** From at once to a day without coverage. */
const BUCKETS_S = [1, 5, 15, 60, 300, 3600, 86_400] as const;

export class EventDelay {
  readonly #series = new Map(
    LANES.map((lane) => [lane, { count: 0, sumS: 0, buckets: BUCKETS_S.map(() => 0) }]),
  );

  /** `count` events whose newest is so old. */
  add(lane: Lane, ageMs: number, count: number): void {
    const series = this.#series.get(lane);
    if (series === undefined) return;
    series.count += count;
    series.sumS += (ageMs / 1000) * count;
    BUCKETS_S.forEach((limit, i) => {
      if (ageMs <= limit * 1000) series.buckets[i] = (series.buckets[i] ?? 0) + count;
    });
  }

  /** Prometheus' text format 0.0.4. */
  text(): string {
    const name = "kerbside_ingest_event_delay_seconds";
    const lines = [
      `# HELP ${name} age of events when they were stored`,
      `# TYPE ${name} histogram`,
    ];
    for (const [lane, { count, sumS, buckets }] of this.#series) {
      BUCKETS_S.forEach((limit, i) => {
        lines.push(`${name}_bucket{lane="${lane}",le="${limit}"} ${buckets[i] ?? 0}`);
      });
      lines.push(`${name}_bucket{lane="${lane}",le="+Inf"} ${count}`);
      lines.push(`${name}_sum{lane="${lane}"} ${sumS.toFixed(3)}`);
      lines.push(`${name}_count{lane="${lane}"} ${count}`);
    }
    return `${lines.join("\n")}\n`;
  }
}
