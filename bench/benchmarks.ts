/** All benchmarks: a line each. */

import { agentBenchmark } from "./agent/agent.ts";
import { apiBenchmark } from "./api/api.ts";
import type { Benchmark } from "./benchmark.ts";
import { bufferBenchmark } from "./buffer/append.ts";
import { canBenchmark } from "./can/can.ts";
import { consoleBenchmark } from "./console/console.ts";
import { ingestBenchmark } from "./ingest/ingest.ts";
import { simBenchmark } from "./sim/sim.ts";
import { storeBenchmark } from "./store/store.ts";
import { unlockBenchmark } from "./unlock/unlock.ts";
import { wireBenchmark } from "./wire/wire.ts";

export const BENCHMARKS: readonly Benchmark[] = [
  agentBenchmark,
  apiBenchmark,
  bufferBenchmark,
  canBenchmark,
  consoleBenchmark,
  ingestBenchmark,
  simBenchmark,
  storeBenchmark,
  unlockBenchmark,
  wireBenchmark,
];
