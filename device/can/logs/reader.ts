/**
 * Reads logs as they come, of whichever format their first lines show. Bytes are pushed in; frames come
 * out by a callback, in one reused object where the format is fast (candump), so that a recorded drive is
 * read at the speed of the disk. `readLog` is the same as an async iterable of frames of their own.
 */
import type { CanFrame } from "../frame.ts";
import { candump } from "./candump.ts";
import { LineProblem, type LineReader, type LogFormat, textOf } from "./format.ts";
import { LINE_BYTES_MAX, LineSplitter } from "./line-splitter.ts";
import { toolFormats } from "./tool-formats.ts";

const FORMATS: readonly LogFormat[] = [candump, ...toolFormats];
/** Lines looked at for a format; what has shown none by then is no log. */
const SNIFF_LINES_MAX = 64;

/** A chunk with so many unusual lines in a row is split into lines without further attempts. */
const SKIM_MISSES_MAX = 8;
const LF = 10;

export type LogProblem = { readonly file: string; readonly line: number; readonly message: string };

export type LogReaderOptions = {
  /** Named in problems. */
  readonly file: string;
  /** The frame and its data are valid during the call only. */
  readonly onFrame: (frame: CanFrame) => void;
  /** A line that was not understood; the rest is read on. */
  readonly onProblem: (problem: LogProblem) => void;
};

/** The input shows no known format within its first lines; nothing was read from it. */
export class LogFormatError extends Error {
  override readonly name = "LogFormatError";
}

export class LogReader {
  private readonly options: LogReaderOptions;
  private readonly splitter: LineSplitter;
  private waiting: { readonly line: number; readonly bytes: Uint8Array }[] = [];
  private format: LogFormat | null = null;
  private reader: LineReader | null = null;

  constructor(options: LogReaderOptions) {
    this.options = options;
    this.splitter = new LineSplitter((bytes, from, to) => this.onLine(bytes, from, to));
  }

  /** Null until a line has shown it. */
  get formatName(): string | null {
    return this.format?.name ?? null;
  }

  /** Throws LogFormatError once it is clear that this is no log. */
  push(chunk: Uint8Array): void {
    let from = 0;
    let missed = 0;
    while (from < chunk.length && missed < SKIM_MISSES_MAX) {
      const skimmed = this.skim(chunk, from);
      missed = skimmed > from ? 0 : missed + 1;
      const end = chunk.indexOf(LF, skimmed) + 1;
      from = end === 0 ? chunk.length : end;
      this.splitter.push(chunk.subarray(skimmed, from));
    }
    if (from < chunk.length) this.splitter.push(chunk.subarray(from));
  }

  /** Reads usual lines without looking for their ends first; returns where the first other one begins. */
  private skim(chunk: Uint8Array, from: number): number {
    if (this.reader?.readMany === undefined || !this.splitter.atLineStart) return from;
    const skimmed = this.reader.readMany(chunk, from, this.options.onFrame);
    this.splitter.line += skimmed.lines;
    return skimmed.from;
  }

  /** Throws LogFormatError if there was something, and it was no log. */
  end(): void {
    this.splitter.end();
    if (this.reader === null && this.waiting.length > 0) this.giveUp();
  }

  private onLine(bytes: Uint8Array, from: number, to: number): void {
    if (this.reader === null) this.sniff(bytes, from, to);
    else this.read(this.reader, this.splitter.line, bytes, from, to);
  }

  private read(
    reader: LineReader,
    line: number,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): void {
    const result = reader.read(bytes, from, to);
    if (result === null) return;
    if (!(result instanceof LineProblem)) this.options.onFrame(result);
    else {
      const cut = to - from >= LINE_BYTES_MAX ? "a line without end" : result.message;
      this.options.onProblem({ file: this.options.file, line, message: cut });
    }
  }

  /** Keeps lines until one tells the format, then reads them all. */
  private sniff(bytes: Uint8Array, from: number, to: number): void {
    const text = textOf(bytes, from, to);
    if (text.trim() === "") return;
    this.waiting.push({ line: this.splitter.line, bytes: bytes.slice(from, to) });
    const format = FORMATS.find((f) => f.recognises(text));
    if (format === undefined) {
      if (this.waiting.length >= SNIFF_LINES_MAX) this.giveUp();
      return;
    }
    const reader = format.open();
    this.format = format;
    this.reader = reader;
    for (const kept of this.waiting) {
      this.read(reader, kept.line, kept.bytes, 0, kept.bytes.length);
    }
    this.waiting = [];
  }

  private giveUp(): never {
    const names = FORMATS.map((f) => f.name).join(", ");
    throw new LogFormatError(`${this.options.file}: none of the known log formats (${names})`);
  }
}

export type ReadLogOptions = {
  readonly file?: string;
  readonly onProblem?: (problem: LogProblem) => void;
};

/** Frames of their own, in the log's order. Throws LogFormatError; reads no further ahead than a chunk. */
export async function* readLog(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: ReadLogOptions = {},
): AsyncGenerator<CanFrame, void, undefined> {
  let frames: CanFrame[] = [];
  const reader = new LogReader({
    file: options.file ?? "<log>",
    onFrame: (frame) => frames.push({ ...frame, data: frame.data.slice() }),
    onProblem: options.onProblem ?? (() => {}),
  });
  for await (const chunk of source) {
    reader.push(chunk);
    yield* frames;
    frames = [];
  }
  reader.end();
  yield* frames;
}
