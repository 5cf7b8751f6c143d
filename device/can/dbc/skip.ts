/** Where statements begin and end: what recovery from errors and skipping need to know. */
import type { Scanner } from "./scanner.ts";

/** Statements that are read; `statements.ts` has a function for each. */
const READ = [
  "VERSION",
  "NS_",
  "BS_",
  "BU_",
  "BO_",
  "SG_",
  "CM_",
  "BA_DEF_",
  "BA_DEF_DEF_",
  "BA_",
  "VAL_",
  "VAL_TABLE_",
  "SIG_VALTYPE_",
  "SG_MUL_VAL_",
] as const;
export type ReadKeyword = (typeof READ)[number];

/** Statements that carry nothing the codec needs. */
export const SKIPPED: readonly string[] = [
  "SIGTYPE_VALTYPE_",
  "BO_TX_BU_",
  "EV_",
  "ENVVAR_DATA_",
  "EV_DATA_",
  "SGTYPE_",
  "SGTYPE_VAL_",
  "BA_DEF_SGTYPE_",
  "BA_SGTYPE_",
  "SIG_TYPE_REF_",
  "SIG_GROUP_",
  "BA_DEF_REL_",
  "BA_REL_",
  "BA_DEF_DEF_REL_",
  "BU_SG_REL_",
  "BU_EV_REL_",
  "BU_BO_REL_",
  "CAT_DEF_",
  "CAT_",
  "FILTER",
  "NS_DESC_",
];

const KEYWORDS: ReadonlySet<string> = new Set([...READ, ...SKIPPED]);
const NO_QUOTE_OR_END = /[^";\r\n]*/y;

/** True at a keyword that may begin a statement; after an error, reading goes on at the next of these. */
export function startsStatement(s: Scanner): boolean {
  const word = s.peekKeyword();
  return word !== null && KEYWORDS.has(word);
}

/** Statements that carry nothing we use: read to their semicolon, quotes respected. */
export function skipToSemicolon(s: Scanner): void {
  for (;;) {
    s.one(NO_QUOTE_OR_END, '";"');
    if (s.take(";")) return;
    if (s.peek('"')) s.string("a string", true);
    else if (s.atEnd || startsStatement(s)) s.fail('";"');
  }
}
