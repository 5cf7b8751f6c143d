/** What the readers of the several log formats have in common. */
import type { CanFrame } from "../frame.ts";
import { CLASSIC_BYTES_MAX, EXTENDED_ID_MAX, FD_BYTES_MAX, STANDARD_ID_MAX } from "../frame.ts";

/** A line gives a frame, or none (a header, a comment), or is wrong. The frame is read before the next line. */
export type LineResult = CanFrame | null | LineProblem;

export class LineProblem {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

/** Where reading goes on, and how many lines were read until there. */
export type Skimmed = { readonly from: number; readonly lines: number };

export type LineReader = {
  /** Never throws. */
  read(bytes: Uint8Array, from: number, to: number): LineResult;
  /** Reads whole lines of the most usual form, straight from a chunk, as far as there are such. */
  readMany?(bytes: Uint8Array, from: number, onFrame: (frame: CanFrame) => void): Skimmed;
};

export type LogFormat = {
  readonly name: string;
  /** True if the line can only be of this format: a header of it, or a frame as it writes them. */
  recognises(line: string): boolean;
  /** A reader with state of its own; lines are given to it from the first one on. */
  open(): LineReader;
};

export function textOf(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString("latin1");
}

/** For formats that are read by a regular expression a line: `read` gets the line trimmed, never empty. */
export function textReader(read: (line: string) => LineResult): LineReader {
  return {
    read: (bytes, from, to) => {
      const line = textOf(bytes, from, to).trim();
      return line === "" ? null : read(line);
    },
  };
}

const BYTE = /^[0-9a-fA-F]{1,2}$/;

/** Bytes from their words; a problem if one is no byte, there are too many, or not as many as announced. */
export function bytesOf(
  words: readonly string[],
  announced: number | null,
  radix: 10 | 16 = 16,
): Uint8Array | LineProblem {
  if (words.length > FD_BYTES_MAX) return new LineProblem(`${words.length} data bytes`);
  if (announced !== null && words.length !== announced) {
    return new LineProblem(`${words.length} data bytes where ${announced} are announced`);
  }
  const data = new Uint8Array(words.length);
  for (const [i, word] of words.entries()) {
    const value = Number.parseInt(word, radix);
    const wellFormed = radix === 16 ? BYTE.test(word) : /^\d{1,3}$/.test(word) && value <= 255;
    if (!wellFormed) return new LineProblem(`${JSON.stringify(word)} is no data byte`);
    data[i] = value;
  }
  return data;
}

export type DataFrameParts = {
  readonly timeUs: number | null;
  readonly bus: string;
  /** Not negative; NaN for what is no number. */
  readonly id: number;
  /** Null: by size, for formats that do not say. */
  readonly ext: boolean | null;
  readonly data: Uint8Array | LineProblem;
  readonly remote?: boolean;
};

/** A frame of checked parts, or what is wrong with them. */
export function frameOf(parts: DataFrameParts): LineResult {
  const { timeUs, bus, id, data } = parts;
  if (data instanceof LineProblem) return data;
  if (Number.isNaN(id)) return new LineProblem("the id is no number");
  const ext = parts.ext ?? id > STANDARD_ID_MAX;
  if (id > (ext ? EXTENDED_ID_MAX : STANDARD_ID_MAX)) {
    return new LineProblem(`id ${id.toString(16)} has more than ${ext ? 29 : 11} bits`);
  }
  const remote = parts.remote === true;
  return {
    timeUs,
    bus,
    id,
    ext,
    kind: remote ? "remote" : "data",
    fd: data.length > CLASSIC_BYTES_MAX,
    data: remote ? new Uint8Array(0) : data,
  };
}

/** Seconds with up to six decimals, as text, to whole microseconds: exact, unlike a product of doubles. */
export function microseconds(seconds: string, fraction: string): number {
  return Number(seconds) * 1_000_000 + Number(fraction.slice(0, 6).padEnd(6, "0"));
}
