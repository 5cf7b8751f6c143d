/** All benchmarks: a line each. */
import type { Benchmark } from "./benchmark.ts";
import { canBenchmark } from "./can/can.ts";

export const BENCHMARKS: readonly Benchmark[] = [canBenchmark];
