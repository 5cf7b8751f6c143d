/** Tokens to a checked tree of closures, by precedence climbing. */
import {
  BINARY,
  type BinaryRow,
  type ExpressionType,
  FUNCTIONS,
  type FunctionRow,
  type Maybe,
} from "./operators.ts";
import { ExpressionError, type Token } from "./tokens.ts";

type Read = (name: string) => Maybe;
export type Node = { readonly type: ExpressionType; readonly evaluate: (read: Read) => Maybe };

/** Keeps evaluation off the end of the stack. */
const DEPTH_MAX = 32;
const LOWEST = 0;
const END: Token = { type: "end", value: "", at: 0 };

export class Parser {
  readonly names: Set<string> = new Set();
  readonly #tokens: readonly Token[];
  readonly #scope: (name: string) => ExpressionType | undefined;
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[], scope: (name: string) => ExpressionType | undefined) {
    this.#tokens = tokens;
    this.#scope = scope;
  }

  parse(expected: ExpressionType | undefined): Node {
    const from = this.#peek();
    const node = this.#choice();
    const next = this.#peek();
    if (next.type !== "end") throw new ExpressionError(next.at, `unexpected ${next.value}`);
    if (expected !== undefined) this.#expect(node, expected, from);
    return node;
  }

  /** condition ? a : b */
  #choice(): Node {
    this.#depth += 1;
    const from = this.#peek();
    if (this.#depth > DEPTH_MAX) throw new ExpressionError(from.at, `deeper than ${DEPTH_MAX}`);
    const condition = this.#binary(LOWEST);
    if (!this.#accept("?")) {
      this.#depth -= 1;
      return condition;
    }
    this.#expect(condition, "boolean", from);
    const yes = this.#choice();
    this.#require(":");
    const other = this.#peek();
    const no = this.#choice();
    this.#expect(no, yes.type, other);
    this.#depth -= 1;
    const evaluate = (read: Read): Maybe => {
      const chosen = condition.evaluate(read);
      return chosen === undefined ? undefined : (chosen === true ? yes : no).evaluate(read);
    };
    return { type: yes.type, evaluate };
  }

  #binary(binds: number): Node {
    const from = this.#peek();
    let left = this.#unary();
    for (;;) {
      const mark = this.#peek();
      const row = mark.type === "mark" ? own(BINARY, mark.value) : undefined;
      if (row === undefined || row.binds <= binds) return left;
      this.#at += 1;
      const rightFrom = this.#peek();
      const right = this.#binary(row.binds);
      left = this.#join(row, left, from, right, rightFrom);
    }
  }

  #join(row: BinaryRow, left: Node, from: Token, right: Node, rightFrom: Token): Node {
    const takes = row.takes === "same" ? left.type : row.takes;
    this.#expect(left, takes, from);
    this.#expect(right, takes, rightFrom);
    const { apply } = row;
    return {
      type: row.gives,
      evaluate: (read) => apply(left.evaluate(read), right.evaluate(read)),
    };
  }

  #unary(): Node {
    const from = this.#peek();
    const minus = this.#accept("-");
    if (!minus && !this.#accept("!")) return this.#primary();
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw new ExpressionError(from.at, `deeper than ${DEPTH_MAX}`);
    const inner = this.#unary();
    this.#depth -= 1;
    this.#expect(inner, minus ? "number" : "boolean", from);
    const evaluate = (read: Read): Maybe => {
      const value = inner.evaluate(read);
      if (typeof value === "number") return -value;
      return value === undefined ? undefined : !value;
    };
    return { type: inner.type, evaluate };
  }

  #primary(): Node {
    const token = this.#peek();
    this.#at += 1;
    switch (token.type) {
      case "number":
      case "string": {
        const { value } = token;
        return { type: typeof value === "number" ? "number" : "string", evaluate: () => value };
      }
      case "name":
        return this.#name(token.value, token.at);
      case "mark": {
        if (token.value !== "(") throw new ExpressionError(token.at, `unexpected ${token.value}`);
        const inner = this.#choice();
        this.#require(")");
        return inner;
      }
      case "end":
        throw new ExpressionError(token.at, "unexpected end");
    }
  }

  #name(name: string, at: number): Node {
    if (name === "true" || name === "false") {
      const value = name === "true";
      return { type: "boolean", evaluate: () => value };
    }
    if (this.#accept("(")) {
      const row = own(FUNCTIONS, name);
      if (row === undefined) throw new ExpressionError(at, `no function ${name}`);
      return this.#call(name, row, at);
    }
    const type = this.#scope(name);
    if (type === undefined) throw new ExpressionError(at, `no variable ${name}`);
    this.names.add(name);
    return { type, evaluate: (read) => read(name) };
  }

  #call(name: string, row: FunctionRow, at: number): Node {
    const args: Node[] = [];
    let same: ExpressionType | undefined;
    do {
      const from = this.#peek();
      const arg = this.#choice();
      const takes = row.takes[args.length] ?? (row.more === true ? row.takes.at(-1) : undefined);
      if (takes === undefined) throw new ExpressionError(from.at, `${name}: too many arguments`);
      if (takes === "same") {
        same ??= arg.type;
        this.#expect(arg, same, from);
      } else this.#expect(arg, takes, from);
      args.push(arg);
    } while (this.#accept(","));
    this.#require(")");
    if (args.length < row.takes.length) throw new ExpressionError(at, `${name}: too few arguments`);
    const { apply, gives } = row;
    const type = gives === "same" ? (same ?? "number") : gives;
    return { type, evaluate: (read) => apply(args.map((arg) => arg.evaluate(read))) };
  }

  #expect(node: Node, type: ExpressionType, from: Token): void {
    if (node.type !== type) {
      throw new ExpressionError(from.at, `expected a ${type}, this is a ${node.type}`);
    }
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? END;
  }

  #accept(mark: string): boolean {
    const token = this.#peek();
    if (token.type !== "mark" || token.value !== mark) return false;
    this.#at += 1;
    return true;
  }

  #require(mark: string): void {
    const { at } = this.#peek();
    if (!this.#accept(mark)) throw new ExpressionError(at, `expected ${mark}`);
  }
}

function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
