/**
 * Plays scenario files for `kerbside-sim scenario`: one JSON line on standard output for each. Status 0 where all were
 * played, whatever they came to; 1 where one could not be; 2 where it was called wrongly.
 */
import { parseArgs } from "node:util";
import { createRunner } from "./run.ts";

const options = { real: { type: "boolean" }, seed: { type: "string" } } as const;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options, allowPositionals: true, strict: true });
  const seed = values.seed === undefined ? undefined : Number(values.seed);
  const runner = createRunner(values.real === true ? "real" : "simulated", seed);
  let failures = 0;
  try {
    for (const file of positionals) {
      try {
        process.stdout.write(`${JSON.stringify({ file, ...(await runner.run(file)) })}\n`);
      } catch (error) {
        failures += 1;
        process.stderr.write(`${file}: ${error instanceof Error ? error.message : error}\n`);
      }
    }
  } finally {
    await runner.close();
  }
  return failures === 0 ? 0 : 1;
}

process.exitCode = await main();
