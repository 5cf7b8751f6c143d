/** The monitor's table as text: for a terminal with colours, for a file without. Pure. */
import { type MonitorModel, type MonitorRow, sortedRows } from "./monitor-model.ts";

export type View = {
  readonly nowMs: number;
  readonly columns: number;
  /** Lines there is room for; what does not fit is counted in the last one. */
  readonly rows: number;
  readonly colours: boolean;
};

/** How long a value stays highlighted after it changed. */
const CHANGED_MS = 1000;
/** A message this many intervals late is shown as gone quiet. */
const LATE_INTERVALS = 5;

const BOLD = "\u001b[1m";
const HIGHLIGHT = "\u001b[30;43m";
const DIM = "\u001b[2m";
const RESET = "\u001b[0m";

/** A run of text with its style, so that widths count characters and not escape sequences. */
type Span = { readonly text: string; readonly style: string };

const plain = (text: string): Span => ({ text, style: "" });

export function renderMonitor(model: MonitorModel, view: View): string {
  const lines: Span[][] = [[{ text: heading(model), style: BOLD }]];
  for (const row of sortedRows(model)) lines.push(...rowLines(row, view));
  const room = Math.max(2, view.rows);
  if (lines.length > room) {
    const left = lines.length - room + 1;
    lines.length = room - 1;
    lines.push([{ text: `… ${left} more lines: make the window larger`, style: DIM }]);
  }
  return lines.map((line) => paint(line, view)).join("\n");
}

function heading(model: MonitorModel): string {
  const parts = [`${model.frames} frames`, `${model.rows.size} ids`];
  if (model.busState !== "") parts.unshift(model.busState);
  if (model.lost > 0) parts.push(`${model.lost} frames lost`);
  if (model.errorFrames > 0) parts.push(`${model.errorFrames} error frames`);
  if (model.unfollowed > 0) parts.push(`${model.unfollowed} of ids not followed`);
  if (model.badLines > 0) parts.push(`${model.badLines} lines not understood`);
  return parts.join("  ");
}

export function idText(row: MonitorRow): string {
  return row.id
    .toString(16)
    .toUpperCase()
    .padStart(row.ext ? 8 : 3, "0");
}

function rowLines(row: MonitorRow, view: View): Span[][] {
  const ageMs = view.nowMs - row.lastMs;
  const late = row.intervalMs !== null && ageMs > LATE_INTERVALS * row.intervalMs + CHANGED_MS;
  const style = late ? DIM : "";
  const name = row.message?.message.name ?? "(unknown)";
  const rate =
    row.intervalMs === null || row.intervalMs === 0 ? "" : rateText(1000 / row.intervalMs);
  const data = Buffer.from(row.data).toString("hex").toUpperCase();
  const head = [
    row.bus.padEnd(6),
    idText(row).padStart(8),
    name.padEnd(28),
    rate.padStart(10),
    ageText(ageMs).padStart(8),
    String(row.count).padStart(8),
    row.message === null ? ` ${data}` : "",
  ].join(" ");
  const lines: Span[][] = [[{ text: head, style }]];
  if (row.message === null) return lines;
  if (row.signals === null)
    return [...lines, [plain(`  a multiplexor value nobody knows: ${data}`)]];
  return [...lines, ...signalLines(row, view)];
}

function rateText(perSecond: number): string {
  return `${perSecond >= 100 ? perSecond.toFixed(0) : perSecond.toFixed(1)}/s`;
}

function ageText(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  return ms < 120_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}

/** As many signals a line as fit. */
function signalLines(row: MonitorRow, view: View): Span[][] {
  const lines: Span[][] = [];
  let line: Span[] = [plain("   ")];
  let width = 3;
  for (const signal of row.message?.message.signals ?? []) {
    const value = row.signals?.[signal.name];
    if (value === undefined || !Object.hasOwn(row.signals ?? {}, signal.name)) continue;
    const word = choiceText(row, signal.name, value);
    const text = ` ${signal.name}=${word ?? numberText(value)}${word === null ? signal.unit : ""}`;
    if (width + text.length > view.columns && line.length > 1) {
      lines.push(line);
      line = [plain("   ")];
      width = 3;
    }
    const changed = view.nowMs - (row.changedMs.get(signal.name) ?? Number.NEGATIVE_INFINITY);
    line.push({ text, style: changed < CHANGED_MS ? HIGHLIGHT : "" });
    width += text.length;
  }
  if (line.length > 1) lines.push(line);
  return lines;
}

function choiceText(row: MonitorRow, name: string, value: number): string | null {
  const signal = row.message?.message.signals.find((s) => s.name === name);
  if (signal === undefined || signal.choices.size === 0) return null;
  return signal.choices.get((value - signal.offset) / signal.scale) ?? null;
}

function numberText(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(7)));
}

// Names and units come from files and must not steer the terminal.
const CONTROL = /[\p{Cc}\p{Cf}]/gu;

function paint(line: readonly Span[], view: View): string {
  let left = view.columns;
  let text = "";
  for (const span of line) {
    const cut = span.text.replace(CONTROL, "?").slice(0, Math.max(0, left));
    left -= cut.length;
    text += view.colours && span.style !== "" ? `${span.style}${cut}${RESET}` : cut;
  }
  return text;
}
