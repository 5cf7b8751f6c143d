/**
 * What a DBC file says, after parsing and before compiling. Everything here is data; nothing of it is
 * trusted to be consistent beyond what each field promises.
 */

/** Where and why a part of a file was not understood (error: that part is lost) or is odd (warning: kept). */
export type DbcProblem = {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  readonly severity: "error" | "warning";
  readonly message: string;
};

/** Inclusive. */
export type MuxRange = { readonly from: number; readonly to: number };

/** `parent` names the selector in the same message; `ranges` are its raw (signed, if it is) values. */
export type DbcMux = { readonly parent: string; readonly ranges: readonly MuxRange[] };

export type DbcAttribute = number | string;

export type DbcSignal = {
  readonly name: string;
  /** Bit number as in the file: byte = start >> 3, bit = start & 7; the lowest bit (Intel) or highest (Motorola). */
  readonly start: number;
  /** Bits, 1 to SIGNAL_BITS_MAX. */
  readonly length: number;
  readonly bigEndian: boolean;
  readonly signed: boolean;
  /** IEEE 754 when not an integer; then `length` is 16, 32 or 64. */
  readonly float: boolean;
  /** physical = raw × scale + offset, in doubles, in that order. Both finite. */
  readonly scale: number;
  readonly offset: number;
  readonly min: number;
  readonly max: number;
  readonly unit: string;
  readonly receivers: readonly string[];
  readonly comment: string | null;
  /** Raw value → word. A bigint key only where a number could not be exact. */
  readonly choices: ReadonlyMap<number | bigint, string>;
  readonly attributes: ReadonlyMap<string, DbcAttribute>;
  /** True if other signals may hang on this one's value. */
  readonly selector: boolean;
  /** Null: always present. */
  readonly mux: DbcMux | null;
  readonly line: number;
};

export type DbcMessage = {
  readonly name: string;
  /** 11 or 29 bits, without the flag. */
  readonly id: number;
  readonly ext: boolean;
  /** Bytes as declared; frames may be shorter or longer. */
  readonly length: number;
  readonly sender: string;
  readonly signals: readonly DbcSignal[];
  readonly comment: string | null;
  readonly attributes: ReadonlyMap<string, DbcAttribute>;
  /** Matched by parameter group number when no id equals (SAE J1939-21). */
  readonly j1939: boolean;
  readonly canFd: boolean;
  /** Expected period; null if the file gives none. */
  readonly cycleTimeMs: number | null;
  readonly line: number;
};

export type Dbc = {
  readonly file: string;
  readonly version: string;
  readonly nodes: readonly string[];
  readonly messages: readonly DbcMessage[];
  readonly attributes: ReadonlyMap<string, DbcAttribute>;
  readonly comment: string | null;
  /** In the order of the file, at most PROBLEMS_MAX. */
  readonly problems: readonly DbcProblem[];
  /** Problems beyond PROBLEMS_MAX, counted only. */
  readonly problemsUnlisted: number;
};

export const DBC_BYTES_MAX: number = 16 * 1024 * 1024;
export const PROBLEMS_MAX = 1000;
/** Bits of a CAN FD frame. */
export const SIGNAL_BITS_MAX = 512;
/** J1939 transport protocol carries up to 1785 bytes in one message. */
export const MESSAGE_BYTES_MAX = 1785;

/** A file that is refused as a whole: too long, or not faultless under `strict`. */
export class DbcError extends Error {
  override readonly name = "DbcError";
  readonly problems: readonly DbcProblem[];

  constructor(message: string, problems: readonly DbcProblem[]) {
    super(message);
    this.problems = problems;
  }
}

/** `file:line:column: error: message`, the form editors jump to. */
export function formatProblem(problem: DbcProblem): string {
  const { file, line, column, severity, message } = problem;
  return `${file}:${line}:${column}: ${severity}: ${message}`;
}
