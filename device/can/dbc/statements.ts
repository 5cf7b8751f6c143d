/** The statements of a DBC file, one function each, and the table that says which is which. */
import { attribute, attributeDefault, attributeDefinition, comment } from "./annotations.ts";
import type { Draft, MessageDraft, SignalDraft } from "./draft.ts";
import type { MuxRange } from "./model.ts";
import { MESSAGE_BYTES_MAX, SIGNAL_BITS_MAX } from "./model.ts";
import { isIdentifier, ParseFailure, type Scanner } from "./scanner.ts";
import { type ReadKeyword, SKIPPED, skipToSemicolon, startsStatement } from "./skip.ts";

type Statement = (s: Scanner, draft: Draft) => void;

const EXTENDED_FLAG = 0x80000000;
const STANDARD_ID_MAX = 0x7ff;
const EXTENDED_ID_MAX = 0x1fffffff;
/** The id under which CANdb++ keeps signals that belong to no message. */
const INDEPENDENT_ID = 0xc0000000;
const INDEPENDENT_NAME = "VECTOR__INDEPENDENT_SIG_MSG";
const START_BIT_MAX: number = MESSAGE_BYTES_MAX * 8 - 1;
const MUX_RANGES_MAX = 4096;

const BYTE_ORDER = /[01]/y;
const SIGN = /[+-]/y;
const SINGLE_WORD = /^[ \t]*[A-Z_]+[ \t]*$/;
const NAMES_ONLY = /^[ \t]*[A-Za-z_][A-Za-z0-9_ \t]*$/;
const FLOAT_LENGTHS: readonly number[] = [16, 32, 64];

function checkName(draft: Draft, at: number, kind: string, name: string): void {
  if (!isIdentifier(name)) {
    draft.report("warning", at, `${kind} name ${JSON.stringify(name)} is not an identifier`);
  }
}

function version(s: Scanner, draft: Draft): void {
  draft.version = s.string("the version in quotes", false);
}

/** NS_ lists keywords, one a line; those are no statements. */
function newSymbols(s: Scanner): void {
  s.expect(":");
  let at = s.nextLine(s.pos);
  while (at < s.text.length) {
    const line = s.text.slice(at, s.lineEnd(at));
    if (line.trim() !== "" && !SINGLE_WORD.test(line)) break;
    at = s.nextLine(at);
  }
  s.pos = at;
}

function nodes(s: Scanner, draft: Draft): void {
  s.expect(":");
  do {
    while (!s.atLineEnd) draft.nodes.push(s.name("a node name"));
    s.skipBlank();
  } while (NAMES_ONLY.test(s.text.slice(s.pos, s.lineEnd(s.pos))) && !startsStatement(s));
}

function restOfLine(s: Scanner): void {
  s.pos = s.lineEnd(s.pos);
}

function message(s: Scanner, draft: Draft): void {
  draft.current = null;
  s.skipBlank();
  const at = s.pos;
  const dbcId = s.unsigned("a message id");
  draft.forgotten.add(dbcId);
  const nameAt = s.pos + 1;
  const name = s.name("a message name");
  s.expect(":");
  const length = s.unsigned("the message's length in bytes");
  const sender = s.atLineEnd ? "" : s.name("a sender");
  if (length > MESSAGE_BYTES_MAX) {
    throw new ParseFailure(at, `a length of ${length} bytes is beyond ${MESSAGE_BYTES_MAX}`);
  }
  const { id, ext, warning } = frameId(dbcId, at);
  if (warning !== null) draft.report("warning", at, `message ${name}: ${warning}`);
  checkName(draft, nameAt, "message", name);
  const made: MessageDraft = {
    dbcId,
    id,
    ext,
    name,
    at,
    length,
    sender,
    signals: [],
    comment: null,
    attributes: new Map(),
  };
  draft.current = made;
  if (dbcId === INDEPENDENT_ID || name === INDEPENDENT_NAME) return;
  draft.forgotten.delete(dbcId);
  draft.messages.push(made);
}

function frameId(dbcId: number, at: number): { id: number; ext: boolean; warning: string | null } {
  if (dbcId === INDEPENDENT_ID) return { id: 0, ext: true, warning: null };
  if (dbcId >= EXTENDED_FLAG) {
    const id = dbcId - EXTENDED_FLAG;
    if (id <= EXTENDED_ID_MAX) return { id, ext: true, warning: null };
    throw new ParseFailure(at, `message id ${dbcId} has more than 29 bits beside its flag`);
  }
  if (dbcId <= STANDARD_ID_MAX) return { id: dbcId, ext: false, warning: null };
  if (dbcId > EXTENDED_ID_MAX) {
    throw new ParseFailure(at, `message id ${dbcId} has more than 29 bits and no flag`);
  }
  const warning = `id ${dbcId} has more than 11 bits and no flag: taken as a 29-bit id`;
  return { id: dbcId, ext: true, warning };
}

/** A bare `m` says neither value nor multiplexor: real files have it, and it then says nothing. */
const MUX_ROLE = /^(?:m(\d{0,15}))?(M)?$/;

