/**
 * Tries mutants. A survey first runs every test by itself over the project as it is and notes what it reaches; a mutant is
 * then met by the tests that reach it, the cheap ones first, until one fails. What fails late or in a slow test is run
 * once more over the project as it is, so that a busy machine kills no mutant.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Changed } from "./graph.ts";
import type { Picked, Surveyed } from "./jobs.ts";
import { type Mutant, strip } from "./mutants.ts";
import type { Answer, Pool } from "./pool.ts";
import { ROOT } from "./targets.ts";

/** Tests that cost more of the processor take no part: what nothing shorter sees counts as a survivor. */
export const TEST_MS_MAX = 2_000;
/** So much of waiting on top: for others on a busy machine, or for what it tests. */
const WAITS_TIMES_MAX = 5;
/** Tests above it are tried one by one, after the others of their file. */
const SLOW_MS = 150;
const LOAD_MS = 100;
/** A limit is this many times what was seen, and so much on top; the parent waits a little longer. */
const LIMIT_TIMES = 5;
const LIMIT_MS = 1_000;
/** What ran into its limit is run once more, with a limit so many times as long. */
const PATIENCE = 6;
const HUNG_MS = 2_000;
const SURVEY_MS_MAX = 600_000;
const CONTROL_EVERY = 50;

/** Tests that are tried together. */
export type Unit = { readonly picked: Picked; readonly ms: number };

export type SurveyOf = {
  readonly tests: number;
  /** Tests that took too long or fail by themselves, with how. */
  readonly left: readonly string[];
  /** For each mutant, which of the tests reach it: by file, their places. */
  readonly reaching: ReadonlyMap<Mutant, readonly Reaching[]>;
};
type Reaching = { readonly file: string; readonly test: Surveyed };

export type Ending =
  | {
      readonly kind: "killed";
      /** The file of the test that failed. */
      readonly file: string;
      readonly test: string;
      readonly why: string;
      readonly late: boolean;
    }
  | { readonly kind: "survived"; readonly tests: number }
  | { readonly kind: "unreached" };
export type Tried = { readonly mutant: Mutant; readonly ending: Ending };

export const sourceOf = (file: string): string => readFileSync(join(ROOT, file), "utf8");

/** The module with the mutant in it, as it runs. */
export function changedBy(mutant: Mutant, source: string): Changed {
  const plain = strip(source);
  const text = plain.slice(0, mutant.from) + mutant.text + plain.slice(mutant.to);
  return { file: mutant.file, source: text };
}

/** Throws where a test file cannot be run at all. */
export async function survey(
  pool: Pool,
  mutants: readonly Mutant[],
  testFiles: readonly string[],
  progress: (done: number) => void,
): Promise<SurveyOf> {
  const byFile = Map.groupBy(mutants, ({ file }) => file);
  const points = Object.fromEntries(
    [...byFile].map(([file, list]) => [file, list.map(({ point }) => point)]),
  );
  const reaching = new Map<Mutant, Reaching[]>();
  const left: string[] = [];
  let tests = 0;
  let done = 0;
  const take = (file: string, test: Surveyed): void => {
    if (test.failed !== undefined || test.cpuMs > TEST_MS_MAX) {
      left.push(`${file}: ${test.name}: ${test.failed ?? `${Math.round(test.cpuMs)} ms`}`);
      return;
    }
    tests += 1;
    for (const [source, reached] of Object.entries(test.reached)) {
      const list = byFile.get(source) ?? [];
      for (const mutant of reached.flatMap((i) => list[i] ?? [])) {
        const others = reaching.get(mutant);
        if (others === undefined) reaching.set(mutant, [{ file, test }]);
        else others.push({ file, test });
      }
    }
  };
  const one = async (file: string): Promise<void> => {
    const job = { kind: "survey", file, points, testMsMax: WAITS_TIMES_MAX * TEST_MS_MAX } as const;
    const answer = await pool.run(job, SURVEY_MS_MAX);
    if (answer.kind !== "surveyed") throw new Error(`${file}: the survey ${answer.kind}`);
    for (const test of answer.tests) take(file, test);
    done += 1;
    progress(done);
  };
  await Promise.all(testFiles.map(one));
  return { tests, left, reaching };
}

