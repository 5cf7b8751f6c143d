/**
 * `npm run mutate -- [--only TEXT] [--sample N] [--workers N] [--keep FILE]`: changes the lock, the access and the checks
 * of commands and segments in thousands of small ways, and runs the tests over each. What no test notices must be
 * explained in survivors.ts, and be no more than 2 % of all. Exits 1 otherwise. What is kept in a file is not tried
 * again by a run that goes on with it.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { type Ending, sourceOf, survey, Trials, type Tried } from "./engine.ts";
import { type Kept, openKept } from "./kept.ts";
import { described, type Mutant, mutantsOf } from "./mutants.ts";
import { openPool, type Pool } from "./pool.ts";
import { EXPLAINED, explains } from "./survivors.ts";
import { sourcesOf, TARGETS, type Target, testsOf } from "./targets.ts";

const SURVIVORS_MAX = 0.02;
const BAR_CHARS = 30;
const USAGE = "npm run mutate -- [--only TEXT] [--sample N] [--workers N] [--keep FILE]\n";

type Options = {
  readonly only: string;
  readonly sample: number;
  readonly whole: boolean;
  readonly workers: number;
  readonly kept: Kept;
};

function bar(what: string, done: number, all: number, more: string): void {
  if (!process.stderr.isTTY) return;
  const shown = "#".repeat(Math.floor((done / all) * BAR_CHARS)).padEnd(BAR_CHARS, ".");
  process.stderr.write(`\r[${shown}] ${what} ${done}/${all}${more} `);
  if (done === all) process.stderr.write("\n");
}

/** The tests of a target have to notice its planted fault: else nothing they say of mutants counts. */
function plantOf({ name, plant }: Target): Mutant {
  const [before, ...after] = sourceOf(plant.file).split(plant.from);
  if (before === undefined || after.length !== 1)
    throw new Error(`${name}: expected just one place that reads ${plant.from}`);
  return {
    kind: "plant",
    file: plant.file,
    from: before.length,
    to: before.length + plant.from.length,
    point: before.length,
    text: plant.to,
    line: before.split("\n").length,
    inLine: plant.from,
    was: plant.from,
  };
}

function chosen(target: Target, { only, sample }: Options): readonly Mutant[] {
  return sourcesOf(target)
    .filter((file) => file.includes(only))
    .flatMap((file) => mutantsOf(file, sourceOf(file)).filter((_, i) => i % sample === 0));
}

/** So many at once, in their order: what kills one is likely to kill the next. */
async function inTurns<T, R>(
  things: readonly T[],
  atOnce: number,
  work: (thing: T) => Promise<R>,
): Promise<readonly R[]> {
  const rest = things.values();
  const done: R[] = [];
  const turn = async (): Promise<void> => {
    for (const thing of rest) done.push(await work(thing));
  };
  await Promise.all(Array.from({ length: atOnce }, turn));
  return done;
}

async function runTarget(pool: Pool, target: Target, options: Options): Promise<readonly Tried[]> {
  const known: Tried[] = [];
  const mutants: Mutant[] = [];
  for (const mutant of chosen(target, options)) {
    const ending = options.kept.kill(mutant);
    if (ending === undefined) mutants.push(mutant);
    else known.push({ mutant, ending });
  }
  if (mutants.length === 0) return known;
  const { name } = target;
  const plant = plantOf(target);
  const files = testsOf(target);
  const { tests, left, reaching } = await survey(pool, [plant, ...mutants], files, (done) =>
    bar(`${name}: test files`, done, files.length, ""),
  );
  for (const one of left) process.stderr.write(`takes no part: ${one}\n`);
  const trials = new Trials(pool);
  const planted = await trials.try(plant, reaching.get(plant) ?? []);
  if (planted.kind !== "killed")
    throw new Error(`${name}: its tests do not notice the fault planted in ${plant.file}`);
  process.stdout.write(
    `${name}: ${mutants.length} mutants, ${known.length} known before, ${tests} tests; the plant died\n`,
  );
  let survived = 0;
  let done = 0;
  const one = async (mutant: Mutant): Promise<Tried> => {
    const ending = await trials.try(mutant, reaching.get(mutant) ?? []);
    done += 1;
    if (ending.kind !== "killed") survived += 1;
    bar(`${name}: mutants`, done, mutants.length, `, ${survived} not killed`);
    options.kept.add({ mutant, ending });
    return { mutant, ending };
  };
  const all = await inTurns(mutants, options.workers, one);
  if (trials.shaky > 0)
    process.stderr.write(`${trials.shaky} failures came unchanged too and were not counted\n`);
  return [...known, ...all];
}

