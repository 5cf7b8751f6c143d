/** Second pass: applies what refers to messages and signals, settles multiplexing, reports what is odd. */
import type { Draft, MessageDraft, SignalDraft } from "./draft.ts";
import { lastBit } from "./layout.ts";
import type { Dbc, DbcAttribute, DbcMessage, DbcMux, DbcSignal } from "./model.ts";

export function linkDbc(draft: Draft): Dbc {
  applyReferences(draft);
  for (const message of draft.messages) useLongNames(message);
  const messages = draft.messages.map((message) => linkMessage(draft, message));
  draft.problems.sort((a, b) => a.line - b.line || a.column - b.column);
  return {
    file: draft.file,
    version: draft.version,
    nodes: draft.nodes,
    messages,
    attributes: draft.attributes,
    comment: draft.comment,
    problems: draft.problems,
    problemsUnlisted: draft.problemsUnlisted,
  };
}

function applyReferences(draft: Draft): void {
  const byId = new Map<number, { message: MessageDraft; signals: Map<string, SignalDraft[]> }[]>();
  for (const message of draft.messages) {
    const signals = new Map<string, SignalDraft[]>();
    for (const signal of message.signals) {
      const same = signals.get(signal.name);
      if (same === undefined) signals.set(signal.name, [signal]);
      else same.push(signal);
    }
    const list = byId.get(message.dbcId);
    if (list === undefined) byId.set(message.dbcId, [{ message, signals }]);
    else {
      list.push({ message, signals });
      draft.report("warning", message.at, `message id ${message.dbcId} is used more than once`);
    }
  }
  for (const reference of draft.references) {
    const targets = byId.get(reference.dbcId);
    if (targets === undefined) {
      if (draft.forgotten.has(reference.dbcId)) continue;
      draft.report("warning", reference.at, `there is no message ${reference.dbcId}`);
      continue;
    }
    let found = false;
    for (const { message, signals } of targets) {
      const of = reference.signal === null ? [null] : (signals.get(reference.signal) ?? []);
      for (const signal of of) {
        found = true;
        const problem = reference.apply(message, signal);
        if (problem !== null) draft.report("warning", reference.at, problem);
      }
    }
    if (!found) {
      const where = targets.map(({ message }) => message.name).join(", ");
      draft.report("warning", reference.at, `${where} has no signal ${reference.signal}`);
    }
  }
}

/** CANdb++ cuts names at 32 characters and keeps the whole ones in attributes. */
function useLongNames(message: MessageDraft): void {
  const long = message.attributes.get("SystemMessageLongSymbol");
  if (typeof long === "string" && long !== "") message.name = long;
  const renamed = new Map<string, string>();
  for (const signal of message.signals) {
    const name = signal.attributes.get("SystemSignalLongSymbol");
    if (typeof name !== "string" || name === "") continue;
    renamed.set(signal.name, name);
    signal.name = name;
  }
  if (renamed.size === 0) return;
  for (const { extended } of message.signals) {
    if (extended !== null) extended.parent = renamed.get(extended.parent) ?? extended.parent;
  }
}

function linkMessage(draft: Draft, message: MessageDraft): DbcMessage {
  // Of selectors with one name the first is the one that others hang on.
  const first = new Map(message.signals.toReversed().map((s) => [s.name, s]));
  for (const s of message.signals) if (first.get(s.name) !== s) s.selector = false;
  const muxes = settleMuxes(draft, message);
  const format = attributeWord(draft, message, "VFrameFormat");
  const signals = message.signals.map((s, i) => linkSignal(draft, s, muxes[i] ?? null));
  warnOfLayout(draft, message, signals);
  const cycle = message.attributes.get("GenMsgCycleTime");
  return {
    name: message.name,
    id: message.id,
    ext: message.ext,
    length: message.length,
    sender: message.sender,
    signals,
    comment: message.comment,
    attributes: message.attributes,
    j1939: message.ext && (format === "J1939PG" || (format === null && isJ1939(draft))),
    canFd: format?.endsWith("_FD") ?? message.length > 8,
    cycleTimeMs: typeof cycle === "number" && cycle > 0 ? cycle : null,
    line: draft.scanner.position(message.at).line,
  };
}

function isJ1939(draft: Draft): boolean {
  return draft.attributes.get("ProtocolType") === "J1939";
}

