/**
 * The changes that mutation testing makes: each row says what it does to one kind of node of the syntax tree. Texts that
 * are there for the reader of an error or of the documentation are left alone; everything else that runs is fair game.
 */
import type { AnyNode, BinaryExpression, LogicalExpression } from "acorn";

/** A change of the text between two offsets. */
export type Change = {
  readonly kind: string;
  readonly from: number;
  readonly to: number;
  readonly text: string;
  /** Whoever comes here comes to the change; V8 counts an operator to what it leads to, which may be skipped. */
  readonly point: number;
};
/** Where a node stands: those above it, the nearest last. */
export type Place = { readonly source: string; readonly above: readonly AnyNode[] };
type Operator = (node: AnyNode, place: Place) => readonly Change[];

const replace = (kind: string, node: AnyNode, text: string): Change => ({
  kind,
  from: node.start,
  to: node.end,
  text,
  point: node.start,
});

const BOUNDARY: Readonly<Record<string, string>> = { "<": "<=", "<=": "<", ">": ">=", ">=": ">" };
const NEGATED: Readonly<Record<string, string>> = {
  "===": "!==",
  "!==": "===",
  "<": ">=",
  "<=": ">",
  ">": "<=",
  ">=": "<",
};
const ARITHMETIC: Readonly<Record<string, string>> = {
  "+": "-",
  "-": "+",
  "*": "/",
  "/": "*",
  "%": "*",
  "**": "*",
  "&": "|",
  "|": "&",
  "^": "&",
  "<<": ">>",
  ">>": "<<",
  ">>>": "<<",
};
const LOGICAL: Readonly<Record<string, string>> = { "&&": "||", "||": "&&", "??": "&&" };
const ASSIGNED: Readonly<Record<string, string>> = {
  "+=": "-=",
  "-=": "+=",
  "*=": "/=",
  "/=": "*=",
  "|=": "&=",
  "&=": "|=",
  "^=": "&=",
  "<<=": ">>=",
  ">>=": "<<=",
  ">>>=": "<<=",
  "??=": "&&=",
  "||=": "&&=",
  "&&=": "||=",
};
const METHODS: Readonly<Record<string, string>> = {
  some: "every",
  every: "some",
  min: "max",
  max: "min",
  floor: "ceil",
  ceil: "floor",
  startsWith: "endsWith",
  endsWith: "startsWith",
};
/** Properties that describe a field or a key: printed into documents, read by no code that is tried here. */
const DOCUMENTATION = new Set([
  ...["class", "tag", "doc", "unit"],
  ...["holder", "certifiedBy", "revocation"],
]);
const isDocumentation = (node: AnyNode): boolean =>
  node.type === "Property" && node.key.type === "Identifier" && DOCUMENTATION.has(node.key.name);

/** The operator between two operands, as a change to another. */
function between(
  kind: string,
  node: BinaryExpression | LogicalExpression,
  source: string,
  other: string | undefined,
): readonly Change[] {
  if (other === undefined) return [];
  const at = source.slice(node.left.end, node.right.start).indexOf(node.operator);
  const from = node.left.end + at;
  const change = { kind, from, to: from + node.operator.length, text: other, point: node.start };
  return at < 0 ? [] : [change];
}

const isText = (node: AnyNode): boolean =>
  node.type === "TemplateLiteral" || (node.type === "Literal" && typeof node.value === "string");

function binary(node: AnyNode, { source }: Place): readonly Change[] {
  if (node.type !== "BinaryExpression") return [];
  const { operator } = node;
  const negated = NEGATED[operator];
  if (negated !== undefined) {
    return [
      ...between("boundary", node, source, BOUNDARY[operator]),
      ...between("negation", node, source, negated),
      replace("condition", node, "true"),
      replace("condition", node, "false"),
    ];
  }
  if (operator === "instanceof" || operator === "in") {
    return [replace("condition", node, "true"), replace("condition", node, "false")];
  }
  // Texts are joined, not added.
  if (isText(node.left) || isText(node.right)) return [];
  return between("arithmetic", node, source, ARITHMETIC[operator]);
}

