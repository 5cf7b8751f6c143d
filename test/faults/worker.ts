/** A thread that runs worlds, one after the other. */
import { parentPort, workerData } from "node:worker_threads";
import { standIn } from "./hooks.ts";
import type { Job, Report } from "./threads.ts";

const { from, count, step, seeds, edits, untilFailure, msMax }: Job = workerData;
standIn(edits);
const { runSeed } = await import("./run.ts");
const startedMs = performance.now();
const worlds = seeds?.length ?? count;
for (let i = 0; i < worlds && performance.now() - startedMs < msMax; i += 1) {
  const outcome = await runSeed(seeds?.[i] ?? (from + i * step) >>> 0);
  const { events, landed, faults, problems } = outcome;
  const failure = problems.length > 0 ? { failure: outcome } : {};
  const report: Report = { events, landed, faults: faults.length, ...failure };
  parentPort?.postMessage(report);
  if (problems.length > 0 && untilFailure) break;
}
parentPort?.close();
