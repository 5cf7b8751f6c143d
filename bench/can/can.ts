/** `can`: what reading a car costs. */
import type { Benchmark, BenchmarkOptions, Row } from "../benchmark.ts";
import { fullBus } from "./bus-row.ts";
import { againstCandied, againstCantools, slotsAgainstObjects } from "./decode-rows.ts";
import { scannerAgainstExpression } from "./log-rows.ts";
import { storeAgainstDecoding } from "./store-rows.ts";

async function* run({ peers }: BenchmarkOptions): AsyncGenerator<Row, void, undefined> {
  yield await againstCandied();
  const cantools = peers.get("cantools");
  if (cantools !== undefined) yield await againstCantools(cantools);
  yield await slotsAgainstObjects();
  yield await storeAgainstDecoding(false);
  yield await storeAgainstDecoding(true);
  yield await scannerAgainstExpression();
  yield await fullBus();
}

export const canBenchmark: Benchmark = {
  name: "can",
  why: "decoding against candied (and cantools, by --peer cantools=PYTHONPATH), logs against a regular expression",
  run,
};
