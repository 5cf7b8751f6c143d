/**
 * `npm run faults -- [--seed N | --count N [--from SEED]]`: runs simulated worlds under drawn schedules of faults. One
 * that fails prints its seed, and `--seed` replays it. A thread a core runs them.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { freshSeed, SEED_MAX } from "../fuzz/random.ts";
import { runThreads, type Summary } from "./threads.ts";

const COUNT_DEFAULT = 1000;
const COUNT_MAX = 100_000_000;
const BAR_CHARS = 30;
const USAGE = "npm run faults -- [--seed N | --count N [--from SEED]] [--json]\n";

function integer(text: string | undefined, fallback: number, max: number): number {
  if (text === undefined) return fallback;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0 && value <= max) return value;
  throw new RangeError(`expected a whole number up to ${max}, not ${text}`);
}

function bar({ worlds, inFlight, failures }: Summary, count: number, startedMs: number): void {
  if (!process.stderr.isTTY) return;
  const done = Math.floor((worlds / count) * BAR_CHARS);
  const speed = Math.round((worlds * 1000) / (performance.now() - startedMs));
  const shown = "#".repeat(done).padEnd(BAR_CHARS, ".");
  process.stderr.write(
    `\r[${shown}] ${worlds}/${count} ${speed}/s, ${inFlight} faults landed with work in flight, ${failures.length} failed `,
  );
}

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: "string" },
      count: { type: "string" },
      from: { type: "string" },
      json: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  const count = values.seed === undefined ? integer(values.count, COUNT_DEFAULT, COUNT_MAX) : 1;
  const from = integer(values.seed ?? values.from, freshSeed(), SEED_MAX);
  const startedMs = performance.now();
  const threads = Math.min(count, availableParallelism());
  const summary = await runThreads({ from, count, threads }, (so) => bar(so, count, startedMs));
  if (process.stderr.isTTY) process.stderr.write("\n");
  for (const { seed, faults, problems } of summary.failures) {
    process.stderr.write(`seed ${seed}: ${faults.join("; ")}\n`);
    for (const problem of problems) process.stderr.write(`  ${problem}\n`);
    process.stderr.write(`  again: npm run faults -- --seed ${seed}\n`);
  }
  const { failures, ...counts } = summary;
  const said = { from, ...counts, failed: failures.length };
  process.stdout.write(
    values.json === true
      ? `${JSON.stringify(said)}\n`
      : `${said.worlds} worlds from seed ${from}: ${said.events} events, ${said.faults} faults, ${said.inFlight} of them with work in flight; ${said.failed} failed\n`,
  );
  return failures.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
  process.exitCode = 2;
}