/** Cheap tests of a file together, slow ones each by itself; the cheapest first. */
export function unitsOf(reaching: readonly Reaching[]): readonly Unit[] {
  const units: Unit[] = [];
  for (const [file, list] of Map.groupBy(reaching, (one) => one.file)) {
    const quick = list.filter(({ test }) => test.ms <= SLOW_MS);
    const slow = list.filter(({ test }) => test.ms > SLOW_MS);
    for (const together of [quick, ...slow.map((one) => [one])]) {
      if (together.length === 0) continue;
      units.push({
        picked: { file, tests: together.map(({ test }) => test.test) },
        ms: together.reduce((sum, { test }) => sum + test.ms, LOAD_MS),
      });
    }
  }
  return units.toSorted((a, b) => a.ms - b.ms);
}

type Failure = { readonly test: string; readonly why: string; readonly late: boolean };

function failureOf(answer: Answer): Failure | undefined {
  switch (answer.kind) {
    case "tried":
      return answer.failed;
    case "hung":
      return { test: "", why: "never gave the thread back", late: true };
    case "died":
      return { test: "", why: "the process ended", late: false };
    default:
      throw new Error(`a worker said ${answer.kind}`);
  }
}

export class Trials {
  readonly #pool: Pool;
  /** Kills by file of source and file of tests: what has killed here often is tried first. */
  readonly #kills = new Map<string, number>();
  #killed = 0;
  /** Failures that came without the mutant too, and did not count. */
  shaky = 0;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async run(changed: Changed | undefined, unit: Unit, patience = 1): Promise<Failure | undefined> {
    const msMax = Math.round(patience * (LIMIT_MS + LIMIT_TIMES * unit.ms));
    const { picked } = unit;
    const job = changed === undefined ? { picked, msMax } : { changed, picked, msMax };
    return failureOf(await this.#pool.run({ kind: "try", ...job }, msMax + HUNG_MS));
  }

  async try(mutant: Mutant, reaching: readonly Reaching[]): Promise<Ending> {
    if (reaching.length === 0) return { kind: "unreached" };
    const changed = changedBy(mutant, sourceOf(mutant.file));
    const key = ({ picked }: Unit): string => `${mutant.file} ${picked.file}`;
    const score = (unit: Unit): number => unit.ms / (1 + (this.#kills.get(key(unit)) ?? 0));
    const units = [...unitsOf(reaching)];
    for (;;) {
      // Looked at anew each time: others have killed meanwhile.
      const unit = units.sort((a, b) => score(a) - score(b)).shift();
      if (unit === undefined) return { kind: "survived", tests: reaching.length };
      const failed = await this.#confirmed(changed, unit);
      if (failed === undefined) continue;
      this.#kills.set(key(unit), (this.#kills.get(key(unit)) ?? 0) + 1);
      return { kind: "killed", file: unit.picked.file, ...failed };
    }
  }

  async #confirmed(changed: Changed, unit: Unit): Promise<Failure | undefined> {
    for (let again = 0; again < 2; again += 1) {
      const first = await this.run(changed, unit);
      // What only took too long gets more time: a busy machine is late, a mutant that ends nowhere stays so.
      const failed = first?.late === true ? await this.run(changed, unit, PATIENCE) : first;
      if (failed === undefined) {
        if (first !== undefined) this.shaky += 1;
        return undefined;
      }
      this.#killed += 1;
      const sure = !failed.late && unit.ms < SLOW_MS + LOAD_MS && this.#killed % CONTROL_EVERY > 0;
      if (sure || (await this.run(undefined, unit, PATIENCE)) === undefined) return failed;
      this.shaky += 1;
    }
    return undefined;
  }
}
