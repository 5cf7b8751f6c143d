/**
 * `npm run bench -- NAME [--json] [--events N] [--peer NAME=PATH]`: one benchmark against its peers in one run. Prints median and
 * spread (the middle half) of each side and the ratio; without NAME, the list. Exits 1 when a goal is missed.
 */
import { parseArgs } from "node:util";
import {
  type Benchmark,
  type BenchmarkOptions,
  goalHeld,
  median,
  type Row,
  ratioOf,
  type Side,
  spread,
} from "./benchmark.ts";
import { BENCHMARKS } from "./benchmarks.ts";

const USAGE = `npm run bench -- NAME [--json] [--events N] [--peer NAME=PATH]\n\n${BENCHMARKS.map(
  ({ name, why }) => `  ${name.padEnd(10)} ${why}\n`,
).join("")}`;

function short(value: number): string {
  if (Math.abs(value) >= 1e6) return `${(value / 1e6).toPrecision(3)} M`;
  if (Math.abs(value) >= 1e4) return `${(value / 1e3).toPrecision(3)} k`;
  return value.toPrecision(3);
}

function sideText(side: Side, unit: string): string {
  return `${side.name} ${short(median(side.values))} ±${short(spread(side.values) / 2)} ${unit}`;
}

function goalText(row: Row): string {
  const held = goalHeld(row);
  if (row.goal === null || held === null) return "";
  const { atLeast, atMost } = row.goal;
  const bound = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
  return `  (goal: ${bound}${held ? "" : ": MISSED"})`;
}

function rowText(row: Row): string {
  const ratio = ratioOf(row);
  const against =
    row.peer === null || ratio === null
      ? ""
      : ` | ${sideText(row.peer, row.unit)} | ratio ${ratio.toPrecision(3)}`;
  return `${row.what}\n    ${sideText(row.ours, row.unit)}${against}${goalText(row)}\n`;
}

function rowJson(benchmark: string, row: Row): string {
  const side = (s: Side | null): object | null =>
    s === null ? null : { name: s.name, median: median(s.values), spread: spread(s.values) };
  return `${JSON.stringify({
    benchmark,
    what: row.what,
    unit: row.unit,
    ours: side(row.ours),
    peer: side(row.peer),
    ratio: ratioOf(row),
    goal: row.goal,
    held: goalHeld(row),
  })}\n`;
}

function peersOf(texts: readonly string[]): Map<string, string> {
  return new Map(
    texts.map((text) => {
      const at = text.indexOf("=");
      if (at < 1) throw new RangeError(`--peer ${text}: expected NAME=PATH`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

function eventsOf(text: string | undefined): Pick<BenchmarkOptions, "events"> {
  if (text === undefined) return {};
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new RangeError(`--events ${text}: expected a number`);
  return { events: Number(text) };
}

async function runBenchmark(
  benchmark: Benchmark,
  options: BenchmarkOptions,
  json: boolean,
): Promise<boolean> {
  let held = true;
  for await (const row of benchmark.run(options)) {
    process.stdout.write(json ? rowJson(benchmark.name, row) : rowText(row));
    held &&= goalHeld(row) !== false;
  }
  return held;
}

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      events: { type: "string" },
      peer: { type: "string", multiple: true, default: [] },
      help: { type: "boolean", default: false },
    },
  });
  const [name, ...more] = positionals;
  if (values.help || name === undefined) {
    process.stdout.write(USAGE);
    return 0;
  }
  const benchmark = BENCHMARKS.find((b) => b.name === name);
  if (benchmark === undefined || more.length > 0) {
    process.stderr.write(`no benchmark "${[name, ...more].join(" ")}"\n\n${USAGE}`);
    return 2;
  }
  const options = { peers: peersOf(values.peer), ...eventsOf(values.events) };
  return (await runBenchmark(benchmark, options, values.json)) ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  if (!(error instanceof Error)) throw error;
  const usage = error instanceof RangeError || error.message.startsWith("Unknown option");
  process.stderr.write(`${usage ? error.message : error.stack}\n`);
  return usage ? 2 : 1;
});
