/**
 * The service levels of commands (P-42): how many came to which end and why, and how long they took. Totals over all
 * tenants and cars; a reason is a code of ours or the name of an interlock, and how many there may be is bounded.
 */
import { type CommandRecord, ERRORS } from "@kerbside/protocol";

const BUCKETS_S = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;
/** A car says which condition was not met; beyond so many different ones, or of another form, it is `other`. */
const REASONS_MAX = 64;
const REASON = /^[a-z_]{1,40}$/;

type Series = { count: number; sumS: number; readonly buckets: number[] };

export class CommandLevels {
  readonly #ended = new Map<string, number>();
  readonly #times = new Map<string, Series>();
  readonly #reasons = new Set<string>();

  /** To be told of each command once, when it has ended. */
  ended(record: CommandRecord): void {
    const { action, state, steps } = record;
    const labels = `action="${action}",outcome="${state}",reason="${this.#reason(record)}"`;
    this.#ended.set(labels, (this.#ended.get(labels) ?? 0) + 1);
    const [first, last] = [steps[0]?.atMs ?? 0, steps.at(-1)?.atMs ?? 0];
    const seconds = Math.max(0, last - first) / 1000;
    const series = this.#times.get(action) ?? {
      count: 0,
      sumS: 0,
      buckets: BUCKETS_S.map(() => 0),
    };
    this.#times.set(action, series);
    series.count += 1;
    series.sumS += seconds;
    BUCKETS_S.forEach((limit, i) => {
      if (seconds <= limit) series.buckets[i] = (series.buckets[i] ?? 0) + 1;
    });
  }

  #reason({ state, error, result }: CommandRecord): string {
    if (state === "executed") return "none";
    const said = result?.unmet[0]?.condition ?? error ?? "none";
    if (Object.hasOwn(ERRORS, said) || said === "none") return said;
    if (!REASON.test(said)) return "other";
    if (this.#reasons.size < REASONS_MAX) this.#reasons.add(said);
    return this.#reasons.has(said) ? said : "other";
  }

  /** Prometheus' text format 0.0.4. */
  text(): string {
    const total = "kerbside_command_ended_total";
    const lines = [`# HELP ${total} commands by how they ended`, `# TYPE ${total} counter`];
    for (const [labels, count] of this.#ended) lines.push(`${total}{${labels}} ${count}`);
    const name = "kerbside_command_seconds";
    lines.push(`# HELP ${name} from asking to the end`, `# TYPE ${name} histogram`);
    for (const [action, { count, sumS, buckets }] of this.#times) {
      BUCKETS_S.forEach((limit, i) => {
        lines.push(`${name}_bucket{action="${action}",le="${limit}"} ${buckets[i] ?? 0}`);
      });
      lines.push(`${name}_bucket{action="${action}",le="+Inf"} ${count}`);
      lines.push(`${name}_sum{action="${action}"} ${sumS.toFixed(3)}`);
      lines.push(`${name}_count{action="${action}"} ${count}`);
    }
    return `${lines.join("\n")}\n`;
  }
}