function signal(s: Scanner, draft: Draft): void {
  s.skipBlank();
  const at = s.pos;
  const name = s.name("a signal name");
  let muxId: number | null = null;
  let selector = false;
  if (!s.peek(":")) {
    const roleAt = s.pos;
    const role = s.name('"M", "m" and a number, or ":"');
    const found = MUX_ROLE.exec(role);
    if (found === null) throw new ParseFailure(roleAt, `"${role}" is no multiplexing role`);
    if (found[1] === "") draft.report("warning", roleAt, `"${role}" has no number: disregarded`);
    muxId = found[1] === undefined || found[1] === "" ? null : Number(found[1]);
    selector = found[2] !== undefined;
  }
  s.expect(":");
  const layout = signalLayout(s);
  s.expect("(");
  const scale = s.number("a factor");
  s.expect(",");
  const offset = s.number("an offset");
  s.expect(")");
  s.expect("[");
  const min = s.number("a minimum");
  s.expect("|");
  const max = s.number("a maximum");
  s.expect("]");
  const unit = s.string("a unit in quotes", false);
  const receivers: string[] = [];
  while (!s.atLineEnd) if (!s.take(",")) receivers.push(s.name("a receiver"));
  if (draft.current === null) {
    throw new ParseFailure(at, `signal ${name} belongs to no message that was understood`);
  }
  checkName(draft, at, "signal", name);
  if (scale === 0) draft.report("warning", at, `signal ${name} has the factor 0`);
  draft.current.signals.push({
    name,
    at,
    ...layout,
    float: false,
    scale,
    offset,
    min,
    max,
    unit,
    receivers,
    comment: null,
    choices: new Map(),
    attributes: new Map(),
    selector,
    muxId,
    extended: null,
  });
}

type Layout = Pick<SignalDraft, "start" | "length" | "bigEndian" | "signed">;

function signalLayout(s: Scanner): Layout {
  s.skipBlank();
  const at = s.pos;
  const start = s.unsigned("a start bit");
  s.expect("|");
  const length = s.unsigned("a length in bits");
  s.expect("@");
  const bigEndian = s.one(BYTE_ORDER, "0 (Motorola) or 1 (Intel)") === "0";
  const signed = s.one(SIGN, '"+" or "-"') === "-";
  if (length < 1 || length > SIGNAL_BITS_MAX) {
    throw new ParseFailure(at, `a length of ${length} bits is not within 1 to ${SIGNAL_BITS_MAX}`);
  }
  if (start > START_BIT_MAX) throw new ParseFailure(at, `start bit ${start} is out of range`);
  return { start, length, bigEndian, signed };
}

/** `value "word"` pairs up to the semicolon; one that is missing before the next statement is forgiven. */
function choiceList(s: Scanner, draft: Draft): Map<number | bigint, string> {
  const choices = new Map<number | bigint, string>();
  while (!s.take(";")) {
    if (s.atEnd || startsStatement(s)) {
      draft.report("warning", s.pos, 'a ";" is missing before this');
      break;
    }
    const value = s.tableValue('a value or ";"');
    choices.set(value, s.string("a word in quotes", false));
  }
  return choices;
}

function valueTable(s: Scanner, draft: Draft): void {
  s.name("a table name");
  choiceList(s, draft);
}

function values(s: Scanner, draft: Draft): void {
  s.skipBlank();
  const at = s.pos;
  const first = s.name("a message id");
  const ofVariable = !/^\d+$/.test(first);
  const name = ofVariable ? first : s.name("a signal name");
  const choices = choiceList(s, draft);
  if (ofVariable) return;
  draft.references.push({
    at,
    dbcId: Number(first),
    signal: name,
    apply: (_, sig) => {
      if (sig !== null) sig.choices = choices;
      return null;
    },
  });
}

function valueType(s: Scanner, draft: Draft): void {
  s.skipBlank();
  const at = s.pos;
  const dbcId = s.unsigned("a message id");
  const name = s.name("a signal name");
  s.take(":");
  const type = s.unsigned("0 (integer), 1 (float) or 2 (double)");
  s.expect(";");
  draft.references.push({
    at,
    dbcId,
    signal: name,
    apply: (_, sig) => (sig === null ? null : setValueType(sig, type)),
  });
}

function setValueType(sig: SignalDraft, type: number): string | null {
  if (type === 0) return null;
  if (type > 2) return `value type ${type} is none of 0, 1 and 2`;
  if (!FLOAT_LENGTHS.includes(sig.length)) {
    return `signal ${sig.name} has ${sig.length} bits, no IEEE 754 width: it stays an integer`;
  }
  sig.float = true;
  return null;
}

function extendedMux(s: Scanner, draft: Draft): void {
  s.skipBlank();
  const at = s.pos;
  const dbcId = s.unsigned("a message id");
  const name = s.name("a signal name");
  const parent = s.name("the name of its multiplexor");
  const ranges: MuxRange[] = [];
  do {
    if (ranges.length >= MUX_RANGES_MAX) {
      throw new ParseFailure(at, `more than ${MUX_RANGES_MAX} ranges`);
    }
    const from = s.integer("the first value of a range");
    s.expect("-");
    const to = s.integer("the last value of a range");
    if (from > to) throw new ParseFailure(at, `the range ${from}-${to} is empty`);
    ranges.push({ from, to });
  } while (s.take(","));
  s.expect(";");
  draft.references.push({
    at,
    dbcId,
    signal: name,
    apply: (_, sig) => {
      if (sig !== null) sig.extended = { parent, ranges, at };
      return null;
    },
  });
}

const READERS: Readonly<Record<ReadKeyword, Statement>> = {
  VERSION: version,
  NS_: newSymbols,
  BS_: restOfLine,
  BU_: nodes,
  BO_: message,
  SG_: signal,
  CM_: comment,
  BA_DEF_: attributeDefinition,
  BA_DEF_DEF_: attributeDefault,
  BA_: attribute,
  VAL_: values,
  VAL_TABLE_: valueTable,
  SIG_VALTYPE_: valueType,
  SG_MUL_VAL_: extendedMux,
};

/** The function of every keyword that may begin a statement. */
export const STATEMENTS: ReadonlyMap<string, Statement> = new Map<string, Statement>([
  ...Object.entries(READERS),
  ...SKIPPED.map((keyword): [string, Statement] => [keyword, skipToSemicolon]),
]);
