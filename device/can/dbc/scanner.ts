/**
 * A cursor over DBC text. The grammar is context-dependent (names may start with a digit, numbers may
 * touch names), so there are no tokens: the parser asks for what it expects, here, and a ParseFailure
 * says what was found instead.
 */

export type Position = { readonly line: number; readonly column: number };

/** Carries its place instead of a stack: a broken file makes thousands of them. */
export class ParseFailure extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = limit;
    this.at = at;
  }
}

const BLANK = /[ \t\r\n\f\v\0]*/y;
const BLANK_IN_LINE = /[ \t\f\v\0]*/y;
const NAME = /[^\s:;,"|@()[\]\0]+/y;
const NUMBER = /[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const UNSIGNED = /\d+/y;
const INTEGER = /[+-]?\d+/y;
const KEYWORD = /[A-Z][A-Z_]*/y;
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
const FOUND_CHARS_MAX = 24;

export class Scanner {
  readonly text: string;
  pos = 0;
  private readonly lineStarts: number[] = [0];

  constructor(text: string) {
    this.text = text;
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i);
      if (c === 10 || (c === 13 && text.charCodeAt(i + 1) !== 10)) this.lineStarts.push(i + 1);
    }
  }

  get atEnd(): boolean {
    return this.pos >= this.text.length;
  }

  position(at: number): Position {
    let low = 0;
    let high = this.lineStarts.length - 1;
    while (low < high) {
      const mid = (low + high + 1) >> 1;
      if ((this.lineStarts[mid] ?? 0) <= at) low = mid;
      else high = mid - 1;
    }
    return { line: low + 1, column: at - (this.lineStarts[low] ?? 0) + 1 };
  }

  /** Start of the line after the one that holds `at`. */
  nextLine(at: number): number {
    return this.lineStarts[this.position(at).line] ?? this.text.length;
  }

  /** Blanks, line ends and comments to the end of the line. */
  skipBlank(): void {
    this.match(BLANK);
    while (this.text.startsWith("//", this.pos)) {
      this.pos = this.lineEnd(this.pos);
      this.match(BLANK);
    }
  }

  skipBlankInLine(): void {
    this.match(BLANK_IN_LINE);
  }

  /** True at the end of the text, of the line, or at a comment that ends the line. */
  get atLineEnd(): boolean {
    this.skipBlankInLine();
    const c = this.text.charAt(this.pos);
    return c === "" || c === "\n" || c === "\r" || this.text.startsWith("//", this.pos);
  }

  /** The keyword here, without moving; null if there is none. */
  peekKeyword(): string | null {
    const from = this.pos;
    const word = this.match(KEYWORD);
    this.pos = from;
    return word;
  }

  peek(char: string): boolean {
    this.skipBlank();
    return this.text.startsWith(char, this.pos);
  }

  take(char: string): boolean {
    if (!this.peek(char)) return false;
    this.pos += char.length;
    return true;
  }

  expect(char: string): void {
    if (!this.take(char)) this.fail(`"${char}"`);
  }

  /** Any run without blanks and punctuation: real files have names that start with a digit or hold a dot. */
  name(what: string): string {
    this.skipBlank();
    return this.match(NAME) ?? this.fail(what);
  }

  /** One of `pattern`'s words, which must be a sticky expression. */
  one(pattern: RegExp, what: string): string {
    this.skipBlank();
    return this.match(pattern) ?? this.fail(what);
  }

  number(what: string): number {
    this.skipBlank();
    const from = this.pos;
    const word = this.match(NUMBER) ?? this.fail(what);
    const value = Number(word);
    if (!Number.isFinite(value)) throw new ParseFailure(from, `${what} ${word} is out of range`);
    return value;
  }

  unsigned(what: string): number {
    this.skipBlank();
    const from = this.pos;
    const word = this.match(UNSIGNED) ?? this.fail(what);
    const value = Number(word);
    if (!Number.isSafeInteger(value)) {
      throw new ParseFailure(from, `${what} ${word.slice(0, FOUND_CHARS_MAX)} is out of range`);
    }
    return value;
  }

  integer(what: string): number {
    this.skipBlank();
    return Number(this.match(INTEGER) ?? this.fail(what));
  }

  /** The raw value a word of a value table stands for: exact, whatever its size. */
  tableValue(what: string): number | bigint {
    this.skipBlank();
    const word = this.match(NUMBER) ?? this.fail(what);
    const value = Number(word);
    if (Number.isSafeInteger(value) || !/^[+-]?\d{1,20}$/.test(word)) return value;
    return BigInt(word);
  }

  /**
   * A quoted string; `\"` stands for a quote. Without `lines` it must end on its line, so that a
   * forgotten quote costs one line and not the rest of the file.
   */
  string(what: string, lines: boolean): string {
    this.skipBlank();
    if (this.text.charAt(this.pos) !== '"') this.fail(what);
    const from = this.pos + 1;
    let end = this.closingQuote(from, lines, true);
    if (end < 0) end = this.closingQuote(from, lines, false);
    if (end < 0) throw new ParseFailure(this.pos, `${what} has no closing quote`);
    this.pos = end + 1;
    return this.text.slice(from, end).replaceAll('\\"', '"');
  }

  fail(expected: string): never {
    this.skipBlankInLine();
    const end = Math.min(this.lineEnd(this.pos), this.pos + FOUND_CHARS_MAX);
    const found = this.text.slice(this.pos, end).trimEnd();
    throw new ParseFailure(
      this.pos,
      `expected ${expected}, found ${found === "" ? "the end of the line" : JSON.stringify(found)}`,
    );
  }

  lineEnd(from: number): number {
    let i = from;
    while (i < this.text.length) {
      const c = this.text.charCodeAt(i);
      if (c === 10 || c === 13) break;
      i++;
    }
    return i;
  }

  /** -1 if there is none (on the line, unless `lines`). Looks no further than the quote it finds. */
  private closingQuote(from: number, lines: boolean, escapes: boolean): number {
    let i = this.text.indexOf('"', from);
    while (escapes && i > from && this.text.charAt(i - 1) === "\\") {
      i = this.text.indexOf('"', i + 1);
    }
    if (i < 0 || lines) return i;
    for (let k = from; k < i; k++) {
      const c = this.text.charCodeAt(k);
      if (c === 10 || c === 13) return -1;
    }
    return i;
  }

  private match(pattern: RegExp): string | null {
    pattern.lastIndex = this.pos;
    const found = pattern.exec(this.text);
    if (found === null) return null;
    this.pos = pattern.lastIndex;
    return found[0];
  }
}

/** What the format allows as a name; anything else is kept and reported. */
export function isIdentifier(name: string): boolean {
  return IDENTIFIER.test(name);
}
