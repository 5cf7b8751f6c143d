/** The command line of the simulator: a table of commands, help printed from it, and exit statuses 0, 1, 2. */
import { parseArgs } from "node:util";
import { type Command, type Given, type Io, UsageError } from "./command.ts";
import { driveCommand } from "./drive-command.ts";
import { fleetCommand } from "./fleet-command.ts";
import { moduleCommand } from "./module-command.ts";
import { replayCommand } from "./replay-command.ts";
import { scenarioCommand } from "./scenario-command.ts";

const COMMANDS: Readonly<Record<string, Command>> = {
  drive: driveCommand,
  scenario: scenarioCommand,
  fleet: fleetCommand,
  replay: replayCommand,
  module: moduleCommand,
};
const PROGRAM = "kerbside-sim";
const NAME_WIDTH = 22;

const COMMON: Command["options"] = {
  json: { words: "JSON, one object a line" },
  help: { words: "this help" },
};

export async function runSim(args: readonly string[], io: Io): Promise<0 | 1 | 2> {
  const [name, ...rest] = args;
  if (name === undefined) {
    io.err(helpOfAll());
    return 2;
  }
  if (name === "--help" || name === "-h") {
    io.out(helpOfAll());
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    io.err(`${PROGRAM}: no command ${name}; there are ${Object.keys(COMMANDS).join(", ")}\n`);
    return 2;
  }
  if (rest.includes("--help") || rest.includes("-h")) {
    io.out(helpOf(command));
    return 0;
  }
  try {
    return await command.run(given(command, rest), io);
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    io.err(`${PROGRAM} ${name}: ${words}\n`);
    if (!(error instanceof UsageError)) return 1;
    io.err(`usage: ${PROGRAM} ${command.usage}\n`);
    return 2;
  }
}

function given(command: Command, args: readonly string[]): Given {
  const all = { ...command.options, ...COMMON };
  const options = Object.fromEntries(
    Object.entries(all).map(([name, { value }]) => [
      name,
      { type: value === undefined ? ("boolean" as const) : ("string" as const) },
    ]),
  );
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options,
      allowPositionals: true,
      strict: true,
    });
    const { positionals: wanted } = command;
    const fits =
      typeof wanted === "number" ? positionals.length === wanted : positionals.length >= wanted.min;
    const words = typeof wanted === "number" ? `${wanted}` : `at least ${wanted.min}`;
    if (!fits) throw new Error(`expected ${words} arguments, got ${positionals.length}`);
    const texts = Object.entries(values).flatMap(([name, value]): [string, string][] =>
      typeof value === "string" ? [[name, value]] : value === true ? [[name, ""]] : [],
    );
    return { positionals, options: Object.fromEntries(texts), json: values["json"] === true };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function helpOfAll(): string {
  const rows = Object.values(COMMANDS).map(
    ({ usage, words }) => `  ${PROGRAM} ${usage}\n      ${words}\n`,
  );
  return `${rows.join("")}\n  --help after a command tells its options.\n`;
}

function helpOf({ usage, words, options }: Command): string {
  const rows = Object.entries({ ...options, ...COMMON }).map(([name, option]) => {
    const left = `--${name}${option.value === undefined ? "" : ` ${option.value}`}`;
    return `  ${left.padEnd(NAME_WIDTH)} ${option.words}\n`;
  });
  return `usage: ${PROGRAM} ${usage}\n${words}\n\n${rows.join("")}`;
}
