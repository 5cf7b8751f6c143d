/** CM_ and BA_: what a file says about its messages and signals beside their layout. */
import type { Draft } from "./draft.ts";
import type { DbcAttribute } from "./model.ts";
import { ParseFailure, type Scanner } from "./scanner.ts";
import { skipToSemicolon } from "./skip.ts";

/** How far the end of a comment with unescaped quotes in it is searched. */
const COMMENT_CHARS_MAX = 16384;
const COMMENT_END = /"[ \t]*;/g;

/** What follows a keyword that names its object: a node, a message, a signal, an environment variable, or nothing. */
type Target =
  | { kind: "database" }
  | { kind: "other" }
  | { kind: "message"; dbcId: number }
  | { kind: "signal"; dbcId: number; signal: string };

function target(s: Scanner): Target {
  s.skipBlank();
  switch (s.peekKeyword()) {
    case "BO_":
      s.name("BO_");
      return { kind: "message", dbcId: s.unsigned("a message id") };
    case "SG_":
      s.name("SG_");
      return {
        kind: "signal",
        dbcId: s.unsigned("a message id"),
        signal: s.name("a signal name"),
      };
    case "BU_":
    case "EV_":
      s.name("BU_ or EV_");
      s.name("a name");
      return { kind: "other" };
    default:
      return { kind: "database" };
  }
}

export function comment(s: Scanner, draft: Draft): void {
  const at = s.pos;
  const to = target(s);
  s.skipBlank();
  const from = s.pos + 1;
  let text = s.string("a comment in quotes", true);
  if (!s.peek(";")) {
    text = commentWithQuotes(s, from);
    draft.report("warning", from - 1, "unescaped quotes in a comment");
  }
  s.expect(";");
  if (to.kind === "database") draft.comment = text;
  if (to.kind !== "message" && to.kind !== "signal") return;
  draft.references.push({
    at,
    dbcId: to.dbcId,
    signal: to.kind === "signal" ? to.signal : null,
    apply: (m, sig) => {
      (sig ?? m).comment = text;
      return null;
    },
  });
}

/** A comment whose author did not escape the quotes within: it ends at a quote before a semicolon. */
function commentWithQuotes(s: Scanner, from: number): string {
  COMMENT_END.lastIndex = 0;
  const found = COMMENT_END.exec(s.text.slice(from, from + COMMENT_CHARS_MAX));
  if (found === null) s.fail('";" after the comment');
  s.pos = from + found.index + 1;
  return s.text.slice(from, from + found.index);
}

function attributeValue(s: Scanner): DbcAttribute {
  if (s.peek('"')) return s.string("a value", true);
  const at = s.pos;
  const word = s.name("an attribute value");
  const value = Number(word);
  if (Number.isNaN(value)) throw new ParseFailure(at, `"${word}" is neither a number nor a string`);
  return value;
}

export function attribute(s: Scanner, draft: Draft): void {
  const at = s.pos;
  const name = s.string("an attribute name in quotes", false);
  const to = target(s);
  const value = attributeValue(s);
  s.expect(";");
  if (to.kind === "database") draft.attributes.set(name, value);
  if (to.kind !== "message" && to.kind !== "signal") return;
  draft.references.push({
    at,
    dbcId: to.dbcId,
    signal: to.kind === "signal" ? to.signal : null,
    apply: (m, sig) => {
      (sig ?? m).attributes.set(name, value);
      return null;
    },
  });
}

export function attributeDefinition(s: Scanner, draft: Draft): void {
  s.skipBlank();
  if (!s.peek('"')) s.name("BU_, BO_, SG_ or EV_");
  const name = s.string("an attribute name in quotes", false);
  if (s.name("a type") !== "ENUM") {
    skipToSemicolon(s);
    return;
  }
  const words: string[] = [];
  do {
    words.push(s.string("a word in quotes", false));
  } while (s.take(","));
  s.expect(";");
  draft.definition(name).words = words;
}

export function attributeDefault(s: Scanner, draft: Draft): void {
  const name = s.string("an attribute name in quotes", false);
  const value = attributeValue(s);
  s.expect(";");
  draft.definition(name).initial = value;
}
