/**
 * `npm run fuzz -- [--count N] [--seed S] [--target T]`: runs each target (or T) on N inputs. A thread runs
 * them while this one watches it: an input that takes too long is a hang, and its seed is named.
 */
import { parseArgs } from "node:util";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { freshSeed, SEED_MAX } from "./random.ts";
import { fuzz } from "./run.ts";
import { TARGETS } from "./targets.ts";

const COUNT_DEFAULT = 1_000_000;
/** No input takes a second; a busy machine may stop a thread for longer than that. */
const INPUT_MS_MAX = 30_000;
const WATCH_MS = 1000;
const USAGE = `npm run fuzz -- [--count N] [--seed S] [--target T]\n\nTargets:\n${TARGETS.map(
  ({ name, why }) => `  ${name.padEnd(15)} ${why}\n`,
).join("")}`;

type Job = { readonly target: string; readonly seed: number; readonly count: number };
/** Slots of what the thread shares: the seed at work, and how many inputs are done. */
const SEED_SLOT = 0;
const DONE_SLOT = 1;

async function runJob(job: Job, shared: Uint32Array): Promise<void> {
  const target = TARGETS.find(({ name }) => name === job.target);
  if (target === undefined) throw new Error(`no target ${job.target}`);
  await fuzz(target, job.seed, job.count, (seed, done) => {
    shared[SEED_SLOT] = seed;
    shared[DONE_SLOT] = done;
  });
}

/** True if all inputs held. */
function watch(job: Job): Promise<boolean> {
  const shared = new Uint32Array(new SharedArrayBuffer(8));
  const started = performance.now();
  const worker = new Worker(new URL(import.meta.url), { workerData: { job, shared } });
  let done = -1;
  let sinceMs = started;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (shared[DONE_SLOT] !== done) {
        done = shared[DONE_SLOT] ?? 0;
        sinceMs = performance.now();
      }
      if (performance.now() - sinceMs < INPUT_MS_MAX) return;
      process.stderr.write(`${job.target} hangs at seed ${shared[SEED_SLOT]}\n`);
      finish(false);
      void worker.terminate();
    }, WATCH_MS);
    const finish = (held: boolean): void => {
      clearInterval(timer);
      resolve(held);
    };
    worker.on("error", (error: Error) => {
      process.stderr.write(`${error.stack ?? error.message}\n`);
      if (error.cause instanceof Error) process.stderr.write(`${error.cause.stack}\n`);
      finish(false);
    });
    worker.on("exit", (code) => {
      const seconds = (performance.now() - started) / 1000;
      if (code === 0) {
        const speed = Math.round(job.count / seconds);
        process.stdout.write(`${job.target}: ${job.count} inputs held (${speed}/s)\n`);
      }
      finish(code === 0);
    });
  });
}

function integer(text: string | undefined, fallback: number, max: number): number {
  if (text === undefined) return fallback;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0 && value <= max) return value;
  throw new RangeError(`expected a whole number up to ${max}, not ${text}`);
}

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      count: { type: "string" },
      seed: { type: "string" },
      target: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const names = TARGETS.map(({ name }) => name);
  if (values.target !== undefined && !names.includes(values.target)) {
    process.stderr.write(`no target ${values.target}\n\n${USAGE}`);
    return 2;
  }
  const count = integer(values.count, COUNT_DEFAULT, SEED_MAX);
  const seed = integer(values.seed, freshSeed(), SEED_MAX);
  process.stdout.write(`seed ${seed}\n`);
  let held = true;
  for (const target of values.target === undefined ? names : [values.target]) {
    held = (await watch({ target, seed, count })) && held;
  }
  return held ? 0 : 1;
}

function usage(error: unknown): number {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
  return 2;
}

if (isMainThread) process.exitCode = await main(process.argv.slice(2)).catch(usage);
else await runJob(workerData.job, workerData.shared);
