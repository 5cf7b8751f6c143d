/** `kerbside-agent buffer …`: what a technician needs at the car, and what a tester needs anywhere. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  isLane,
  LANES,
  type Lane,
  type Log,
  ProtocolError,
  systemClock,
  systemRandom,
  toHex,
  verifyKey,
} from "@kerbside/protocol";
import { openBuffer } from "./buffer.ts";
import type { Appended, Buffer } from "./contract.ts";
import { inspectBuffer, type LaneReport } from "./inspect.ts";
import { type BufferIdentity, makeThrowAway, readThrowAway } from "./throw-away.ts";

/** Where lines go; without the line break. */
export type BufferIo = {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
  /** The enrolled identity in a directory, if there is one. */
  readonly identity?: (dir: string) => BufferIdentity | undefined;
};

const OPTIONS = {
  data: { type: "string", words: "DIR  the agent's data directory" },
  lane: { type: "string", words: "L    critical, state (default) or track" },
  count: { type: "string", words: "N   how many events (default 1)" },
  note: { type: "string", words: "TEXT what they carry" },
  json: { type: "boolean", words: "     one JSON object a line" },
  help: { type: "boolean", words: "     this" },
} as const;
type Values = { readonly [K in keyof typeof OPTIONS]?: string | boolean | undefined };

type Command = {
  readonly words: string;
  readonly options: readonly (keyof typeof OPTIONS)[];
  readonly run: (dir: string, values: Values, io: BufferIo) => Promise<ExitCode> | ExitCode;
};
const COMMANDS: Readonly<Record<string, Command>> = {
  append: {
    words: "append numbered test events, print where each went once it is durable",
    options: ["data", "lane", "count", "note", "json", "help"],
    run: append,
  },
  status: { words: "what is held", options: ["data", "json", "help"], run: status },
  verify: {
    words: "check numbers, hashes and signatures of what is held",
    options: ["data", "json", "help"],
    run: verify,
  },
};

export type ExitCode = 0 | 1 | 2;
const DONE = 0;
const FAILED = 1;
const WRONG_USE = 2;
/** Events of `append` that wait for a commit at once. */
const IN_FLIGHT_MAX = 1024;
const COUNT_MAX = 1e9;

class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Runs one command. Resolves with the exit status: 0 done, 1 failed, 2 used wrongly. */
export async function runBuffer(args: readonly string[], io: BufferIo): Promise<ExitCode> {
  const [name = "", ...rest] = args;
  try {
    if (name === "--help" || name === "help") {
      io.out(usage());
      return DONE;
    }
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (command === undefined) throw new UsageError(`no command ${JSON.stringify(name)}`);
    const values = read(command, rest);
    if (values.help === true) {
      io.out(usage());
      return DONE;
    }
    if (typeof values.data !== "string") throw new UsageError("--data DIR is missing");
    return await command.run(values.data, values, io);
  } catch (error) {
    if (error instanceof UsageError) {
      io.err(`buffer: ${error.message}\n${usage()}`);
      return WRONG_USE;
    }
    if (!(error instanceof Error)) throw error;
    io.err(`buffer: ${error.message}`);
    return FAILED;
  }
}

function usage(): string {
  const commands = Object.entries(COMMANDS).map(
    ([name, { words, options }]) => `  ${name.padEnd(7)} ${words}: --${options.join(" --")}`,
  );
  const options = Object.entries(OPTIONS).map(([name, { words }]) => `  --${name} ${words}`);
  return ["kerbside-agent buffer COMMAND --data DIR", ...commands, ...options].join("\n");
}

