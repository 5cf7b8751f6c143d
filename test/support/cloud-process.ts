/** `kerbside-cloud` as a process, as anybody calls it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../cloud/main.ts", import.meta.url));
const READY_MS_MAX = 40_000;

type Env = Readonly<Record<string, string>>;
export type Ran = { readonly code: number | null; readonly out: string; readonly err: string };

/** Halves what a start costs: half a second of compiling each. */
const COMPILED: Env = {
  NODE_COMPILE_CACHE: fileURLToPath(new URL("../../node_modules/.cache/compiled", import.meta.url)),
};

/** With nothing of the caller's environment but what is given. */
export function startCloud(args: readonly string[], env: Env = {}): ChildProcess {
  const own = { PATH: "/usr/bin:/bin", USER: "tester", ...COMPILED, ...env };
  return spawn(process.execPath, [MAIN, ...args], { env: own, stdio: ["ignore", "pipe", "pipe"] });
}

/** Runs a command to its end. */
export async function runCloud(args: readonly string[], env: Env = {}): Promise<Ran> {
  const child = startCloud(args, env);
  let out = "";
  let err = "";
  child.stdout?.on("data", (part: Buffer) => {
    out += part.toString();
  });
  child.stderr?.on("data", (part: Buffer) => {
    err += part.toString();
  });
  await once(child, "close");
  return { code: child.exitCode, out, err };
}

/** The JSON lines of an output. */
export function jsonLines(out: string): readonly Readonly<Record<string, unknown>>[] {
  return out
    .split("\n")
    .filter((line) => line !== "")
    .map((line): Readonly<Record<string, unknown>> => ({ ...JSON.parse(line) }));
}

export type ServingCloud = {
  readonly child: ChildProcess;
  readonly https: number;
  readonly broker: number;
  /** What it has written to standard error. */
  readonly log: () => string;
  /** Ends it in order; resolves with the status and how long that took, in milliseconds. */
  readonly stop: () => Promise<{ readonly code: number | null; readonly tookMs: number }>;
};

/** Starts `serve` and waits for its ready line. */
export async function serveCloud(
  dir: string,
  more: readonly string[] = [],
  env: Env = {},
): Promise<ServingCloud> {
  const ports = ["--https-port", "0", "--broker-port", "0"];
  const child = startCloud(["serve", "--data", dir, "--dev", "--json", ...ports, ...more], env);
  let log = "";
  child.stderr?.on("data", (part: Buffer) => {
    log += part.toString();
  });
  if (child.stdout === null) throw new Error("its output is piped");
  const lines = createInterface({ input: child.stdout });
  const signal = AbortSignal.timeout(READY_MS_MAX);
  const [line] = await Promise.race([
    once(lines, "line", { signal }),
    once(child, "close", { signal }).then(() => {
      throw new Error(`serve ended before it was ready: ${log}`);
    }),
  ]);
  const [ready] = jsonLines(String(line));
  return {
    child,
    https: Number(ready?.["https"]),
    broker: Number(ready?.["broker"]),
    log: () => log,
    stop: async () => {
      const started = performance.now();
      const closed = child.exitCode === null ? once(child, "close") : undefined;
      child.kill("SIGTERM");
      await closed;
      return { code: child.exitCode, tookMs: performance.now() - started };
    },
  };
}
