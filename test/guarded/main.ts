/**
 * The end of `npm run coverage`: what guards the car (the lock, the access, the time, the checks of commands and of
 * segments) is reached in every line and branch by the tests, or this fails. A branch that cannot be reached is taken
 * out of the code, never left out of the count.
 */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, sourcesOf, TARGETS } from "../mutate/targets.ts";

const SUMMARY = join(ROOT, "coverage", "coverage-summary.json");
const KINDS = ["lines", "branches"] as const;

type Share = { readonly total: number; readonly covered: number };
type Summary = Readonly<Partial<Record<string, Readonly<Record<(typeof KINDS)[number], Share>>>>>;

/** What of a file is not reached, in words; nothing where all is. */
function shortOf(file: string, summary: Summary): readonly string[] {
  const found = summary[join(ROOT, file)];
  if (found === undefined) return [`${file}: no test loads it`];
  return KINDS.flatMap((kind) => {
    const { total, covered } = found[kind];
    return covered === total ? [] : [`${file}: ${total - covered} of ${total} ${kind} not reached`];
  });
}

const guarded = [
  ...TARGETS.flatMap(sourcesOf),
  ...globSync("device/time/*.ts", { cwd: ROOT }).filter((file) => !file.endsWith("index.ts")),
];
/** Files of types alone have no line that runs. */
const hasCode = (file: string): boolean =>
  /^(export )?(async )?(function|class|const)/m.test(readFileSync(join(ROOT, file), "utf8"));
const files = [...new Set(guarded)].filter(hasCode).toSorted();
const summary: Summary = JSON.parse(readFileSync(SUMMARY, "utf8"));
const missing = files.flatMap((file) => shortOf(file, summary));
for (const line of missing) process.stdout.write(`${line}\n`);
process.stdout.write(
  `${files.length} files guard the car; ${missing.length === 0 ? "every line and branch of them is reached" : "not all of them is reached"}\n`,
);
process.exitCode = missing.length === 0 ? 0 : 1;