const isExplained = ({ mutant }: Tried): boolean => EXPLAINED.some((row) => explains(row, mutant));

function printSurvivors(survivors: readonly Tried[]): void {
  for (const { mutant, ending } of survivors.filter((one) => !isExplained(one))) {
    const { file, line, inLine, kind } = mutant;
    const how = ending.kind === "unreached" ? "no test comes here" : "no test fails";
    process.stdout.write(`${file}:${line}: ${how} (${kind}): ${described(mutant)}\n`);
    process.stdout.write(`    in: ${inLine}\n`);
  }
}

type Counts = Readonly<Record<"mutants" | "killed" | "late" | "survived" | "unreached", number>>;

function countsOf(tried: readonly Tried[]): Counts {
  const count = (is: (ending: Ending) => boolean): number =>
    tried.filter(({ ending }) => is(ending)).length;
  return {
    mutants: tried.length,
    killed: count(({ kind }) => kind === "killed"),
    late: count((ending) => ending.kind === "killed" && ending.late),
    survived: count(({ kind }) => kind === "survived"),
    unreached: count(({ kind }) => kind === "unreached"),
  };
}

const inWords = (name: string, { mutants, killed, late, survived, unreached }: Counts): string =>
  `${name}: ${mutants} mutants, ${killed} killed (${late} by the time limit), ${survived} survived, ${unreached} reached by no test; ${(((survived + unreached) / Math.max(1, mutants)) * 100).toFixed(2)} % not killed\n`;

/** 0 where every survivor is explained, no more survived than may, and no explanation is left over. */
function conclude(tried: readonly Tried[], { whole }: Options): number {
  const survivors = tried.filter(({ ending }) => ending.kind !== "killed");
  printSurvivors(survivors);
  const stale = EXPLAINED.filter((row) => !survivors.some(({ mutant }) => explains(row, mutant)));
  if (whole)
    for (const { file, inLine, change } of stale)
      process.stdout.write(`explained, but it is no survivor: ${file}: ${change} in ${inLine}\n`);
  const explained = survivors.filter(isExplained).length;
  process.stdout.write(inWords("all", countsOf(tried)));
  process.stdout.write(`${explained} survivors explained, ${survivors.length - explained} not\n`);
  const tooMany = survivors.length > tried.length * SURVIVORS_MAX;
  return explained < survivors.length || (whole && (tooMany || stale.length > 0)) ? 1 : 0;
}

function wholeNumber(text: string | undefined, fallback: number): number {
  const value = text === undefined ? fallback : /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (value < 1) throw new RangeError(`expected a whole number, not ${text}`);
  return value;
}

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string" },
      sample: { type: "string" },
      workers: { type: "string" },
      keep: { type: "string" },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  const sample = wholeNumber(values.sample, 1);
  const { only = "" } = values;
  const workers = wholeNumber(values.workers, availableParallelism());
  const options = {
    only,
    sample,
    whole: only === "" && sample === 1,
    workers,
    kept: openKept(values.keep),
  };
  const pool = openPool(workers);
  const tried: Tried[] = [];
  try {
    for (const target of TARGETS) {
      const own = await runTarget(pool, target, options);
      if (own.length > 0) process.stdout.write(inWords(target.name, countsOf(own)));
      tried.push(...own);
    }
  } finally {
    pool.close();
  }
  return conclude(tried, options);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
  process.exitCode = 2;
}
