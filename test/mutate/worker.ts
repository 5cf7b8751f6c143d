/**
 * A process that runs tests over changed copies of the project, one job after the other. It is told what to run and says
 * what came of it; a test that never gives the thread back is the parent's to end.
 */
import { setImmediate as turn } from "node:timers/promises";
import { watchAlive } from "./alive.ts";
import { openGraphs } from "./graph.ts";
import type { Job, Picked, Surveyed, Told } from "./jobs.ts";
import { openReach, reaches } from "./reach.ts";
import type { Suite } from "./suite.ts";

/** Modules of copies are never given back, so that a worker grows. */
const RSS_BYTES_MAX = 700 * 1024 * 1024;
const COPIES_MAX = 250;
const SETTLE_MS = 250;
const WHY_CHARS = 160;

const graphs = openGraphs();
const reach = openReach();
let copies = 0;
/** What was thrown where nobody caught it. */
let uncaught: (error: unknown) => void = () => undefined;
process.on("uncaughtException", (error) => uncaught(error));
process.on("unhandledRejection", (error) => uncaught(error));
// A test must not take the worker with it.
process.exit = (code): never => {
  throw new Error(`process.exit(${code})`);
};

const say = (told: Told): void => void process.send?.(told);
const whyOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).slice(0, WHY_CHARS);

class Late extends Error {}

/** Runs to its end, to the time limit, to an error that nobody caught, or to where nothing goes on any more. */
async function bounded(run: () => Promise<void>, msMax: number): Promise<void> {
  const over = new AbortController();
  const timer = Promise.withResolvers<never>();
  const limit = setTimeout(() => timer.reject(new Late(`over ${msMax} ms`)), msMax);
  limit.unref();
  const thrown = new Promise<never>((_, reject) => {
    uncaught = reject;
  });
  const stuck = new Promise<never>((_, reject) => {
    void alive.idle(over.signal).then(() => {
      if (!over.signal.aborted) reject(new Late("waits for what never comes"));
    });
  });
  try {
    await Promise.race([run(), timer.promise, thrown, stuck]);
  } finally {
    clearTimeout(limit);
    over.abort();
  }
}

async function load(copy: number, file: string): Promise<readonly Suite[]> {
  await graphs.load(copy, file);
  const found = await graphs.load(copy, graphs.suite);
  if (!isSuites(found)) throw new Error(`${file}: ran no tests`);
  return found.suites;
}

const isSuites = (value: unknown): value is { readonly suites: readonly Suite[] } =>
  typeof value === "object" && value !== null && "suites" in value && Array.isArray(value.suites);

/** Runs the tests at these places, in order, to the first that fails. */
async function runTests(
  suites: readonly Suite[],
  wanted: (test: number) => boolean,
  at: (name: string) => void,
): Promise<void> {
  let index = 0;
  for (const suite of suites) {
    const state = {};
    const cases = suite.cases.filter(() => wanted(index++));
    if (cases.length === 0) continue;
    try {
      for (const hook of suite.before) await hook(state);
      for (const { name, body } of cases) {
        at(name);
        for (const hook of suite.beforeEach) await hook(state);
        try {
          await body(state);
        } finally {
          for (const hook of suite.afterEach) await hook(state);
        }
      }
    } finally {
      for (const hook of suite.after) await hook(state);
    }
  }
}

/** A worker with something left over would blame the next mutant for it. */
async function isSpent(): Promise<boolean> {
  await turn();
  const settled = await alive.settles(SETTLE_MS);
  return !settled || copies >= COPIES_MAX || process.memoryUsage.rss() > RSS_BYTES_MAX;
}

async function attempt(job: Extract<Job, { kind: "try" }>): Promise<Told> {
  copies += 1;
  const copy = graphs.begin(job.changed);
  const { file, tests } = job.picked;
  const picked = new Set(tests);
  let current = "as it was loaded";
  const run = async (): Promise<void> => {
    const suites = await load(copy, file);
    await runTests(
      suites,
      (test) => picked.has(test),
      (name) => {
        current = name;
      },
    );
    await turn();
  };
  try {
    await bounded(run, job.msMax);
  } catch (error) {
    const failed = { test: current, why: whyOf(error), late: error instanceof Late };
    return { kind: "tried", failed, spent: await isSpent() };
  }
  return { kind: "tried", spent: await isSpent() };
}

async function surveyOne(
  job: Extract<Job, { kind: "survey" }>,
  { file, tests: [test = 0] }: Picked,
): Promise<Surveyed> {
  copies += 1;
  const copy = graphs.begin();
  let name = "as it was loaded";
  let startedMs = performance.now();
  let startedCpu = process.cpuUsage();
  await reach.begin();
  const run = async (): Promise<void> => {
    const suites = await load(copy, file);
    startedMs = performance.now();
    startedCpu = process.cpuUsage();
    const only = (i: number): boolean => i === test;
    await runTests(suites, only, (of) => {
      name = of;
    });
  };
  let failed: string | undefined;
  try {
    await bounded(run, job.testMsMax);
  } catch (error) {
    failed = whyOf(error);
  }
  const ms = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(startedCpu);
  const cpuMs = (user + system) / 1000;
  const reached: Record<string, readonly number[]> = {};
  for (const [url, ranges] of await reach.end()) {
    const source = graphs.fileOf(copy, url);
    const points = source === undefined ? undefined : job.points[source];
    if (source === undefined || points === undefined) continue;
    reached[source] = points.flatMap((point, i) => (reaches(ranges, point) ? [i] : []));
  }
  return { test, name, ms, cpuMs, reached, ...(failed === undefined ? {} : { failed }) };
}

async function survey(job: Extract<Job, { kind: "survey" }>): Promise<Told> {
  const suites = await load(graphs.begin(), job.file);
  const count = suites.reduce((sum, { cases }) => sum + cases.length, 0);
  const tests: Surveyed[] = [];
  for (let test = 0; test < count; test += 1) {
    tests.push(await surveyOne(job, { file: job.file, tests: [test] }));
    await alive.settles(SETTLE_MS);
  }
  return { kind: "surveyed", tests, spent: true };
}

// The channel to the parent is open from here on, and counts as nothing.
process.on("message", (job: Job) => {
  const told = job.kind === "survey" ? survey(job) : attempt(job);
  told.then(say, (error: unknown) => {
    process.stderr.write(`${whyOf(error)}\n`);
    process.exitCode = 1;
    process.disconnect();
  });
});
const alive = watchAlive();
say({ kind: "ready" });