/** Whether it is changed as a whole by an operator of its own. */
const isCondition = (node: AnyNode): boolean =>
  node.type === "LogicalExpression" ||
  (node.type === "UnaryExpression" && node.operator === "!") ||
  (node.type === "BinaryExpression" &&
    (node.operator in NEGATED || node.operator === "instanceof" || node.operator === "in"));

/** Another operator, and each operand left out that no other row leaves out. */
function logical(node: AnyNode, { source }: Place): readonly Change[] {
  if (node.type !== "LogicalExpression") return [];
  const changes = [...between("logical", node, source, LOGICAL[node.operator])];
  if (node.operator === "??") return changes;
  const neutral = node.operator === "&&" ? "true" : "false";
  const operands = [node.left, node.right].filter((operand) => !isCondition(operand));
  return [...changes, ...operands.map((operand) => replace("operand", operand, neutral))];
}

/** The condition of a branch, where it is not a comparison. */
function branch(test: AnyNode | null | undefined): readonly Change[] {
  if (test === null || test === undefined) return [];
  if (isCondition(test) && test.type === "BinaryExpression") return [];
  return [replace("condition", test, "true"), replace("condition", test, "false")];
}

function unary(node: AnyNode): readonly Change[] {
  if (node.type !== "UnaryExpression") return [];
  const { operator, start, argument } = node;
  if (operator !== "!" && operator !== "-" && operator !== "~") return [];
  const kind = operator === "!" ? "negation" : "arithmetic";
  return [{ kind, from: start, to: argument.start, text: " ", point: start }];
}

/** Words in an error that is thrown are for whoever reads the log; so are the names of schemas. */
function isForReaders(node: AnyNode, { above }: Place): boolean {
  const parent = above.at(-1);
  if (parent === undefined) return false;
  if (isDocumentation(parent)) return true;
  if (parent.type === "CallExpression" && parent.callee.type === "Identifier")
    return parent.callee.name === "struct" && parent.arguments[0] === node;
  const inError = above.some(
    (one) =>
      one.type === "NewExpression" &&
      one.callee.type === "Identifier" &&
      one.callee.name.endsWith("Error"),
  );
  const text = node.type === "Literal" ? node.raw : "";
  const words = node.type === "TemplateLiteral" ? node.quasis : [];
  return inError && (text?.includes(" ") || words.some(({ value }) => value.raw.includes(" ")));
}

function isName(node: AnyNode, place: Place): boolean {
  const parent = place.above.at(-1);
  if (parent === undefined) return true;
  if (parent.type === "Property" || parent.type === "PropertyDefinition")
    return parent.key === node && !parent.computed;
  return /^(Import|Export)/.test(parent.type);
}

function literal(node: AnyNode, place: Place): readonly Change[] {
  if (node.type !== "Literal" || isName(node, place)) return [];
  const { value } = node;
  if (typeof value === "boolean") return [replace("boolean", node, String(!value))];
  if (typeof value === "number") return [replace("number", node, String(value + 1))];
  if (typeof value === "bigint") return [replace("number", node, `${value + 1n}n`)];
  if (value instanceof RegExp) return anchors(node, value);
  if (typeof value !== "string") return [];
  if (isForReaders(node, place)) return [];
  return [replace("text", node, value === "" ? '"mutant"' : '""')];
}

function anchors(node: AnyNode, { source, flags }: RegExp): readonly Change[] {
  const without = [source.replace(/^\^/, ""), source.replace(/(?<!\\)\$$/, "")];
  return without
    .filter((pattern) => pattern !== source && pattern !== "")
    .map((pattern) => replace("pattern", node, `/${pattern}/${flags}`));
}

function template(node: AnyNode, place: Place): readonly Change[] {
  if (node.type !== "TemplateLiteral" || isForReaders(node, place)) return [];
  return [replace("text", node, "``")];
}

/** Emptied, and each row of it left out. */
function array(node: AnyNode): readonly Change[] {
  if (node.type !== "ArrayExpression") return [];
  if (node.elements.length === 0) return [replace("array", node, '["mutant"]')];
  const rows = node.elements.flatMap((element, i, all): readonly Change[] => {
    if (element === null || all.length === 1) return [];
    const next = all[i + 1];
    const before = all[i - 1];
    const from = next ? element.start : (before?.end ?? element.start);
    const to = next ? next.start : element.end;
    return [{ kind: "row", from, to, text: "", point: node.start }];
  });
  return [replace("array", node, "[]"), ...rows];
}

