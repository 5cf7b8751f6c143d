/** Text of an expression to tokens. */

/** What is wrong with an expression, and where: `column` counts from 1. */
export class ExpressionError extends Error {
  override readonly name = "ExpressionError";
  readonly column: number;

  constructor(column: number, message: string) {
    super(`column ${column}: ${message}`);
    this.column = column;
  }
}

export type Token =
  | { readonly type: "number"; readonly value: number; readonly at: number }
  | { readonly type: "string"; readonly value: string; readonly at: number }
  | { readonly type: "name"; readonly value: string; readonly at: number }
  | { readonly type: "mark"; readonly value: string; readonly at: number }
  | { readonly type: "end"; readonly value: ""; readonly at: number };

export const SOURCE_CHARS_MAX = 1000;

const BLANK = /[ \t\r\n]*/y;
const NUMBER = /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** A variable, dotted as VSS names are. */
const NAME = /[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*/y;
/** No escapes: no value of a signal needs one. */
const STRING = /"[^"\n\\]*"|'[^'\n\\]*'/y;
const MARK = /==|!=|<=|>=|&&|\|\||[-+*/%<>!()?:,]/y;

/** Words that mean the same as a mark. */
const WORD_MARKS: ReadonlyMap<string, string> = new Map([
  ["and", "&&"],
  ["or", "||"],
  ["not", "!"],
]);

/** Throws ExpressionError. */
export function tokensOf(source: string): Token[] {
  if (source.length > SOURCE_CHARS_MAX) {
    throw new ExpressionError(SOURCE_CHARS_MAX, `more than ${SOURCE_CHARS_MAX} characters`);
  }
  const tokens: Token[] = [];
  let pos = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = pos;
    const found = pattern.exec(source)?.[0];
    pos += found?.length ?? 0;
    return found;
  };
  for (;;) {
    take(BLANK);
    const at = pos + 1;
    if (pos === source.length) {
      tokens.push({ type: "end", value: "", at });
      return tokens;
    }
    const token = tokenAt(take, at);
    if (token === undefined) throw new ExpressionError(at, `unexpected ${source.charAt(pos)}`);
    tokens.push(token);
  }
}

function tokenAt(take: (pattern: RegExp) => string | undefined, at: number): Token | undefined {
  const number = take(NUMBER);
  if (number !== undefined) return { type: "number", value: Number(number), at };
  const name = take(NAME);
  if (name !== undefined) {
    const mark = WORD_MARKS.get(name);
    return mark === undefined
      ? { type: "name", value: name, at }
      : { type: "mark", value: mark, at };
  }
  const string = take(STRING);
  if (string !== undefined) return { type: "string", value: string.slice(1, -1), at };
  const mark = take(MARK);
  return mark === undefined ? undefined : { type: "mark", value: mark, at };
}
