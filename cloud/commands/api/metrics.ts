/**
 * What leaves this process about its requests (P-42): how many, how long, with which status, by route template. The
 * labels are an allow-list by construction: a template comes from the table of routes, everything else is `other`.
 */
const BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;
const METHODS: ReadonlySet<string> = new Set(["GET", "POST", "PUT", "PATCH"]);

type Series = { count: number; sumS: number; readonly buckets: number[] };

export class RequestMetrics {
  readonly #templates: ReadonlySet<string>;
  readonly #series = new Map<string, Series>();

  constructor(templates: readonly string[]) {
    this.#templates = new Set(templates);
  }

  count(method: string, template: string | undefined, status: number, seconds: number): void {
    const route = template !== undefined && this.#templates.has(template) ? template : "other";
    const verb = METHODS.has(method) ? method : "other";
    const labels = `method="${verb}",route="${route}",status="${status}"`;
    const series = this.#series.get(labels) ?? {
      count: 0,
      sumS: 0,
      buckets: BUCKETS_S.map(() => 0),
    };
    this.#series.set(labels, series);
    series.count += 1;
    series.sumS += seconds;
    BUCKETS_S.forEach((limit, i) => {
      if (seconds <= limit) series.buckets[i] = (series.buckets[i] ?? 0) + 1;
    });
  }

  /** Prometheus' text format 0.0.4. */
  text(): string {
    const name = "kerbside_http_request_seconds";
    const lines = [`# HELP ${name} HTTP requests by route template`, `# TYPE ${name} histogram`];
    for (const [labels, { count, sumS, buckets }] of this.#series) {
      BUCKETS_S.forEach((limit, i) => {
        lines.push(`${name}_bucket{${labels},le="${limit}"} ${buckets[i] ?? 0}`);
      });
      lines.push(`${name}_bucket{${labels},le="+Inf"} ${count}`);
      lines.push(`${name}_sum{${labels}} ${sumS.toFixed(6)}`, `${name}_count{${labels}} ${count}`);
    }
    return `${lines.join("\n")}\n`;
  }
}
