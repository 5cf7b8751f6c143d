/** Finds the command that the words call, runs it, and says in one line what went wrong. */
import { ProtocolError } from "@kerbside/protocol";
import { type Command, helpOf, helpOfAll, type Io, readInput, UsageError } from "./command.ts";

const DONE = 0;
const FAILED = 1;
const USED_WRONGLY = 2;

/** Answers the exit status. Never rejects for what a user or an operating system can cause. */
export async function runCli(
  commands: readonly Command[],
  words: readonly string[],
  io: Io,
): Promise<number> {
  const command = find(commands, words);
  const wantsHelp = words.includes("--help") || words[0] === "help";
  if (command === undefined) {
    if (wantsHelp) {
      io.out(helpOfAll(commands.filter((each) => isUnder(each, words))));
      return DONE;
    }
    const what = words.length === 0 ? "a command is missing" : `no command ${words.join(" ")}`;
    io.err(`kerbside-cloud: ${what}; kerbside-cloud --help lists them\n`);
    return USED_WRONGLY;
  }
  if (wantsHelp) {
    io.out(helpOf(command));
    return DONE;
  }
  try {
    const rest = words.slice(command.name.split(" ").length);
    return await command.run(readInput(command, rest, io));
  } catch (error) {
    if (error instanceof UsageError) {
      io.err(`kerbside-cloud ${error.message}; see --help\n`);
      return USED_WRONGLY;
    }
    const words = explain(error);
    if (words === undefined) throw error;
    io.err(`kerbside-cloud ${command.name}: ${words}\n`);
    return FAILED;
  }
}

/** The longest name that the words begin with. */
function find(commands: readonly Command[], words: readonly string[]): Command | undefined {
  return commands
    .filter(({ name }) => name.split(" ").every((part, i) => words[i] === part))
    .sort((a, b) => b.name.length - a.name.length)[0];
}

/** Whether help for a group, such as `tenant --help`, speaks of this command. */
function isUnder({ name }: Command, words: readonly string[]): boolean {
  const group = words.filter((word) => !word.startsWith("-") && word !== "help");
  return group.every((word, i) => name.split(" ")[i] === word);
}

/** An operating error in words; undefined for a fault of ours, which must not be hidden. */
export function explain(error: unknown): string | undefined {
  if (error instanceof ProtocolError) return error.message;
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const port = "port" in error ? String(error.port) : "";
  switch (error.code) {
    case "EADDRINUSE":
      return `port ${port} is in use; choose another one or end what uses it`;
    case "EACCES":
    case "EROFS":
    case "EPERM":
      return `${"path" in error ? String(error.path) : `port ${port}`}: permission denied`;
    case "ENOENT":
    case "ENOTDIR":
      return "path" in error ? `${String(error.path)}: there is no such file` : undefined;
    case "EISDIR":
      return "expected a file, found a directory";
    case "ENOSPC":
      return "the disk is full";
    case "ECONNREFUSED":
      return `nothing listens on port ${port}; is kerbside-cloud serve running?`;
    default:
      return undefined;
  }
}
