/** `kerbside-agent`: a table of commands, help printed from it, and exit statuses 0 done, 1 failed, 2 used wrongly. */
// First of all: it counts for what is made from here on.
import "./core-dumps.ts";
import "./engine.ts";

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { runBuffer } from "@kerbside/buffer";
import { ProfileError, runCan, runProfile } from "@kerbside/can";
import { runFlow } from "@kerbside/flows";
import { type Clock, ProtocolError, systemClock, systemRandom } from "@kerbside/protocol";
import { loadIdentity } from "@kerbside/uplink";
import { accessLines, accessListing } from "./access-list.ts";
import { startAgent } from "./agent.ts";
import { ConfigError, readConfig } from "./config.ts";
import { identityDir } from "./enrolment.ts";
import { lockStatus } from "./lock-status.ts";
import { agentLog } from "./log.ts";
import { metricValues, readMetrics } from "./metrics.ts";
import { AGENT_VERSION } from "./version.ts";

type ExitCode = 0 | 1 | 2;
type Command = {
  readonly usage: string;
  readonly words: string;
  readonly run: (args: readonly string[]) => Promise<ExitCode>;
};

class UsageError extends Error {
  override readonly name = "UsageError";
}

const ending = new AbortController();

/** CLOCK_BOOTTIME: counts suspend. */
function uptimeMs(): number {
  return Number.parseFloat(readFileSync("/proc/uptime", "utf8")) * 1000;
}
const clock: Clock = systemClock(uptimeMs);

type Words = { readonly config: string; readonly json: boolean };

function configWords(args: readonly string[]): Words {
  const options = { config: { type: "string" }, json: { type: "boolean" } } as const;
  try {
    const { config, json } = parseArgs({ args: [...args], options, strict: true }).values;
    if (config === undefined) throw new UsageError("--config FILE is missing");
    return { config, json: json === true };
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(String((error as Error).message));
  }
}

async function run(args: readonly string[]): Promise<ExitCode> {
  const { config: file, json } = configWords(args);
  const config = readConfig(file);
  const { signal } = ending;
  const stopped = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  const suspendedMs = (): number => uptimeMs() - performance.now();
  const agent = await startAgent({
    ...{ config, clock, log: agentLog(), signal, suspendedMs },
    random: systemRandom,
  });
  const ready = { ready: true, tenant: config.tenant, vehicle: config.vehicle };
  process.stdout.write(
    json ? `${JSON.stringify(ready)}\n` : `The agent of ${config.vehicle} runs. Ctrl-C ends it.\n`,
  );
  await stopped;
  await agent.close();
  return 0;
}

const CAN_IO = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: ending.signal,
};

const BUFFER_IO = {
  out: (line: string) => void process.stdout.write(`${line}\n`),
  err: (line: string) => void process.stderr.write(`${line}\n`),
  identity: (dataDir: string) => loadIdentity(identityDir({ dataDir })),
};

const COMMANDS: Readonly<Record<string, Command>> = {
  run: { usage: "run --config FILE", words: "the agent in the foreground", run },
  can: {
    usage: "can decode|monitor …",
    words: "decode logs, watch a bus",
    run: (args) => runCan(args, CAN_IO),
  },
  access: {
    usage: "access list --config FILE",
    words: "the grants that the car holds",
    run: async ([name, ...rest]) => {
      if (name !== "list") throw new UsageError("expected: access list");
      const { config, json } = configWords(rest);
      const listing = await accessListing(readConfig(config));
      const text = json ? JSON.stringify(listing) : accessLines(listing).join("\n");
      process.stdout.write(`${text}\n`);
      return 0;
    },
  },
  buffer: {
    usage: "buffer append|status|verify …",
    words: "look into the buffer of a data directory",
    run: (args) => runBuffer(args, BUFFER_IO),
  },
  metrics: {
    usage: "metrics --config FILE",
    words: "what the running agent holds, sends and has lost, for Prometheus",
    run: async (args) => {
      const { config, json } = configWords(args);
      const text = await readMetrics(readConfig(config).dataDir);
      process.stdout.write(json ? `${JSON.stringify(metricValues(text))}\n` : text);
      return 0;
    },
  },
  profile: {
    usage: "profile check FILE…",
    words: "check vehicle profiles",
    run: async (args) => runProfile(args, CAN_IO),
  },
  flow: {
    usage: "flow check FILE…",
    words: "check operators' own rules",
    run: async (args) => runFlow(args, BUFFER_IO),
  },
  lock: {
    usage: "lock status --config FILE",
    words: "what the lock controller says (while the agent is not running)",
    run: async ([name, ...rest]) => {
      if (name !== "status") throw new UsageError("expected: lock status");
      const { config, json } = configWords(rest);
      const options = { config: readConfig(config), clock, random: systemRandom, log: agentLog() };
      const report = await lockStatus(options);
      const lines = Object.entries(report).map(([key, value]) => `${key.padEnd(18)} ${value}`);
      process.stdout.write(json ? `${JSON.stringify(report)}\n` : `${lines.join("\n")}\n`);
      return 0;
    },
  },
};

/** Those that have no help of their own. */
const SELF_EXPLAINED: ReadonlySet<string> = new Set(["run", "lock", "access", "metrics"]);
const USAGE_WIDTH = 30;
function help(): string {
  const rows = Object.values(COMMANDS).map(
    ({ usage, words }) => `  ${usage.padEnd(USAGE_WIDTH)} ${words}`,
  );
  return `kerbside-agent ${AGENT_VERSION}\n\n${rows.join("\n")}\n\nAll take --help, and --json for machines.\n`;
}

/** An operating error in words; a bug of ours keeps its stack. */
function explain(error: unknown): string | undefined {
  const known = [ConfigError, ProfileError, ProtocolError].some((kind) => error instanceof kind);
  const isSystem = error instanceof Error && "code" in error;
  return known || isSystem ? (error as Error).message : undefined;
}

async function main([name, ...args]: readonly string[]): Promise<ExitCode> {
  const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (name === "--help" || name === "help") {
    process.stdout.write(help());
    return 0;
  }
  if (command === undefined) {
    process.stderr.write(
      name === undefined ? help() : `kerbside-agent: no command ${name}; see --help\n`,
    );
    return 2;
  }
  if (args[0] === "--help" && SELF_EXPLAINED.has(name ?? "")) {
    process.stdout.write(`kerbside-agent ${command.usage}\n\n${command.words}\n`);
    return 0;
  }
  try {
    return await command.run(args);
  } catch (error) {
    if (ending.signal.aborted) return 0;
    if (error instanceof UsageError) {
      process.stderr.write(
        `kerbside-agent ${name}: ${error.message}\nusage: kerbside-agent ${command.usage}\n`,
      );
      return 2;
    }
    const words = explain(error);
    if (words === undefined) throw error;
    process.stderr.write(`kerbside-agent ${name}: ${words}\n`);
    return 1;
  }
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => ending.abort());
}
// The reader of a pipe went away: nobody is left to print for.
process.stdout.on("error", () => ending.abort());
const code = await main(process.argv.slice(2));
// A start that failed half way leaves a bus and timers behind. They would keep a process that serves no car, and that
// nobody starts anew.
if (process.argv[2] === "run") process.exit(code);
process.exitCode = code;
