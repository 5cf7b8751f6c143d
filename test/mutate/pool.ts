/**
 * Processes that try mutants. One that hangs is killed by its id, one that is spent is ended; another takes its place
 * when there is work.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Job, Told } from "./jobs.ts";

const WORKER = fileURLToPath(new URL("./worker.ts", import.meta.url));
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const START_MS_MAX = 60_000;

export type Answer = Told | { readonly kind: "hung" } | { readonly kind: "died" };

export type Pool = {
  /** Runs as soon as a worker is free. `hung` after `msMax` milliseconds. */
  readonly run: (job: Job, msMax: number) => Promise<Answer>;
  readonly close: () => void;
};

function ask(child: ChildProcess, job: Job | undefined, msMax: number): Promise<Answer> {
  return new Promise((resolve) => {
    const done = (answer: Answer): void => {
      clearTimeout(limit);
      child.removeAllListeners();
      resolve(answer);
    };
    const limit = setTimeout(() => done({ kind: "hung" }), msMax);
    child.on("message", (told: Told) => done(told));
    child.on("exit", () => done({ kind: "died" }));
    child.on("error", () => done({ kind: "died" }));
    if (job !== undefined) child.send(job);
  });
}

async function start(): Promise<ChildProcess> {
  const child = fork(WORKER, {
    cwd: ROOT,
    execArgv: ["--disable-warning=ExperimentalWarning"],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const answer = await ask(child, undefined, START_MS_MAX);
  if (answer.kind === "ready") return child;
  child.kill("SIGKILL");
  throw new Error("a worker did not start");
}

export function openPool(size: number): Pool {
  const free: (ChildProcess | undefined)[] = Array.from({ length: size }, () => undefined);
  const waiting: ((child: ChildProcess | undefined) => void)[] = [];
  const all = new Set<ChildProcess>();
  const end = (child: ChildProcess): void => {
    all.delete(child);
    child.kill("SIGKILL");
  };
  const take = (): Promise<ChildProcess | undefined> =>
    free.length > 0
      ? Promise.resolve(free.pop())
      : new Promise((resolve) => {
          waiting.push(resolve);
        });
  const give = (child: ChildProcess | undefined): void => {
    const next = waiting.shift();
    if (next === undefined) free.push(child);
    else next(child);
  };
  return {
    run: async (job, msMax) => {
      const child = (await take()) ?? (await start());
      all.add(child);
      const answer = await ask(child, job, msMax);
      const usable = (answer.kind === "tried" || answer.kind === "surveyed") && !answer.spent;
      if (!usable) end(child);
      give(usable ? child : undefined);
      return answer;
    },
    close: () => {
      for (const child of all) end(child);
    },
  };
}
