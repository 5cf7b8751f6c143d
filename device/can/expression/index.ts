/**
 * A small typed expression language, for the transforms of profiles and the conditions of schemes. An expression
 * is checked whole before it is accepted, ends in bounded time, reads variables and can do nothing else.
 *
 *     or    :=  a || b        a or b            known(x)          whether x is known
 *     and   :=  a && b        a and b           otherwise(x, y)   x, or y where x is unknown
 *     equal :=  a == b  a != b                  abs floor ceil round sqrt min max
 *     order :=  a < b  <=  >  >=                c ? a : b
 *     sum   :=  a + b  a - b                    -a   !a   not a
 *     prod  :=  a * b  a / b  a % b             1.5   "text"   true   false   Vehicle.Speed
 */

import type { ExpressionType, Maybe } from "./operators.ts";
import { Parser } from "./parser.ts";
import { tokensOf } from "./tokens.ts";

export type { ExpressionType, ExpressionValue } from "./operators.ts";
export { ExpressionError } from "./tokens.ts";

/** The type of a variable, or undefined if there is none of that name. */
export type Scope = (name: string) => ExpressionType | undefined;

export type Expression = {
  readonly source: string;
  readonly type: ExpressionType;
  /** The variables it reads. */
  readonly names: readonly string[];
  /** Undefined: unknown. `read` must give values of the types that the scope promised, or undefined. */
  readonly evaluate: (read: (name: string) => Maybe) => Maybe;
};

/** Throws ExpressionError. Given `expected`, an expression of another type is refused too. */
export function compileExpression(
  source: string,
  scope: Scope,
  expected?: ExpressionType,
): Expression {
  const parser = new Parser(tokensOf(source), scope);
  const { type, evaluate } = parser.parse(expected);
  return { source, type, names: [...parser.names], evaluate };
}
