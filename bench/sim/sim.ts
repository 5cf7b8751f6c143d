/** `sim`: what simulating costs. */
import type { Benchmark, Row } from "../benchmark.ts";
import { fleetRows } from "./fleet-row.ts";
import { timeRows } from "./time-row.ts";

async function* run(): AsyncGenerator<Row, void, undefined> {
  yield* timeRows();
  yield* fleetRows();
}

export const simBenchmark: Benchmark = {
  name: "sim",
  why: "simulated against real time, and what 2,000 light cars take in one process",
  run,
};
