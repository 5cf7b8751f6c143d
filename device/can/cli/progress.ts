/** How far a long file is read, on standard error, when a person is looking: and only then. */
import type { Output } from "./io.ts";

const BAR_WIDTH = 24;
/** Ten times a second is as fast as anybody reads. */
const REDRAW_MS_MIN = 100;
/** Nothing is drawn for what takes less. */
const SHOW_AFTER_MS = 500;

export class Progress {
  private readonly output: Output | null;
  private readonly total: number | null;
  private readonly now: () => number;
  private readonly startedMs: number;
  private drawnMs: number;
  private drawn = false;

  /** `total` bytes, or null for a stream, whose speed is shown instead. */
  constructor(output: Output | null, total: number | null, now: () => number) {
    this.output = output;
    this.total = total;
    this.now = now;
    this.startedMs = now();
    this.drawnMs = this.startedMs + SHOW_AFTER_MS - REDRAW_MS_MIN;
  }

  update(bytes: number, frames: number): void {
    const nowMs = this.now();
    if (this.output === null || nowMs - this.drawnMs < REDRAW_MS_MIN) return;
    this.drawnMs = nowMs;
    this.drawn = true;
    const seconds = (nowMs - this.startedMs) / 1000;
    this.output.write(`\r\u001b[K${progressText(bytes, this.total, frames, seconds)}`);
  }

  /** Takes the line away again. */
  clear(): void {
    if (this.drawn) this.output?.write("\r\u001b[K");
  }
}

export function progressText(
  bytes: number,
  total: number | null,
  frames: number,
  seconds: number,
): string {
  const speed = `${short(frames / Math.max(seconds, 0.001))} frames/s`;
  if (total === null || total === 0) return `${short(frames)} frames, ${speed}`;
  const part = Math.min(1, bytes / total);
  const filled = Math.round(part * BAR_WIDTH);
  const left = part > 0 ? Math.ceil((seconds / part) * (1 - part)) : 0;
  const bar = `${"█".repeat(filled)}${"░".repeat(BAR_WIDTH - filled)}`;
  return `${bar} ${String(Math.floor(part * 100)).padStart(3)} %  ${speed}  ${left} s left`;
}

function short(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  return value >= 1e4 ? `${(value / 1e3).toFixed(0)} k` : value.toFixed(0);
}
