/** `can`: what reading a car costs. */
import { missingPackages } from "../../test/support/debian.ts";
import type { Benchmark, BenchmarkOptions, Row } from "../benchmark.ts";
import { fullBus } from "./bus-row.ts";
import { guestBus } from "./guest-row.ts";
import { inItsProcess } from "./in-its-process.ts";
import { steadyMemory } from "./memory-row.ts";

async function* run({ peers }: BenchmarkOptions): AsyncGenerator<Row, void, undefined> {
  yield await inItsProcess("candied");
  const cantools = peers.get("cantools");
  if (cantools !== undefined) yield await inItsProcess("cantools", cantools);
  yield await inItsProcess("slots");
  yield await inItsProcess("store");
  yield await inItsProcess("store-all-new");
  yield await inItsProcess("log");
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
