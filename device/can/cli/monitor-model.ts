/** What a monitor knows of a bus: the latest of each message, how often it comes, what changed. Pure. */
import type { CompiledDbc, CompiledMessage } from "../dbc/index.ts";
import type { CanFrame } from "../frame.ts";

/** Messages that are followed; further ones are counted only. */
export const ROWS_MAX = 4096;
/** How much of the latest interval goes into the rate: about the last ten count. */
const RATE_WEIGHT = 0.2;

export type MonitorRow = {
  readonly bus: string;
  readonly id: number;
  readonly ext: boolean;
  /** Null for an id that no DBC knows. */
  readonly message: CompiledMessage | null;
  count: number;
  data: Uint8Array;
  lastMs: number;
  /** Smoothed; null until the second frame. */
  intervalMs: number | null;
  /** Null: a selector's value stands for nothing. */
  signals: Record<string, number> | null;
  /** By signal: when its value last changed. */
  readonly changedMs: Map<string, number>;
};

export class MonitorModel {
  readonly rows: Map<string, MonitorRow> = new Map();
  frames = 0;
  errorFrames = 0;
  /** Frames of ids beyond ROWS_MAX. */
  unfollowed = 0;
  badLines = 0;
  /** Of a live bus: what it is doing, and frames known to be missing. */
  busState = "";
  lost = 0;
  private readonly dbc: CompiledDbc;

  constructor(dbc: CompiledDbc) {
    this.dbc = dbc;
  }

  /** `nowMs`: the frame's own time where it has one, so that a recorded log shows its own rates. */
  take(frame: CanFrame, nowMs: number): void {
    this.frames++;
    if (frame.kind === "error") this.errorFrames++;
    if (frame.kind !== "data") return;
    const row = this.rowOf(frame, nowMs);
    if (row === null) return;
    if (row.count > 0) {
      const interval = Math.max(0, nowMs - row.lastMs);
      row.intervalMs =
        row.intervalMs === null
          ? interval
          : row.intervalMs + RATE_WEIGHT * (interval - row.intervalMs);
    }
    row.count++;
    row.lastMs = nowMs;
    row.data = frame.data.slice();
    this.decode(row, nowMs);
  }

  private rowOf(frame: CanFrame, nowMs: number): MonitorRow | null {
    const key = `${frame.bus} ${frame.ext ? "x" : "s"}${frame.id}`;
    const known = this.rows.get(key);
    if (known !== undefined) return known;
    if (this.rows.size >= ROWS_MAX) {
      this.unfollowed++;
      return null;
    }
    const made: MonitorRow = {
      bus: frame.bus,
      id: frame.id,
      ext: frame.ext,
      message: this.dbc.find(frame.id, frame.ext) ?? null,
      count: 0,
      data: frame.data,
      lastMs: nowMs,
      intervalMs: null,
      signals: {},
      changedMs: new Map(),
    };
    this.rows.set(key, made);
    return made;
  }

  /** A multiplexed message keeps the values of its other branches: each is the latest there was. */
  private decode(row: MonitorRow, nowMs: number): void {
    if (row.message === null) return;
    const found = row.message.decode(row.data);
    if (found === null) {
      row.signals = null;
      return;
    }
    const before = row.signals ?? {};
    for (const name in found) {
      const known = Object.hasOwn(before, name);
      if (known && !Object.is(before[name], found[name])) row.changedMs.set(name, nowMs);
    }
    row.signals = row.message.plan.multiplexed ? { ...before, ...found } : found;
  }
}

/** By bus, then id: rows must not jump about under the reader's eyes. */
export function sortedRows(model: MonitorModel): MonitorRow[] {
  return [...model.rows.values()].sort(
    (a, b) =>
      (a.bus < b.bus ? -1 : a.bus > b.bus ? 1 : 0) || Number(a.ext) - Number(b.ext) || a.id - b.id,
  );
}