/** An ENUM attribute as its word: the message's own, else the default; null if neither is there. */
function attributeWord(draft: Draft, message: MessageDraft, name: string): string | null {
  const definition = draft.definitions.get(name);
  const value: DbcAttribute | null = message.attributes.get(name) ?? definition?.initial ?? null;
  return typeof value === "number" ? (definition?.words?.[value] ?? null) : value;
}

/**
 * Which selector each signal hangs on. SG_MUL_VAL_ decides where it is given (beside the signal's own
 * number, where the message has one selector only); else a signal with a number hangs on the message's
 * only plain multiplexor. What cannot be settled is always decoded; what hangs on a signal that is not
 * marked as a multiplexor is never decoded, as the reference implementations have it.
 */
function settleMuxes(draft: Draft, message: MessageDraft): (DbcMux | null)[] {
  const byName = new Map(message.signals.toReversed().map((s) => [s.name, s]));
  const selectors = message.signals.filter((s) => s.selector);
  const roots = selectors.filter((s) => s.muxId === null);
  const root = roots[0];
  const muxes = message.signals.map((s): DbcMux | null => {
    const own = s.muxId === null ? [] : [{ from: s.muxId, to: s.muxId }];
    if (s.extended !== null) {
      const { at, parent, ranges } = s.extended;
      const selector = byName.get(parent);
      if (selector?.selector === false) {
        draft.report("warning", at, `${parent} is not marked M: ${s.name} is never decoded`);
      }
      if (selector !== undefined) {
        return { parent, ranges: selectors.length === 1 ? [...own, ...ranges] : ranges };
      }
      draft.report("warning", at, `${message.name} has no signal ${parent}`);
    }
    if (s.muxId === null) return null;
    if (root !== undefined && roots.length === 1) return { parent: root.name, ranges: own };
    const why = root === undefined ? "has no multiplexor" : "has several multiplexors";
    draft.report("warning", s.at, `${message.name} ${why} for ${s.name}: always decoded`);
    return null;
  });
  return breakCycles(draft, message, muxes);
}

/** Follows each signal's selectors upwards; whoever comes back to himself is cut loose. */
function breakCycles(
  draft: Draft,
  message: MessageDraft,
  muxes: (DbcMux | null)[],
): (DbcMux | null)[] {
  const indexByName = new Map<string, number>();
  message.signals.forEach((s, i) => {
    if (!indexByName.has(s.name)) indexByName.set(s.name, i);
  });
  const settled = new Set<number>();
  for (let i = 0; i < muxes.length; i++) {
    const path = new Set<number>();
    let at: number | undefined = i;
    while (at !== undefined && !settled.has(at)) {
      if (path.has(at)) {
        const signal = message.signals[at];
        if (signal !== undefined) {
          draft.report("warning", signal.at, `${signal.name} selects itself: always decoded`);
        }
        muxes[at] = null;
        break;
      }
      path.add(at);
      const parent: string | undefined = muxes[at]?.parent;
      at = parent === undefined ? undefined : indexByName.get(parent);
    }
    for (const index of path) settled.add(index);
  }
  return muxes;
}

function linkSignal(draft: Draft, s: SignalDraft, mux: DbcMux | null): DbcSignal {
  return {
    name: s.name,
    start: s.start,
    length: s.length,
    bigEndian: s.bigEndian,
    signed: s.signed,
    float: s.float,
    scale: s.scale,
    offset: s.offset,
    min: s.min,
    max: s.max,
    unit: s.unit,
    receivers: s.receivers,
    comment: s.comment,
    choices: s.choices,
    attributes: s.attributes,
    selector: s.selector,
    mux,
    line: draft.scanner.position(s.at).line,
  };
}

/** Odd but decodable: signals beyond the frame, the same name twice. */
function warnOfLayout(draft: Draft, message: MessageDraft, signals: readonly DbcSignal[]): void {
  const names = new Set<string>();
  signals.forEach((signal, i) => {
    const at = message.signals[i]?.at ?? message.at;
    if (names.has(signal.name)) {
      draft.report("warning", at, `${message.name} has signal ${signal.name} more than once`);
    }
    names.add(signal.name);
    const bytes = (lastBit(signal) >> 3) + 1;
    if (bytes > message.length) {
      draft.report(
        "warning",
        at,
        `signal ${signal.name} ends in byte ${bytes} of a message of ${message.length}`,
      );
    }
  });
}
