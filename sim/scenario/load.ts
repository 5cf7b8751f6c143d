/** Reads and lints scenario files: YAML, the schema, and what a file must mean. Every problem has its line. */
import { ACTIONS, EVENT_KINDS } from "@kerbside/protocol";
import { Compile } from "typebox/compile";
import { type Document, isNode, LineCounter, parseDocument } from "yaml";
import { parseAction } from "../car/actions.ts";
import { DURATION_PATTERN, durationMs } from "./duration.ts";
import { DEED_NAMES, deedOf, type Expectation, type Scenario, ScenarioSchema } from "./schema.ts";

export type Problem = { readonly line: number; readonly message: string };
export type Loaded =
  | { readonly ok: true; readonly scenario: Scenario; readonly lines: readonly number[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** A longer file is no scenario. */
const CHARS_MAX: number = 256 * 1024;
/** So many problems are told; the rest would mostly follow from them. */
const PROBLEMS_MAX = 20;
const validator = Compile(ScenarioSchema);

type Where = (path: readonly (string | number)[]) => number;

/** `lines` are those on which the steps begin, from 1. Never throws. */
export function loadScenario(text: string): Loaded {
  const fail = (...problems: Problem[]): Loaded => ({ ok: false, problems });
  if (text.length > CHARS_MAX) return fail({ line: 1, message: "too long for a scenario" });
  const lineCounter = new LineCounter();
  const document = parseDocument(text, {
    lineCounter,
    uniqueKeys: true,
    maxAliasCount: 0,
  } as never);
  const where = whereIn(document, lineCounter);
  const [bad] = document.errors;
  if (bad !== undefined) {
    const { line } = lineCounter.linePos(bad.pos[0]);
    return fail({ line, message: bad.message.split("\n")[0] ?? "no YAML" });
  }
  const value: unknown = document.toJS({ maxAliasCount: 0 });
  if (!validator.Check(value)) return fail(...schemaProblems(value, where));
  const problems = lint(value, where);
  if (problems.length > 0) return fail(...problems);
  return { ok: true, scenario: value, lines: value.steps.map((_, i) => where(["steps", i])) };
}

function whereIn(document: Document.Parsed, counter: LineCounter): Where {
  return (path) => {
    for (let depth = path.length; depth > 0; depth -= 1) {
      const node = document.getIn(path.slice(0, depth), true);
      if (isNode(node) && node.range) return counter.linePos(node.range[0]).line;
    }
    return 1;
  };
}

/** One for each place: of the alternatives to a time, the time. */
function schemaProblems(value: unknown, where: Where): Problem[] {
  const found = new Map<string, Problem>();
  for (const error of validator.Errors(value)) {
    // Alternatives and unknown names say so themselves.
    if (error.keyword === "anyOf" || error.keyword === "boolean") continue;
    const path = error.instancePath
      .split("/")
      .slice(1)
      .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
    const place = path.join(".") || "the file";
    const isTime = error.keyword === "pattern" && String(error.params.pattern) === DURATION_PATTERN;
    if (!isTime && found.has(place)) continue;
    const more =
      error.keyword === "additionalProperties" ? ` (${JSON.stringify(error.params)})` : "";
    const words = isTime ? "expected a time such as 90s or 1h30m, or seconds" : error.message;
    found.set(place, { line: where(path), message: `${place}: ${words}${more}` });
  }
  return [...found.values()].sort((a, b) => a.line - b.line).slice(0, PROBLEMS_MAX);
}

type Names = { readonly [K in "booking" | "grant" | "command" | "drive"]: Set<string> };

/** What must hold beyond the form: names are known when they are used, times rise, something is expected. */
function lint(scenario: Scenario, where: Where): Problem[] {
  const problems: Problem[] = [];
  const names: Names = {
    booking: new Set(),
    grant: new Set(),
    command: new Set(),
    drive: new Set(),
  };
  let lastAtMs = 0;
  let expectations = 0;
  for (const [index, step] of scenario.steps.entries()) {
    const say = (message: string): void => {
      problems.push({ line: where(["steps", index]), message: `step ${index + 1}: ${message}` });
    };
    const found = deedOf(step);
    if (found === undefined) {
      say(`expected exactly one of ${DEED_NAMES.join(", ")}`);
      continue;
    }
    if (step.at !== undefined) {
      const atMs = durationMs(step.at);
      if (atMs < lastAtMs) say("`at` lies before that of a step above");
      lastAtMs = Math.max(lastAtMs, atMs);
    }
    if (found.deed === "expect" || found.deed === "command" || found.deed === "tap")
      expectations += 1;
    lintDeed(found, names, say);
  }
  for (const name of names.drive)
    if (!scenario.steps.some((step) => step.await === name))
      problems.push({ line: 1, message: `nobody awaits drive ${name}: it may never have driven` });
  if (expectations === 0)
    problems.push({ line: 1, message: "nothing is expected: it would hold whatever happens" });
  return problems;
}

function lintDeed(
  found: NonNullable<ReturnType<typeof deedOf>>,
  names: Names,
  say: (message: string) => void,
): void {
  const define = (kind: keyof Names, name: string | undefined): void => {
    if (name === undefined) return;
    if (names[kind].has(name)) say(`there is a ${kind} ${name} already`);
    names[kind].add(name);
  };
  const known = (kind: keyof Names, name: string | undefined): void => {
    if (name !== undefined && !names[kind].has(name)) say(`there is no ${kind} ${name} before it`);
  };
  switch (found.deed) {
    case "book":
      define("booking", found.given.as);
      break;
    case "extend":
      known("booking", found.given.booking);
      break;
    case "end":
    case "cancel":
      known("booking", found.given);
      break;
    case "grant":
      known("booking", found.given.booking);
      if ((found.given.card === undefined) === (found.given.phone === undefined))
        say("grant: expected one of card and phone");
      define("grant", found.given.as);
      break;
    case "revoke":
      known("grant", found.given);
      break;
    case "command":
      known("booking", found.given.booking);
      known("command", found.given.target);
      if (!(ACTIONS as readonly string[]).includes(found.given.do))
        say(`command: no action ${found.given.do}; there are ${ACTIONS.join(", ")}`);
      define("command", found.given.as);
      break;
    case "tap":
      if ((found.given.card === undefined) === (found.given.phone === undefined))
        say("tap: expected one of card and phone");
      known("grant", found.given.phone?.carries);
      break;
    case "act": {
      const { refused: _, ...action } = found.given;
      const parsed = parseAction(action);
      if (!parsed.ok) say(`act: ${parsed.problem}`);
      break;
    }
    case "drive":
      define("drive", found.given.as);
      break;
    case "await":
      known("drive", found.given);
      break;
    case "expect":
      lintExpectation(found.given, known, say);
      break;
    default: // Their form says it all.
  }
}

const SUBJECTS = [
  "event",
  "never",
  "car",
  "vehicle",
  "command",
  "booking",
  "grant",
  "alarm",
  "quarantined",
  "delivered",
  "intact",
] as const satisfies readonly (keyof Expectation)[];

function lintExpectation(
  given: Expectation,
  known: (kind: keyof Names, name: string | undefined) => void,
  say: (message: string) => void,
): void {
  const subjects = SUBJECTS.filter((subject) => given[subject] !== undefined);
  if (subjects.length !== 1) say(`expect: expected exactly one of ${SUBJECTS.join(", ")}`);
  for (const kind of [given.event, given.never])
    if (kind !== undefined && !Object.hasOwn(EVENT_KINDS, kind))
      say(`expect: no kind of event ${kind}`);
  if (given.data !== undefined && given.event === undefined && given.never === undefined)
    say("expect: `data` is of an event");
  if (given.times !== undefined && given.event === undefined)
    say("expect: `times` is of an event that is there");
  const isOfApi = [given.command, given.booking, given.grant].some((name) => name !== undefined);
  if (isOfApi !== (given.has !== undefined))
    say("expect: `has` is what is asked of a command, booking or grant, and of nothing else");
  for (const subject of ["has", "car", "vehicle"] as const) {
    const asked = given[subject];
    if (asked !== undefined && Object.keys(asked).length === 0)
      say(`expect: nothing is asked of ${subject}`);
  }
  known("command", given.command);
  known("booking", given.booking);
  known("grant", given.grant);
}
