/** What `decode` and `monitor` take alike: DBC files, and a log or a stream of one. */
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { type CompiledDbc, compileDbc, DbcError, formatProblem, parseDbc } from "../dbc/index.ts";
import { type CanIo, InputError, UsageError } from "./io.ts";

/** Problems of a file that are listed without being asked for. */
const PROBLEMS_LISTED_MAX = 5;

export type LogSource = {
  readonly name: string;
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Null for a stream. */
  readonly bytes: number | null;
};

/** Reads and compiles the files; what is wrong within goes to standard error. Throws InputError. */
export async function openDbcs(
  files: readonly string[],
  strict: boolean,
  io: CanIo,
): Promise<CompiledDbc> {
  if (files.length === 0) throw new UsageError("--dbc FILE is missing");
  const dbcs = [];
  for (const file of files) {
    const bytes = await readFile(file).catch((error: unknown) => {
      throw new InputError(`${file}: ${reasonOf(error)}`);
    });
    try {
      const dbc = parseDbc(bytes, { file, strict });
      if (dbc.messages.length === 0) throw new InputError(`${file}: no message was found in it`);
      for (const problem of dbc.problems.slice(0, PROBLEMS_LISTED_MAX)) {
        io.stderr.write(`${formatProblem(problem)}\n`);
      }
      const more = dbc.problems.length + dbc.problemsUnlisted - PROBLEMS_LISTED_MAX;
      if (more > 0) io.stderr.write(`${file}: and ${more} more (--strict refuses such a file)\n`);
      dbcs.push(dbc);
    } catch (error) {
      if (error instanceof DbcError) throw new InputError(error.message);
      throw error;
    }
  }
  return compileDbc(...dbcs);
}

/** `-` or nothing is standard input. Throws InputError for a file that is not there. */
export async function openLog(path: string | undefined, io: CanIo): Promise<LogSource> {
  if (path === undefined || path === "-") {
    return { name: "<stdin>", chunks: io.stdin, bytes: null };
  }
  const found = await stat(path).catch((error: unknown) => {
    throw new InputError(`${path}: ${reasonOf(error)}`);
  });
  if (found.isDirectory()) throw new InputError(`${path}: is a directory`);
  return {
    name: path,
    chunks: createReadStream(path, { highWaterMark: 1 << 18 }),
    bytes: found.isFile() ? found.size : null,
  };
}

export function reasonOf(error: unknown): string {
  if (error instanceof Error && "code" in error) {
    if (error.code === "ENOENT") return "there is no such file";
    if (error.code === "EACCES") return "may not be read";
    if (error.code === "EISDIR") return "is a directory";
  }
  return error instanceof Error ? error.message : String(error);
}

/** Files after `--dbc` may follow without repeating the flag: what ends in .dbc is one, what is left is the log. */
export function sortPositionals(
  dbcs: readonly string[],
  positionals: readonly string[],
): { dbcs: string[]; log: string | undefined } {
  const more = positionals.filter((p) => /\.dbc$/i.test(p));
  const [log, extra] = positionals.filter((p) => !/\.dbc$/i.test(p));
  if (extra !== undefined) throw new UsageError(`one log at a time: what is "${extra}"?`);
  return { dbcs: [...dbcs, ...more], log };
}
