/** The simulator's process: the platform's clock and generator, signals, and the command line. */
import { readFileSync } from "node:fs";
import { systemClock, systemRandom } from "@kerbside/protocol";
import { runSim } from "./cli/run.ts";

function uptimeMs(): number {
  return Number.parseFloat(readFileSync("/proc/uptime", "utf8")) * 1000;
}

const ending = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => ending.abort());

// The reader of a pipe went away: nobody is left to print for.
process.stdout.on("error", () => ending.abort());

process.exitCode = await runSim(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  isTerminal: process.stderr.isTTY === true,
  signal: ending.signal,
  clock: systemClock(uptimeMs),
  random: systemRandom,
});
