/** `kerbside-agent can …`: the table of its commands, and how each of them ends. */
import { LogFormatError } from "../logs/index.ts";
import { DECODE_HELP, runDecode } from "./decode.ts";
import {
  type CanIo,
  EXIT_DONE,
  EXIT_FAILED,
  EXIT_USAGE,
  type ExitCode,
  InputError,
  isBrokenPipe,
  UsageError,
} from "./io.ts";
import { MONITOR_HELP, runMonitor } from "./monitor.ts";

type Command = {
  readonly does: string;
  readonly help: string;
  readonly run: (args: readonly string[], io: CanIo) => Promise<void>;
};

const COMMANDS: Readonly<Record<string, Command>> = {
  decode: { does: "a log to JSON lines of signals", help: DECODE_HELP, run: runDecode },
  monitor: { does: "a live table of what is on a bus", help: MONITOR_HELP, run: runMonitor },
};

function help(): string {
  const lines = Object.entries(COMMANDS).map(([name, { does }]) => `  ${name.padEnd(9)} ${does}\n`);
  return `kerbside-agent can COMMAND …\n\n${lines.join("")}\nEach takes --help.\n`;
}

/**
 * Runs one command: `args` are those after `can`. Resolves with the exit status: 0 done, 1 failed, 2 used
 * wrongly; errors are on standard error by then. Rejects only for what is a bug of ours.
 */
export async function runCan(args: readonly string[], io: CanIo): Promise<ExitCode> {
  const [name, ...rest] = args;
  if (name === "--help" || name === "help") {
    io.stdout.write(help());
    return EXIT_DONE;
  }
  const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    io.stderr.write(name === undefined ? help() : `can: no command "${name}"\n\n${help()}`);
    return EXIT_USAGE;
  }
  try {
    await command.run(rest, io);
    return EXIT_DONE;
  } catch (error) {
    return explain(error, `can ${name}`, io);
  }
}

function explain(error: unknown, what: string, io: CanIo): ExitCode {
  if (isBrokenPipe(error)) return EXIT_DONE;
  if (error instanceof UsageError || isParseArgsError(error)) {
    io.stderr.write(`${what}: ${error.message}\nSee kerbside-agent ${what} --help.\n`);
    return EXIT_USAGE;
  }
  if (error instanceof InputError || error instanceof LogFormatError || isSystemError(error)) {
    io.stderr.write(`${what}: ${error.message}\n`);
    return EXIT_FAILED;
  }
  throw error;
}

function isParseArgsError(error: unknown): error is Error {
  return codeOf(error).startsWith("ERR_PARSE_ARGS");
}

function isSystemError(error: unknown): error is Error {
  return /^E[A-Z]+$/.test(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "";
}

export type { CanIo, ExitCode, Output } from "./io.ts";
export { progressText } from "./progress.ts";
