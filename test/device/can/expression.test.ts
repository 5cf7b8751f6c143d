import {
  compileExpression,
  ExpressionError,
  type ExpressionType,
  type ExpressionValue,
} from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { seeded } from "../../support/seeded.ts";

const TYPES: Readonly<Record<string, ExpressionType>> = {
  x: "number",
  "Vehicle.Speed": "number",
  on: "boolean",
  state: "string",
};
const scope = (name: string): ExpressionType | undefined =>
  Object.hasOwn(TYPES, name) ? TYPES[name] : undefined;
const valuesOf =
  (values: Readonly<Record<string, ExpressionValue>>) =>
  (name: string): ExpressionValue | undefined =>
    values[name];

test("expressions give what arithmetic and logic give, and carry what is unknown", () => {
  const known = valuesOf({ x: 7, "Vehicle.Speed": 50.5, on: true, state: "OFF" });
  const rows: readonly [why: string, source: string, expected: ExpressionValue | undefined][] = [
    ["multiplication binds tighter", "1 + 2 * 3", 7],
    ["brackets", "(1 + 2) * 3", 9],
    ["left to right", "10 - 4 - 3", 3],
    ["remainder and division", "x % 4 + x / 2", 6.5],
    ["minus before a variable", "-x + 1", -6],
    ["dotted names", "Vehicle.Speed > 50 and on", true],
    ["words and marks are the same", "not on || !(x < 3)", true],
    ["equal binds looser than order", "x > 3 == on", true],
    ["text", "state == 'OFF' ? 1 : 2", 1],
    ["functions", "max(1, min(x, 5), 2) + abs(-2) + floor(1.9) + ceil(0.1) + round(0.5)", 10],
    ["division by zero is unknown", "1 / 0", undefined],
    ["root of a negative number is unknown", "sqrt(-1)", undefined],
    ["exponents", "1.5e2", 150],
  ];
  for (const [why, source, expected] of rows) {
    assert.is(compileExpression(source, scope).evaluate(known), expected, why);
  }
  const nothing = valuesOf({});
  const unknowns: readonly [source: string, expected: ExpressionValue | undefined][] = [
    ["x > 3", undefined],
    ["x > 3 and false", false],
    ["x > 3 or true", true],
    ["x > 3 or false", undefined],
    ["known(x)", false],
    ["otherwise(x, 4) > 3", true],
    ["on ? 1 : 2", undefined],
    ["not on", undefined],
  ];
  for (const [source, expected] of unknowns) {
    assert.is(compileExpression(source, scope).evaluate(nothing), expected, source);
  }
});

test("what is wrong in an expression is told with its column, before it is accepted", () => {
  const rows: readonly [why: string, source: string, column: number][] = [
    ["ends too soon", "x > ", 5],
    ["no such variable", "1 + y", 5],
    ["a name of every object is no variable", "toString", 1],
    ["a name of every object is no function", "constructor(1)", 1],
    ["types differ", "x == 'a'", 6],
    ["text is not added", "'a' + 'b'", 1],
    ["condition is no number", "x ? 1 : 2", 1],
    ["branches differ", "on ? 1 : 'a'", 10],
    ["too few arguments", "min(1)", 1],
    ["too many arguments", "abs(1, 2)", 8],
    ["something follows", "1 2", 3],
    ["no assignment", "x = 3", 3],
    ["brackets stay open", "(1", 3],
  ];
  for (const [why, source, column] of rows) {
    try {
      compileExpression(source, scope);
      assert.unreachable(why);
    } catch (error) {
      assert.instance(error, ExpressionError, why);
      assert.is(error instanceof ExpressionError ? error.column : 0, column, `${why}: ${error}`);
    }
  }
  assert.throws(() => compileExpression("x", scope, "boolean"), /expected a boolean/);
  assert.throws(() => compileExpression("(".repeat(500), scope), /deeper than/);
  assert.throws(() => compileExpression("!".repeat(500), scope), /deeper than/);
  assert.throws(() => compileExpression("1+".repeat(600), scope), /characters/);
});

test("any text is an expression or an ExpressionError", () => {
  const seed = Date.now() % 1e6;
  const random = seeded(seed);
  const parts = [
    "x",
    "on",
    "state",
    "1",
    "'a'",
    "(",
    ")",
    "+",
    "-",
    "and",
    "?",
    ":",
    ",",
    "min(",
    "!",
    "\0",
    "é",
  ];
  for (let i = 0; i < 5000; i++) {
    const count = Math.floor(random() * 12);
    const source = Array.from(
      { length: count },
      () => parts[Math.floor(random() * parts.length)],
    ).join(" ");
    try {
      compileExpression(source, scope).evaluate(valuesOf({ x: 1, on: false, state: "b" }));
    } catch (error) {
      assert.instance(error, ExpressionError, `seed ${seed}: ${source}: ${error}`);
    }
  }
});

test.run();
