/**
 * The whole agent without flows, bundled as it goes to a car, on a full bus and with a real cloud: how soon it is there,
 * against a bare Node that starts and ends, and how much memory it takes with the process that reads the CAN interface.
 */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { randomBytes, toHex } from "@kerbside/protocol";
import { prepareFolder } from "../../scripts/demo/options.ts";
import {
  agentConfig,
  ensureEnrolment,
  ensureTenant,
  type Paths,
  pathsOf,
  startCloud,
} from "../../scripts/demo/parts.ts";
import type { Benchmark, Row } from "../benchmark.ts";
import { bundleAgent } from "./bundle.ts";
import { weekRow } from "./week.ts";

const FRAMES_PER_S = 3900;
const STARTS = 7;
const START_MS_MAX = 60_000;
const WARM_UP_MS = 20_000;
const SAMPLES = 10;
const SAMPLE_EVERY_MS = 2000;
const MEMORY_MB_MAX = 95;
const START_RATIO_MAX = 7;
/** As the agent's unit starts it: little young space, one thread more than none for what libuv does. */
const AGENT_FLAGS = ["--max-semi-space-size=4", "--v8-pool-size=1"] as const;
const RECEIVER_FLAGS = ["--single-threaded", "--max-semi-space-size=1"] as const;

type Agent = {
  readonly child: ChildProcess;
  /** Milliseconds from the start to the line of the log that has this event. */
  readonly reached: (event: string) => Promise<number>;
  readonly stop: () => Promise<void>;
};

function startAgent(main: string, config: string, dir: string): Agent {
  const startedMs = performance.now();
  const child = spawn(
    process.execPath,
    [...AGENT_FLAGS, main, "run", "--config", config, "--json"],
    {
      env: { NODE_COMPILE_CACHE: join(dir, "compile-cache") },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  const seen = new Map<string, number>();
  const lines: string[] = [];
  const log = createInterface({ input: child.stderr });
  log.on("line", (line) => {
    lines.push(line);
    const found = /"msg":"([^"]*)"/.exec(line)?.[1];
    if (found !== undefined && !seen.has(found)) seen.set(found, performance.now() - startedMs);
  });
  return {
    child,
    reached: async (event) => {
      while (!seen.has(event)) {
        if (performance.now() - startedMs > START_MS_MAX || child.exitCode !== null)
          throw new Error(`the agent did not come to ${event}: ${lines.slice(-5).join("\n")}`);
        await wait(1);
      }
      return seen.get(event) ?? Number.NaN;
    },
    stop: async () => {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}

async function bareStartMs(): Promise<number> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, ["-e", "0"], { env: {}, stdio: "ignore" });
  await once(child, "exit");
  return performance.now() - startedMs;
}

/** Proportional set size: what is shared with others counts in equal parts. In megabytes. */
function pssMb(pid: number | undefined): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return (Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1]) * 1024) / 1e6;
}

/** Of a process, in seconds (proc_pid_stat(5), fields 14 and 15, in hundredths). */
function cpuS(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function part(name: string, words: readonly string[]): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL(name, import.meta.url)), words);
  await once(child, "message");
  return child;
}

/** All that the agent talks to, and its own files. Returns its configuration. */
async function surroundings(paths: Paths, stack: AsyncDisposableStack): Promise<string> {
  await ensureTenant(paths);
  const { program, up } = startCloud(paths, { https: 0, broker: 0 });
  stack.defer(() => program.stop());
  const { ports } = await up;
  const [lock, bus] = [join(paths.data, "sim", "lock.sock"), join(paths.data, "sim", "can.sock")];
  mkdirSync(join(paths.data, "sim"), { recursive: true });
  writeFileSync(paths.pairingKey, toHex(randomBytes(32)), { mode: 0o600 });
  for (const child of [
    await part("../unlock/null-controller.ts", [lock, paths.pairingKey]),
    await part("bus.ts", [bus, String(FRAMES_PER_S)]),
  ])
    stack.defer(() => void child.kill("SIGKILL"));
  await ensureEnrolment(paths);
  const config = { ...agentConfig(paths, ports), reader: undefined, modem: undefined };
  writeFileSync(paths.agentConfig, JSON.stringify(config), { mode: 0o600 });
  return paths.agentConfig;
}

type Starts = { readonly bare: number[]; readonly event: number[]; readonly online: number[] };

async function starts(begin: () => Agent): Promise<Starts> {
  const found: Starts = { bare: [], event: [], online: [] };
  for (let round = -1; round < STARTS; round += 1) {
    const bare = await bareStartMs();
    const agent = begin();
    const event = await agent.reached("agent.first_event");
    const online = await agent.reached("uplink.online");
    await agent.stop();
    // The first one joins the tenant and fills the cache of compiled code.
    if (round < 0) continue;
    found.bare.push(bare);
    found.event.push(event);
    found.online.push(online);
  }
  return found;
}

type Held = { readonly memory: number[]; readonly cpu: number[] };

async function held(begin: () => Agent, receiver: string): Promise<Held> {
  const found: Held = { memory: [], cpu: [] };
  const reading = spawn(process.execPath, [...RECEIVER_FLAGS, receiver, String(FRAMES_PER_S)], {
    env: {},
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  reading.stdio[3]?.on("data", () => undefined);
  const agent = begin();
  try {
    await agent.reached("uplink.online");
    await wait(WARM_UP_MS);
    for (let i = 0; i < SAMPLES; i += 1) {
      const before = cpuS(agent.child.pid);
      await wait(SAMPLE_EVERY_MS);
      found.cpu.push(((cpuS(agent.child.pid) - before) / (SAMPLE_EVERY_MS / 1000)) * 100);
      found.memory.push(pssMb(agent.child.pid) + pssMb(reading.pid));
    }
  } finally {
    await agent.stop();
    reading.kill("SIGKILL");
  }
  return found;
}

async function* run(): AsyncGenerator<Row, void, undefined> {
  const data = mkdtempSync(join(tmpdir(), "kb-agent-"));
  try {
    await using stack = new AsyncDisposableStack();
    prepareFolder(data);
    const main = await bundleAgent(data);
    const config = await surroundings(pathsOf(data), stack);
    const begin = (): Agent => startAgent(main, config, data);
    const { bare, event, online } = await starts(begin);
    const peer = { name: "bare Node, start to end", values: bare };
    const goal = { of: "ratio", atMost: START_RATIO_MAX } as const;
    const ours = (values: readonly number[]) => ({ name: "agent, bundled", values });
    yield { what: "start to the first durable event", unit: "ms", ours: ours(event), peer, goal };
    yield { what: "start to CONNACK and SUBACK", unit: "ms", ours: ours(online), peer, goal };
    const { memory, cpu } = await held(begin, join(data, "app", "agent", "receiver.js"));
    yield {
      what: `proportional set size at ${FRAMES_PER_S} frames/s, with the CAN receiver's process`,
      unit: "MB",
      ours: ours(memory),
      peer: null,
      goal: { of: "ours", atMost: MEMORY_MB_MAX },
    };
    yield {
      what: `the agent at ${FRAMES_PER_S} frames/s`,
      unit: "% of a core",
      ours: ours(cpu),
      peer: null,
      goal: null,
    };
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
  yield await weekRow();
}

export const agentBenchmark: Benchmark = {
  name: "agent",
  why: "the whole agent: how soon it is there, and what memory it takes",
  run,
};
