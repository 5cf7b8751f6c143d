/** What a command of the command line is, and how its words are read. */
import { parseArgs } from "node:util";
import { DATA_DIR_DEFAULT, type Environment } from "../config.ts";

/** The command line was used wrongly: status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export type Option = {
  readonly doc: string;
  /** The name of its value; a flag without one. */
  readonly value?: string;
  readonly default?: string;
  readonly required?: boolean;
  /** Why the environment does not set it, where the command's other options may be set so. */
  readonly lineOnly?: string;
};

export type Command = {
  /** The words that call it, such as `tenant create`. */
  readonly name: string;
  readonly summary: string;
  /** Names of the words that follow; all are required. */
  readonly positionals?: readonly string[];
  readonly options: Readonly<Record<string, Option>>;
  /** True of services (P-92): what the line does not say may stand in the environment, see `variableOf`. */
  readonly environment?: true;
  /** Answers the exit status; rejections are reported by the caller. */
  readonly run: (input: Input) => Promise<number>;
};

/** Where a command reads and writes; `stop` ends what would go on. */
export type Io = {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly env: Environment;
  readonly stop: AbortSignal;
};

/** The words of one call, read by the command's table. */
export type Input = Io & {
  readonly positionals: readonly string[];
  readonly flag: (name: string) => boolean;
  /** An option that is required or has a default. */
  readonly text: (name: string) => string;
  readonly optional: (name: string) => string | undefined;
  readonly integer: (name: string, min: number, max: number) => number;
  /** One JSON line, or the words for people. */
  readonly print: (value: object, words: string) => void;
};

export const DATA_OPTION: Option = {
  value: "DIR",
  default: DATA_DIR_DEFAULT,
  doc: "data directory of the cloud, or of a demo",
};
export const JSON_OPTION: Option = { doc: "print JSON lines" };
export const DEV_OPTION: Option = {
  doc: "make keys and files that are missing (development)",
  lineOnly: "nobody makes keys because of a variable that was left over",
};
export const TENANT_OPTION: Option = { value: "TENANT", required: true, doc: "id of the tenant" };

type Options<Names extends string> = Readonly<Record<Names, Option>>;
/** What most commands take: where the data is, and how to print. Those with `--dev` may make what is missing. */
export const DATA_OPTIONS: Options<"data" | "json"> = { data: DATA_OPTION, json: JSON_OPTION };
export const MADE_DATA_OPTIONS: Options<"data" | "json" | "dev"> = {
  ...DATA_OPTIONS,
  dev: DEV_OPTION,
};
export const TENANT_OPTIONS: Options<"data" | "json" | "tenant"> = {
  ...DATA_OPTIONS,
  tenant: TENANT_OPTION,
};
export const MADE_TENANT_OPTIONS: Options<"data" | "json" | "dev" | "tenant"> = {
  ...MADE_DATA_OPTIONS,
  tenant: TENANT_OPTION,
};

/** The variable that sets an option: `KERBSIDE_HTTPS_PORT` for `--https-port`. */
export function variableOf(option: string): string {
  return `KERBSIDE_${option.toUpperCase().replaceAll("-", "_")}`;
}

/** What the environment says of options; the line goes before it. A flag is `yes` or `no`. */
function fromEnvironment({ options, environment }: Command, env: Environment): Parsed["values"] {
  if (environment === undefined) return {};
  const said = new Map<string, string | boolean>();
  for (const [name, { value, lineOnly }] of Object.entries(options)) {
    const variable = variableOf(name);
    const given = lineOnly === undefined ? env[variable] : undefined;
    if (given === undefined) continue;
    if (value === undefined && given !== "yes" && given !== "no")
      throw new UsageError(`${variable}: expected yes or no`);
    said.set(name, value === undefined ? given === "yes" : given);
  }
  return Object.fromEntries(said);
}

/** Throws UsageError, naming the word and what was expected. */
export function readInput(command: Command, words: readonly string[], io: Io): Input {
  const { values: onLine, positionals } = parse(command, words);
  const values = { ...fromEnvironment(command, io.env), ...onLine };
  const expected = command.positionals ?? [];
  if (positionals.length !== expected.length)
    throw new UsageError(
      `${command.name}: expected ${expected.length === 0 ? "no further words" : expected.join(" ")}, got ${positionals.length} words`,
    );
  for (const [name, option] of Object.entries(command.options))
    if (option.required === true && values[name] === undefined)
      throw new UsageError(`${command.name}: --${name} ${option.value} is missing`);
  const optional = (name: string): string | undefined => {
    const value = values[name] ?? command.options[name]?.default;
    return typeof value === "string" ? value : undefined;
  };
  const text = (name: string): string => optional(name) ?? "";
  const json = values["json"] === true;
  return {
    ...io,
    positionals,
    text,
    optional,
    flag: (name) => values[name] === true,
    integer: (name, min, max) => {
      const value = Number(text(name));
      if (!/^\d+$/.test(text(name)) || value < min || value > max)
        throw new UsageError(`--${name}: expected a whole number from ${min} to ${max}`);
      return value;
    },
    print: (value, line) => io.out(`${json ? JSON.stringify(value) : line}\n`),
  };
}

type Parsed = {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly positionals: readonly string[];
};

function parse({ name, options }: Command, words: readonly string[]): Parsed {
  const rows = Object.entries(options).map(
    ([option, { value }]) =>
      [option, { type: value === undefined ? "boolean" : "string" }] as const,
  );
  try {
    return parseArgs({
      args: [...words],
      options: Object.fromEntries(rows),
      allowPositionals: true,
      strict: true,
    });
  } catch (error) {
    const words = error instanceof Error ? error.message : "cannot be read";
    throw new UsageError(`${name}: ${words.replaceAll("\n", " ")}`);
  }
}

export function helpOf(command: Command): string {
  const words = (command.positionals ?? []).map((word) => ` ${word}`).join("");
  const rows = Object.entries(command.options).map(([name, option]) => {
    const left = `  --${name}${option.value === undefined ? "" : ` ${option.value}`}`;
    const extra = option.required
      ? " (required)"
      : option.default === undefined
        ? ""
        : ` (default ${option.default})`;
    return `${left.padEnd(26)} ${option.doc}${extra}`;
  });
  return [
    `Usage: kerbside-cloud ${command.name}${words} [options]`,
    "",
    command.summary,
    "",
    "Options:",
    ...rows,
    `${"  --help".padEnd(26)} print this`,
    ...(command.environment === undefined
      ? []
      : [
          "",
          "The environment sets them too: KERBSIDE_HTTPS_PORT for --https-port; flags yes or no.",
        ]),
    "",
  ].join("\n");
}

export function helpOfAll(commands: readonly Command[]): string {
  const rows = commands.map(({ name, positionals = [], summary }) =>
    `  ${[name, ...positionals].join(" ").padEnd(24)} ${summary}`.trimEnd(),
  );
  return [
    "Usage: kerbside-cloud COMMAND [options]",
    "",
    "Commands:",
    ...rows,
    "",
    "kerbside-cloud COMMAND --help says more. Exit status: 0 done, 1 failed, 2 used wrongly.",
    "",
  ].join("\n");
}
