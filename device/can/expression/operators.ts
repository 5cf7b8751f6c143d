/**
 * Operators and functions of expressions, as tables. Undefined stands for "unknown" and is carried on, but for
 * `&&` and `||`, which need not know both sides, and for `known` and `otherwise`, which ask.
 */

export type ExpressionType = "number" | "boolean" | "string";
export type ExpressionValue = number | boolean | string;
export type Maybe = ExpressionValue | undefined;

export type BinaryRow = {
  /** Higher binds tighter. All associate to the left. */
  readonly binds: number;
  /** What both sides must be; "same": any type, the same one on both sides. */
  readonly takes: ExpressionType | "same";
  readonly gives: ExpressionType;
  readonly apply: (left: Maybe, right: Maybe) => Maybe;
};

/** A number that is none (0/0, overflow) is unknown: no event may carry it. */
function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}

const arithmetic = (binds: number, apply: (a: number, b: number) => number): BinaryRow => ({
  binds,
  takes: "number",
  gives: "number",
  apply: (a, b) =>
    typeof a === "number" && typeof b === "number" ? finite(apply(a, b)) : undefined,
});
const ordering = (apply: (a: number, b: number) => boolean): BinaryRow => ({
  binds: 4,
  takes: "number",
  gives: "boolean",
  apply: (a, b) => (typeof a === "number" && typeof b === "number" ? apply(a, b) : undefined),
});

export const BINARY: Readonly<Record<string, BinaryRow>> = {
  "||": {
    binds: 1,
    takes: "boolean",
    gives: "boolean",
    apply: (a, b) =>
      a === true || b === true ? true : a === false && b === false ? false : undefined,
  },
  "&&": {
    binds: 2,
    takes: "boolean",
    gives: "boolean",
    apply: (a, b) =>
      a === false || b === false ? false : a === true && b === true ? true : undefined,
  },
  "==": {
    binds: 3,
    takes: "same",
    gives: "boolean",
    apply: (a, b) => (a === undefined || b === undefined ? undefined : a === b),
  },
  "!=": {
    binds: 3,
    takes: "same",
    gives: "boolean",
    apply: (a, b) => (a === undefined || b === undefined ? undefined : a !== b),
  },
  "<": ordering((a, b) => a < b),
  "<=": ordering((a, b) => a <= b),
  ">": ordering((a, b) => a > b),
  ">=": ordering((a, b) => a >= b),
  "+": arithmetic(5, (a, b) => a + b),
  "-": arithmetic(5, (a, b) => a - b),
  "*": arithmetic(6, (a, b) => a * b),
  "/": arithmetic(6, (a, b) => a / b),
  "%": arithmetic(6, (a, b) => a % b),
};

export type FunctionRow = {
  readonly takes: readonly (ExpressionType | "same")[];
  /** Further arguments as the last one. */
  readonly more?: boolean;
  readonly gives: ExpressionType | "same";
  readonly apply: (args: readonly Maybe[]) => Maybe;
};

const ofNumbers = (
  count: number,
  apply: (...args: number[]) => number,
  more = false,
): FunctionRow => ({
  takes: Array.from({ length: count }, () => "number" as const),
  more,
  gives: "number",
  apply: (args) => {
    const numbers = args.filter((arg) => typeof arg === "number");
    return numbers.length === args.length ? finite(apply(...numbers)) : undefined;
  },
});

export const FUNCTIONS: Readonly<Record<string, FunctionRow>> = {
  abs: ofNumbers(1, Math.abs),
  floor: ofNumbers(1, Math.floor),
  ceil: ofNumbers(1, Math.ceil),
  round: ofNumbers(1, Math.round),
  sqrt: ofNumbers(1, Math.sqrt),
  min: ofNumbers(2, Math.min, true),
  max: ofNumbers(2, Math.max, true),
  known: { takes: ["same"], gives: "boolean", apply: ([value]) => value !== undefined },
  otherwise: { takes: ["same", "same"], gives: "same", apply: ([value, other]) => value ?? other },
};