function read({ options }: Command, args: readonly string[]): Values {
  try {
    const known = Object.fromEntries(options.map((name) => [name, { type: OPTIONS[name].type }]));
    return parseArgs({ args: [...args], options: known, strict: true }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** Where the agent keeps its buffer in its data directory. */
const BUFFER_FOLDER = "buffer";

type Home = { readonly dir: string; readonly identity: BufferIdentity };

/** The buffer of an enrolled agent's data directory, or of one that `append` made. */
function homeOf(dir: string, io: BufferIo): Home | undefined {
  const enrolled = io.identity?.(dir);
  if (enrolled !== undefined) return { dir: join(dir, BUFFER_FOLDER), identity: enrolled };
  const identity = readThrowAway(dir);
  return identity === undefined ? undefined : { dir, identity };
}

async function append(dir: string, values: Values, io: BufferIo): Promise<ExitCode> {
  const lane = values.lane ?? "state";
  if (!isLane(lane)) throw new UsageError(`--lane: expected one of ${LANES.join(", ")}`);
  const count = typeof values.count === "string" ? Number(values.count) : 1;
  if (!Number.isInteger(count) || count < 1 || count > COUNT_MAX)
    throw new UsageError(`--count: expected a whole number from 1 to ${COUNT_MAX}`);
  const text = typeof values.note === "string" ? values.note : "";
  const show = (key: string): void =>
    io.err(`throw-away tenant, private ingest key (shown once, kept nowhere): ${key}`);
  const home = homeOf(dir, io) ?? { dir, identity: await makeThrowAway(dir, show) };
  const log = logTo(io);
  const buffer = await openBuffer({
    dir: home.dir,
    ...home.identity,
    agentVersion: "buffer append",
    clock: systemClock(() => performance.now()),
    random: systemRandom,
    log,
    trackWindowMs: 250,
  });
  try {
    await appendAll(buffer, lane, count, text, io);
    return DONE;
  } finally {
    await buffer.close();
  }
}

async function appendAll(
  buffer: Buffer,
  lane: Lane,
  count: number,
  text: string,
  io: BufferIo,
): Promise<void> {
  const show = ({ log, seq }: Appended): void =>
    io.out(JSON.stringify({ lane, log: toHex(log), seq }));
  const size = lane === "critical" ? 1 : IN_FLIGHT_MAX;
  for (let from = 1; from <= count; from += size) {
    const numbers = Array.from({ length: Math.min(size, count - from + 1) }, (_, i) => from + i);
    await Promise.all(
      numbers.map(async (number) =>
        show(await buffer.append({ kind: "diagnostic.note", data: { note: text, number } }, lane)),
      ),
    );
  }
}

function logTo(io: BufferIo): Log {
  const line = (event: string, fields: object = {}): void =>
    io.err(`buffer: ${event} ${JSON.stringify(fields)}`);
  return { info: () => undefined, warn: line, error: line };
}

function reports(dir: string, io: BufferIo): readonly LaneReport[] {
  const home = homeOf(dir, io);
  if (home === undefined)
    throw new ProtocolError("not_found", `${dir}: neither enrolled nor used by append`);
  return inspectBuffer(home.dir, verifyKey(home.identity.signingKey.publicKey));
}

function status(dir: string, { json }: Values, io: BufferIo): ExitCode {
  for (const { lane, log, count, segments, bytes, gaps, heldSinceMs } of reports(dir, io)) {
    const gone = gaps.reduce((sum, [from, to]) => sum + to - from + 1, 0);
    const since = heldSinceMs === undefined ? null : new Date(heldSinceMs).toISOString();
    io.out(
      json === true
        ? JSON.stringify({ lane, log, events: count, segments, bytes, gone, since })
        : `${lane.padEnd(8)} log ${log}: ${count} events in ${segments} closed segments and the open one, ${bytes} bytes, ${gone} given up${since === null ? "" : `, the oldest held since ${since}`}`,
    );
  }
  return DONE;
}

function verify(dir: string, { json }: Values, io: BufferIo): ExitCode {
  let broken = false;
  for (const { lane, log, first, last, count, gaps, chain, problem } of reports(dir, io)) {
    broken ||= chain === "broken";
    if (problem !== undefined) io.err(`buffer: ${lane} of ${log}: ${problem}`);
    const holes = gaps.map(([from, to]) => `${from}–${to}`).join(", ");
    io.out(
      json === true
        ? JSON.stringify({ lane, log, first, last, count, gaps, chain })
        : `${lane.padEnd(8)} log ${log}: events ${first} to ${last} (${count}), gaps: ${holes || "none"}, chain ${chain}`,
    );
  }
  return broken ? FAILED : DONE;
}
