/** Text of a DBC file to a model. Never throws for what is in the file, unless asked to be strict. */
import { Draft } from "./draft.ts";
import { linkDbc } from "./link.ts";
import type { Dbc } from "./model.ts";
import { DBC_BYTES_MAX, DbcError, formatProblem } from "./model.ts";
import { ParseFailure, Scanner } from "./scanner.ts";
import { startsStatement } from "./skip.ts";
import { STATEMENTS } from "./statements.ts";
import { decodeDbcText } from "./text.ts";

export type ParseDbcOptions = {
  /** Named in problems. */
  readonly file?: string;
  /** Refuse a file with any problem instead of leaving out what is wrong. */
  readonly strict?: boolean;
};

/** Text read again after errors may at most be this many times the file: a hostile one costs no more. */
const REREAD_FACTOR_MAX = 4;

/**
 * Reads a whole file. What is wrong costs its line and is listed in `problems`, with line and column.
 * Throws DbcError for a file beyond DBC_BYTES_MAX, and under `strict` for one with any problem.
 */
export function parseDbc(source: string | Uint8Array, options: ParseDbcOptions = {}): Dbc {
  const file = options.file ?? "<dbc>";
  if (source.length > DBC_BYTES_MAX) {
    throw new DbcError(`${file}: ${source.length} bytes, more than ${DBC_BYTES_MAX}`, []);
  }
  const text = typeof source === "string" ? source : decodeDbcText(source);
  const draft = new Draft(file, new Scanner(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text));
  readStatements(draft);
  const dbc = linkDbc(draft);
  const first = dbc.problems[0];
  if (options.strict === true && first !== undefined) {
    const more = dbc.problems.length - 1 + dbc.problemsUnlisted;
    throw new DbcError(
      `${formatProblem(first)}${more === 0 ? "" : ` (and ${more} more)`}`,
      dbc.problems,
    );
  }
  return dbc;
}

function readStatements(draft: Draft): void {
  const s = draft.scanner;
  let rereadLeft = s.text.length * REREAD_FACTOR_MAX;
  for (;;) {
    s.skipBlank();
    if (s.atEnd) return;
    const start = s.pos;
    try {
      readStatement(draft);
    } catch (error) {
      if (!(error instanceof ParseFailure)) throw error;
      draft.report("error", error.at, error.message);
      rereadLeft -= Math.max(0, s.pos - start);
      skipToStatement(s, rereadLeft > 0 ? start : s.pos);
    }
  }
}

function readStatement(draft: Draft): void {
  const s = draft.scanner;
  const word = s.peekKeyword();
  const statement = word === null ? undefined : STATEMENTS.get(word);
  if (word !== null && statement !== undefined) {
    s.pos += word.length;
    statement(s, draft);
  } else s.fail("a statement");
}

/** To the next line after `from` that begins with a keyword: text in between was part of what is broken. */
function skipToStatement(s: Scanner, from: number): void {
  s.pos = s.nextLine(from);
  while (!s.atEnd) {
    s.skipBlankInLine();
    if (startsStatement(s)) return;
    s.pos = s.nextLine(s.pos);
  }
}
