/**
 * `npm test [-- PATTERN…]`: lint, types, then every test file under test/ in a process of its own, as many at once as
 * there are cores. Ends with `N passed, N failed, N skipped`; exits 1 on any failure. uvu exits 0 on a file that
 * forgot to run and hangs on a leaked timer, so a file without a summary fails, and each has a time limit.
 * `npm run test:long [-- PATTERN…]`: the files that outgrow it, millions of rounds each, and nothing else.
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { killMarked, MARK } from "./strays.ts";

const FILE_MS_MAX = 240_000;
const LONG_FILE_MS_MAX = 6 * 3_600_000;
const OUTPUT_CHARS_MAX = 200_000;
const SLOWEST = 10;
const LONG_SUFFIX = ".long.test.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What was compiled once is not compiled again by each of some hundreds of processes. Coverage needs it done anew. */
const compileCache: Readonly<Record<string, string>> =
  process.env["NODE_V8_COVERAGE"] === undefined
    ? { NODE_COMPILE_CACHE: join(root, "node_modules", ".cache", "compiled") }
    : {};

type Outcome = {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly ms: number;
  readonly output: string;
};

type Ran = { readonly code: number | null; readonly output: string; readonly ms: number };

function run(command: string, args: readonly string[], msMax = FILE_MS_MAX): Promise<Ran> {
  const started = performance.now();
  const mark = randomUUID();
  return new Promise((resolve) => {
    let output = "";
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...compileCache, FORCE_COLOR: "0", NODE_OPTIONS: "", [MARK]: mark },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const keep = (chunk: Buffer): void => {
      if (output.length < OUTPUT_CHARS_MAX) output += chunk.toString();
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    // The whole group, and what has left it: a test that hangs may have started processes of its own.
    const end = (): void => {
      if (child.pid !== undefined) killGroup(child.pid);
      killMarked(mark);
    };
    const limit = setTimeout(() => {
      output += `\nended: over ${msMax / 1000} s\n`;
      end();
    }, msMax);
    child.on("error", (error) => {
      output += error.message;
    });
    child.on("close", (code) => {
      clearTimeout(limit);
      end();
      resolve({ code, output, ms: performance.now() - started });
    });
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}

/** Reads uvu's summary. A file that printed none, or that failed to exit in order, counts as one failure at least. */
function outcomeOf(name: string, { code, output, ms }: Ran): Outcome {
  const read = (what: string): number | undefined => {
    const found = [...output.matchAll(new RegExp(`^ {2}${what}: +(\\d+)`, "gm"))];
    return found.length === 0 ? undefined : found.reduce((sum, m) => sum + Number(m[1]), 0);
  };
  const total = read("Total");
  const passed = read("Passed") ?? 0;
  const skipped = read("Skipped") ?? 0;
  const failures = total === undefined ? 1 : total - passed;
  const empty = total === 0 && skipped === 0;
  const failed = failures === 0 && (code !== 0 || empty) ? 1 : failures;
  return { name, passed, failed, skipped, ms, output };
}

async function check(name: string, command: string, args: readonly string[]): Promise<Outcome> {
  const { code, output, ms } = await run(command, args);
  const ok = code === 0;
  return { name, passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0, ms, output };
}

function report(outcome: Outcome): void {
  const { name, passed, failed, skipped, ms } = outcome;
  const mark = failed > 0 ? "FAIL" : "ok  ";
  const counts = `${passed} passed${failed > 0 ? `, ${failed} failed` : ""}${skipped > 0 ? `, ${skipped} skipped` : ""}`;
  process.stdout.write(`${mark} ${name} (${counts}, ${(ms / 1000).toFixed(1)} s)\n`);
  if (failed > 0) process.stdout.write(`${outcome.output.trimEnd()}\n`);
  else
    for (const [line] of outcome.output.matchAll(/^# skip .*$/gm))
      process.stdout.write(`     ${line}\n`);
}

function testFiles(patterns: readonly string[], long: boolean): readonly string[] {
  const names = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => name.endsWith(".test.ts") && name.endsWith(LONG_SUFFIX) === long)
    .filter((name) => !name.includes("node_modules"))
    .map((name) => join("test", name))
    .filter((name) => patterns.length === 0 || patterns.some((pattern) => name.includes(pattern)))
    .sort();
}

async function main(words: readonly string[]): Promise<number> {
  const long = words[0] === "--long";
  const patterns = long ? words.slice(1) : words;
  const outcomes: Outcome[] = [];
  const finish = (outcome: Outcome): void => {
    outcomes.push(outcome);
    report(outcome);
  };
  if (patterns.length === 0 && !long) {
    finish(await check("lint", "biome", ["check", "--error-on-warnings", "."]));
    finish(await check("types", "tsc", ["-b"]));
    finish(await check("types of the page", "tsc", ["-p", "cloud/console/web"]));
  }
  const queue = [...testFiles(patterns, long)];
  const msMax = long ? LONG_FILE_MS_MAX : FILE_MS_MAX;
  const worker = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      finish(outcomeOf(relative("test", file), await run(process.execPath, [file], msMax)));
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  const slowest = outcomes.toSorted((a, b) => b.ms - a.ms).slice(0, SLOWEST);
  process.stdout.write(`\nSlowest:\n`);
  for (const { name, ms } of slowest)
    process.stdout.write(`  ${(ms / 1000).toFixed(1).padStart(6)} s  ${name}\n`);
  const sum = (key: "passed" | "failed" | "skipped"): number =>
    outcomes.reduce((n, o) => n + o[key], 0);
  const failed = sum("failed") + (outcomes.length === 0 ? 1 : 0);
  process.stdout.write(`\n${sum("passed")} passed, ${failed} failed, ${sum("skipped")} skipped\n`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
