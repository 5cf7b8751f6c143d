/** `can`: what reading a car costs. */
import { missingPackages } from "../../test/support/debian.ts";
import type { Benchmark, BenchmarkOptions, Row } from "../benchmark.ts";
import { fullBus } from "./bus-row.ts";
import { againstCandied, againstCantools, slotsAgainstObjects } from "./decode-rows.ts";
import { guestBus } from "./guest-row.ts";
import { scannerAgainstExpression } from "./log-rows.ts";
import { steadyMemory } from "./memory-row.ts";
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
  yield* await steadyMemory();
  const missing = missingPackages("user-mode-linux", "can-utils", "iproute2", "kmod");
  if (missing.length === 0) yield await guestBus();
  else process.stderr.write(`# skip a real interface in the guest: needs ${missing.join(", ")}\n`);
}

export const canBenchmark: Benchmark = {
  name: "can",
  why: "decoding against candied (and cantools, by --peer cantools=PYTHONPATH), logs against a regular expression",
  run,
};