function object(node: AnyNode): readonly Change[] {
  if (node.type !== "ObjectExpression" || node.properties.length === 0) return [];
  const isDescription =
    node.properties.some(isDocumentation) &&
    node.properties.every((one) => one.type === "SpreadElement" || isDocumentation(one));
  return isDescription ? [] : [replace("object", node, "{}")];
}

const isPlain = (node: AnyNode): boolean =>
  (node.type === "Literal" && typeof node.value !== "bigint") ||
  (node.type === "ObjectExpression" && node.properties.length > 0) ||
  (node.type === "ArrayExpression" && node.elements.length > 0) ||
  (node.type === "Identifier" && node.name === "undefined");

/** What is given back, unless a row of its own changes it. */
function result(node: AnyNode): readonly Change[] {
  const value =
    node.type === "ReturnStatement"
      ? node.argument
      : node.type === "ArrowFunctionExpression" && node.body.type !== "BlockStatement"
        ? node.body
        : undefined;
  if (value === null || value === undefined || isPlain(value)) return [];
  return [replace("return", value, "undefined")];
}

/** A body of one statement is changed with that statement. */
function block(node: AnyNode, { above }: Place): readonly Change[] {
  if (node.type !== "BlockStatement" || node.body.length < 2) return [];
  const parent = above.at(-1);
  if (parent === undefined || parent.type === "IfStatement") return [];
  return [replace("block", node, "{}")];
}

function statement(node: AnyNode): readonly Change[] {
  if (node.type !== "ExpressionStatement") return [];
  const { expression } = node;
  const isSuper = expression.type === "CallExpression" && expression.callee.type === "Super";
  return isSuper ? [] : [replace("statement", node, ";")];
}

function chain(node: AnyNode, { source }: Place): readonly Change[] {
  const optional =
    (node.type === "MemberExpression" || node.type === "CallExpression") && node.optional;
  if (!optional) return [];
  const end = node.type === "MemberExpression" ? node.object.end : node.callee.end;
  const at = source.indexOf("?.", end);
  const after = source.charAt(at + 2);
  const text = after === "(" || after === "[" ? "" : ".";
  return [{ kind: "optional", from: at, to: at + 2, text, point: node.start }];
}

function method(node: AnyNode): readonly Change[] {
  if (node.type !== "CallExpression" || node.callee.type !== "MemberExpression") return [];
  const { property } = node.callee;
  const name = property.type === "Identifier" ? property.name : "";
  const other = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  return other === undefined ? [] : [replace("method", property, other)];
}

function assignment(node: AnyNode, { source }: Place): readonly Change[] {
  if (node.type === "UpdateExpression") {
    const from = node.prefix ? node.start : node.argument.end;
    const text = node.operator === "++" ? "--" : "++";
    return [{ kind: "assignment", from, to: from + 2, text, point: node.start }];
  }
  if (node.type !== "AssignmentExpression") return [];
  const other = ASSIGNED[node.operator];
  if (other === undefined) return [];
  const from = source.indexOf(node.operator, node.left.end);
  const to = from + node.operator.length;
  return [{ kind: "assignment", from, to, text: other, point: node.start }];
}

/** What is done in one case of a switch, left out; it then falls through to the next. */
function switchCase(node: AnyNode): readonly Change[] {
  const [first, last] =
    node.type === "SwitchCase" ? [node.consequent[0], node.consequent.at(-1)] : [];
  if (first === undefined || last === undefined) return [];
  return [{ kind: "case", from: first.start, to: last.end, text: "", point: first.start }];
}

const tests: Operator = (node) =>
  node.type === "IfStatement" ||
  node.type === "ConditionalExpression" ||
  node.type === "WhileStatement" ||
  node.type === "ForStatement"
    ? branch(node.test)
    : [];

export const OPERATORS: readonly Operator[] = [
  array,
  assignment,
  binary,
  block,
  chain,
  literal,
  logical,
  method,
  object,
  result,
  statement,
  switchCase,
  template,
  tests,
  unary,
];
