/** Worlds in threads: each has its own copy of the packages under test, with its own planted bugs if there are any. */
import { Worker } from "node:worker_threads";
import type { Edit } from "./hooks.ts";
import type { Outcome } from "./run.ts";

export type Job = {
  readonly from: number;
  readonly count: number;
  /** Every so many seeds are this thread's. */
  readonly step: number;
  /** These and no others, in place of the three above. */
  readonly seeds?: readonly number[];
  readonly edits: readonly Edit[];
  /** Give up at the first world that fails. */
  readonly untilFailure: boolean;
  /** No world is begun after so long, in milliseconds. */
  readonly msMax: number;
};
/** `done` counts worlds; a failure comes with its outcome. */
export type Report = Pick<Outcome, "events" | "landed"> & {
  readonly faults: number;
  readonly failure?: Outcome;
};
export type Summary = {
  worlds: number;
  events: number;
  faults: number;
  /** Faults that came while something was under way. */
  inFlight: number;
  /** The same, fault by fault. */
  readonly landed: Record<string, number>;
  readonly failures: Outcome[];
};

/** At most so many failures are kept; a thread that sees more goes on counting. */
const FAILURES_MAX = 100;

function nothing(): Summary {
  return { worlds: 0, events: 0, faults: 0, inFlight: 0, landed: {}, failures: [] };
}

/** Worlds of just these seeds, one after the other in one thread. */
export async function runSeeds(seeds: readonly number[]): Promise<Summary> {
  const summary = nothing();
  const none = { from: 0, count: 0, step: 1, edits: [], untilFailure: false };
  const job = { ...none, seeds, msMax: Number.POSITIVE_INFINITY };
  await runThread(job, (report) => add(summary, report));
  return summary;
}

function add(summary: Summary, report: Report): void {
  summary.worlds += 1;
  summary.events += report.events;
  summary.faults += report.faults;
  summary.inFlight += report.landed.length;
  for (const name of report.landed) summary.landed[name] = (summary.landed[name] ?? 0) + 1;
  if (report.failure !== undefined && summary.failures.length < FAILURES_MAX)
    summary.failures.push(report.failure);
}

export async function runThreads(
  options: {
    readonly from: number;
    readonly count: number;
    readonly threads: number;
    readonly edits?: readonly Edit[];
    readonly untilFailure?: boolean;
    readonly msMax?: number;
  },
  progress: (summary: Summary) => void = () => undefined,
): Promise<Summary> {
  const { from, count, threads, edits = [], untilFailure = false } = options;
  const { msMax = Number.POSITIVE_INFINITY } = options;
  const summary = nothing();
  const take = (report: Report): void => {
    add(summary, report);
    progress(summary);
  };
  const jobs = Array.from({ length: threads }, (_, i): Job => {
    const own = Math.ceil((count - i) / threads);
    return { from: from + i, count: own, step: threads, edits, untilFailure, msMax };
  });
  await Promise.all(jobs.map((job) => runThread(job, take)));
  return summary;
}

function runThread(job: Job, take: (report: Report) => void): Promise<void> {
  const worker = new Worker(new URL("worker.ts", import.meta.url), {
    workerData: job,
    // Worlds make much that is soon thrown away.
    resourceLimits: { maxYoungGenerationSizeMb: 64 },
  });
  return new Promise((resolve, reject) => {
    worker.on("message", take);
    worker.on("error", reject);
    worker.on("exit", () => resolve());
  });
}
