/**
 * The demo's processes: started by the same command lines that anybody calls, waited for by their ready line, ended by
 * SIGTERM and, if they do not heed it, SIGKILL. One that ends by itself ends the demo with what it last said.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const READY_MS_MAX = 60_000;
const STOP_MS_MAX = 5000;
const TAIL_LINES = 5;
const root = fileURLToPath(new URL("../..", import.meta.url));

export type ProgramName = "kerbside-cloud" | "kerbside-agent" | "kerbside-sim";
const ENTRIES: Readonly<Record<ProgramName, string>> = {
  "kerbside-cloud": "cloud/main.ts",
  "kerbside-agent": "device/main.ts",
  "kerbside-sim": "sim/main.ts",
};

/** What went wrong, in words for a person: printed without a stack trace. */
export class DemoError extends Error {
  override readonly name = "DemoError";
}

export type Program = {
  readonly name: ProgramName;
  /** What it printed as its first JSON line on standard output. */
  readonly ready: Promise<Readonly<Record<string, unknown>>>;
  /** Resolves when it has ended, with the last of what it wrote to standard error. */
  readonly ended: Promise<{ readonly code: number | null; readonly tail: string }>;
  readonly stop: () => Promise<void>;
  /** SIGKILL, to it and to what it started: a power cut. */
  readonly kill: () => Promise<void>;
};

function start(name: ProgramName, args: readonly string[]): ChildProcess {
  // A group of its own: Ctrl-C reaches the demo alone, which then ends the parts in order.
  return spawn(process.execPath, [ENTRIES[name], ...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
}

/** Starts a part that stays up. Its log goes to `logFile`. */
export function startProgram(name: ProgramName, args: readonly string[], logFile: string): Program {
  const child = start(name, args);
  const log = createWriteStream(logFile, { flags: "a", mode: 0o600 });
  const tail: string[] = [];
  let isReady = false;
  if (child.stdout === null || child.stderr === null) throw new Error("both streams are piped");
  child.stderr.pipe(log);
  createInterface({ input: child.stderr }).on("line", (line) => {
    tail.push(line);
    if (tail.length > TAIL_LINES) tail.shift();
  });
  const ended = new Promise<{ code: number | null; tail: string }>((resolve) => {
    child.on("error", (error) => resolve({ code: null, tail: error.message }));
    child.on("close", (code) => resolve({ code, tail: tail.join("\n") }));
  });
  const lines = createInterface({ input: child.stdout });
  const ready = new Promise<Readonly<Record<string, unknown>>>((resolve, reject) => {
    const late = setTimeout(
      () => reject(new DemoError(`${name} did not come up in time`)),
      READY_MS_MAX,
    );
    lines.on("line", (line) => {
      const said = isReady ? undefined : readyLine(line);
      if (said === undefined) return;
      isReady = true;
      clearTimeout(late);
      resolve(said);
    });
    ended.then(({ code, tail: words }) => {
      clearTimeout(late);
      reject(new DemoError(`${name} ended (status ${code ?? "none"}): ${words}`));
    }, reject);
  });
  // Whoever never waits for it must not be ended by it.
  ready.catch(() => undefined);
  return { name, ready, ended, stop: () => stop(child, ended), kill: () => kill(child, ended) };
}

function readyLine(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const said: unknown = JSON.parse(line);
    const is = typeof said === "object" && said !== null && "ready" in said && said.ready === true;
    return is ? (said as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

async function stop(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  const hard = setTimeout(() => killGroup(child), STOP_MS_MAX);
  await ended;
  clearTimeout(hard);
}

async function kill(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  killGroup(child);
  await ended;
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}

/** Runs a command to its end and returns its JSON lines. Throws DemoError with what it said if it fails. */
export async function runProgram(
  name: ProgramName,
  args: readonly string[],
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const child = start(name, args);
  let out = "";
  let err = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    out += chunk;
  });
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    err += chunk;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (code !== 0) throw new DemoError(err.trim() || `${name} ${args.join(" ")}: status ${code}`);
  return out
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
}
