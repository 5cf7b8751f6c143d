/**
 * `kerbside-sim scenario`: files are linted here; they are played by a process of its own, in which a whole cloud and a
 * whole agent stand around the car. That process belongs to the repository, not to the simulator, which knows neither.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { isObject } from "../car/fields.ts";
import { loadScenario } from "../scenario/load.ts";
import type { Played } from "../scenario/play.ts";
import { junitXml, playedText, summaryText } from "../scenario/report.ts";
import { type Command, type Given, type Io, UsageError, wholeNumber } from "./command.ts";

/** From source, and from what is built of it. */
const STAGES = ["../../scenarios/main.ts", "../../../scenarios/main.ts"];
const SEED_MAX = 2 ** 31 - 1;

export const scenarioCommand: Command = {
  usage: "scenario FILE… [options]",
  words: "plays scenario files (or all of a folder) on a whole system, and says what held",
  positionals: { min: 1 },
  options: {
    real: { words: "in real time, with cloud and agent as processes of their own" },
    lint: { words: "only check the files" },
    all: { words: "tell every step, not only what did not hold" },
    seed: { value: "N", words: "of the car and of the network, instead of the files' own" },
    junit: { value: "FILE", words: "write a JUnit report" },
  },
  run: async (given, io) => {
    const files = given.positionals.flatMap(filesOf);
    if (files.length === 0) throw new UsageError("there is no scenario in what was given");
    if (!lint(files, given, io)) return 1;
    if (given.options["lint"] !== undefined) return 0;
    return await playAll(files, given, io);
  },
};

/** A folder stands for the scenarios in it. Throws UsageError. */
function filesOf(path: string): readonly string[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new UsageError(`${path}: no such file`);
  if (!found.isDirectory()) return [path];
  const names = readdirSync(path).filter((name) => /\.ya?ml$/.test(name));
  return names.sort().map((name) => join(path, name));
}

/** Says every problem of every file; true where there is none. */
function lint(files: readonly string[], given: Given, io: Io): boolean {
  let isFine = true;
  const isAsked = given.options["lint"] !== undefined;
  for (const file of files) {
    const loaded = loadScenario(readFileSync(file, "utf8"));
    if (loaded.ok) {
      if (isAsked && given.json) io.out(`${JSON.stringify({ file, ok: true })}\n`);
      continue;
    }
    isFine = false;
    for (const { line, message } of loaded.problems) {
      if (given.json) io.out(`${JSON.stringify({ file, ok: false, line, message })}\n`);
      else io.err(`${file}:${line}: ${message}\n`);
    }
  }
  if (isFine && isAsked && !given.json) io.out(`${files.length} files are fine\n`);
  return isFine;
}

async function playAll(files: readonly string[], given: Given, io: Io): Promise<0 | 1> {
  const played: Played[] = [];
  const isFine = await runStage(stageArguments(files, given), io, (one) => {
    played.push(one);
    if (given.json) io.out(`${JSON.stringify(one)}\n`);
    else io.out(`${playedText(one, given.options["all"] !== undefined)}\n`);
  });
  const junit = given.options["junit"];
  if (junit !== undefined) writeFileSync(junit, junitXml(played));
  if (!given.json) io.out(`${summaryText(played, files.length)}\n`);
  return isFine && played.length === files.length && played.every(({ held }) => held) ? 0 : 1;
}

function stageArguments(files: readonly string[], given: Given): readonly string[] {
  const seed = wholeNumber(given, "seed", 0, SEED_MAX);
  return [
    ...(given.options["real"] === undefined ? [] : ["--real"]),
    ...(given.options["seed"] === undefined ? [] : ["--seed", String(seed)]),
    ...files,
  ];
}

/** Runs the stage's process to its end; false where it failed. Its words on standard error are passed on. */
async function runStage(
  args: readonly string[],
  io: Io,
  take: (played: Played) => void,
): Promise<boolean> {
  const stage = STAGES.map((path) => fileURLToPath(new URL(path, import.meta.url))).find((path) =>
    existsSync(path),
  );
  if (stage === undefined)
    throw new Error("scenarios are played from the repository: there is no scenarios/main.ts here");
  const child = spawn(process.execPath, [stage, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  io.signal.addEventListener("abort", () => child.kill("SIGTERM"), { once: true });
  child.stderr.setEncoding("utf8").on("data", (text: string) => io.err(text));
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => {
    const said: unknown = JSON.parse(line);
    if (isObject(said) && typeof said["scenario"] === "string") take(said as Played);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  return code === 0;
}
