/**
 * `unlock`: from the HTTPS request to the car's signed answer at the caller, with every part real and in its own
 * process, and simulated hardware that takes no time. Against a floor in the same run: one bare sequential pipeline with
 * the same crypto and the commits that the order of work needs.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepareFolder } from "../../scripts/demo/options.ts";
import { pathsOf } from "../../scripts/demo/parts.ts";
import { missingPackages } from "../../test/support/debian.ts";
import type { Benchmark, Row } from "../benchmark.ts";
import { type BrokerKind, startFloor, startSystem } from "./system.ts";
import { afterSilence, inBursts } from "./turns.ts";

/** Issue: at most 1.5 times the floor; from the signer to the answer 3.2 times a bare request and reply. */
const GOAL = { of: "ratio", atMost: 1.5 } as const;
const GOAL_SIGNED = { of: "ratio", atMost: 3.2 } as const;
/** That stand in a row between signing and the answer; decision 0159. */
const FLUSHES = 3;
/** Linux's file system in memory, where there is one. */
const MEMORY = "/dev/shm";
const BURSTS_IN_MEMORY = 4;

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

async function* rowsWith(kind: BrokerKind): AsyncGenerator<Row, void, undefined> {
  const data = mkdtempSync(join(tmpdir(), "kb-unlock-"));
  try {
    await using stack = new AsyncDisposableStack();
    prepareFolder(data);
    const system = await startSystem(pathsOf(data), kind, stack);
    const floor = await startFloor(system, kind, stack);
    const found = await inBursts(system, floor);
    yield {
      what: `unlock or lock, HTTPS request to signed answer (${kind})`,
      unit: "ms",
      ours: { name: "kerbside", values: found.ours },
      peer: { name: "floor", values: found.floor },
      goal: GOAL,
    };
    yield {
      what: "the same, 99th percentile (noisy: gates nothing)",
      unit: "ms",
      ours: { name: "kerbside", values: [quantile(found.ours, 0.99)] },
      peer: { name: "floor", values: [quantile(found.floor, 0.99)] },
      goal: null,
    };
    yield {
      what: `from signing to the car's verified answer, against a bare request and reply (means of bursts, ${kind})`,
      unit: "ms",
      ours: { name: "kerbside", values: found.signed },
      peer: { name: "request and reply", values: found.bare },
      goal: GOAL_SIGNED,
    };
    yield {
      what: `of which ${FLUSHES} flushes, in turn: the signer's commit, the car's intent, its result; one of them`,
      unit: "ms",
      ours: { name: "flush", values: found.flush },
      peer: null,
      goal: null,
    };
    const alone = await afterSilence(system, floor);
    yield {
      what: `unlock or lock after a second of silence (${kind})`,
      unit: "ms",
      ours: { name: "kerbside", values: alone.ours },
      peer: { name: "floor", values: alone.floor },
      goal: GOAL,
    };
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

/** The same part where a flush costs nothing: what is left of it is the software's own. */
async function* rowsInMemory(): AsyncGenerator<Row, void, undefined> {
  if (!existsSync(MEMORY)) return;
  const data = mkdtempSync(join(MEMORY, "kb-unlock-"));
  try {
    await using stack = new AsyncDisposableStack();
    prepareFolder(data);
    const system = await startSystem(pathsOf(data), "embedded broker", stack);
    const floor = await startFloor(system, "embedded broker", stack);
    const { signed, bare } = await inBursts(system, floor, BURSTS_IN_MEMORY);
    yield {
      what: "from signing to the car's verified answer with all data in memory (the software alone; gates nothing)",
      unit: "ms",
      ours: { name: "kerbside", values: signed },
      peer: { name: "request and reply", values: bare },
      goal: null,
    };
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

async function* run(): AsyncGenerator<Row, void, undefined> {
  yield* rowsWith("embedded broker");
  yield* rowsInMemory();
  const missing = missingPackages("mosquitto");
  if (missing.length === 0) yield* rowsWith("mosquitto");
  else process.stderr.write(`# skip unlock with mosquitto: needs ${missing.join(", ")}\n`);
}

export const unlockBenchmark: Benchmark = {
  name: "unlock",
  why: "a command from HTTPS to the car's signed answer, against a bare pipeline",
  run,
};
