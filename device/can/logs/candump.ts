/**
 * Text of can-utils' candump, every form of it: `-l` and `-L` log lines, console lines with and without
 * time, CAN FD, remote and error frames, `-x` flags, `-a` text, `-i` bits, `-S` swapped bytes, colours.
 * @see can-utils lib.c, sprint_canframe and sprint_long_canframe
 */
import type { CanFrame } from "../frame.ts";
import { CLASSIC_BYTES_MAX, EXTENDED_ID_MAX, FD_BYTES_MAX, STANDARD_ID_MAX } from "../frame.ts";
import { readConsoleLine, recognisesConsoleLine } from "./candump-console.ts";
import {
  LineProblem,
  type LineReader,
  type LineResult,
  type LogFormat,
  type Skimmed,
  textOf,
} from "./format.ts";

const LF = 10;
const SPACE = 32;
const HASH = 35;
const OPEN = 40;
const CLOSE = 41;
const DOT = 46;
const ZERO = 48;
const UPPER_R = 82;
const UNDERSCORE = 95;
/** CAN_ERR_FLAG of linux/can.h; log lines carry it in the id. */
const ERROR_FLAG = 0x20000000;
/** Of whole seconds since the epoch; more would not be exact in microseconds. */
const SECONDS_DIGITS_MAX = 11;
/** "(0.000000) c 1#": shorter lines are of another form. */
const PLAIN_BYTES_MIN = 15;
/** Eight digits make an identifier extended, three or fewer standard. */
const STANDARD_DIGITS_MAX = 3;
const EXTENDED_DIGITS_MAX = 8;

/** Value of a hexadecimal digit, or 255. */
const HEX: Uint8Array = new Uint8Array(256).fill(255);
for (let i = 0; i < 16; i++) {
  HEX[i.toString(16).charCodeAt(0)] = i;
  HEX[i.toString(16).toUpperCase().charCodeAt(0)] = i;
}

const LOG_LINE = /^\(\d+\.\d+\)\s+\S+\s+[0-9a-fA-F]{1,8}#/;

export const candump: LogFormat = {
  name: "candump",
  recognises: (line) => LOG_LINE.test(line.trim()) || recognisesConsoleLine(line),
  open: () => new CandumpReader(),
};

/**
 * Log lines are scanned as bytes, without a string or an object a line: the frame given is always the
 * same one. Whatever is not a log line is tried as a console line.
 */
class CandumpReader implements LineReader {
  private readonly buffer = new Uint8Array(FD_BYTES_MAX);
  private readonly views = Array.from({ length: FD_BYTES_MAX + 1 }, (_, n) =>
    this.buffer.subarray(0, n),
  );
  private readonly frame: CanFrame = {
    timeUs: 0,
    bus: "",
    id: 0,
    ext: false,
    kind: "data",
    fd: false,
    data: this.buffer,
  };
  private busBytes: Uint8Array = new Uint8Array(0);
  private pos = 0;

  read(bytes: Uint8Array, from: number, to: number): LineResult {
    if (this.readPlain(bytes, from, to) === to) return this.frame;
    if (bytes[from] === OPEN && this.readHead(bytes, from, to)) {
      const problem = this.readFrame(bytes, to);
      return problem === null ? this.frame : new LineProblem(problem);
    }
    return readConsoleLine(textOf(bytes, from, to));
  }

  readMany(bytes: Uint8Array, start: number, onFrame: (frame: CanFrame) => void): Skimmed {
    let from = start;
    let lines = 0;
    for (;;) {
      const end = this.readPlain(bytes, from, bytes.length);
      if (end < 0 || bytes[end] !== LF) break;
      onFrame(this.frame);
      lines++;
      from = end + 1;
    }
    return { from, lines };
  }

  /**
   * The form that nearly every line of a log has: six decimals, the bus of the line before, a classic
   * data frame. Returns where its data ends, or -1 for any other form; looks no further than `to`.
   */
  private readPlain(bytes: Uint8Array, from: number, to: number): number {
    if (to - from < PLAIN_BYTES_MIN || bytes[from] !== OPEN) return -1;
    let i = from + 1;
    let seconds = 0;
    for (; i < to; i++) {
      const digit = (bytes[i] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) break;
      seconds = seconds * 10 + digit;
    }
    if (i === from + 1 || i - from > SECONDS_DIGITS_MAX || bytes[i] !== DOT) return -1;
    let micros = 0;
    const decimalsTo = i + 7;
    for (i++; i < decimalsTo; i++) {
      const digit = (bytes[i] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) return -1;
      micros = micros * 10 + digit;
    }
    if (bytes[i] !== CLOSE || bytes[i + 1] !== SPACE) return -1;
    i += 2;
    const bus = this.busBytes;
    for (let k = 0; k < bus.length; k++, i++) if (bytes[i] !== bus[k]) return -1;
    if (bus.length === 0 || bytes[i] !== SPACE) return -1;
    const frame = this.frame;
    frame.timeUs = seconds * 1_000_000 + micros;
    return this.readPlainFrame(bytes, i + 1, to);
  }

  private readPlainFrame(bytes: Uint8Array, from: number, to: number): number {
    let i = from;
    let id = 0;
    for (; i < to && bytes[i] !== HASH; i++) {
      const digit = HEX[bytes[i] ?? 0] ?? 255;
      if (digit > 15 || i - from >= EXTENDED_DIGITS_MAX) return -1;
      id = id * 16 + digit;
    }
    const ext = i - from > STANDARD_DIGITS_MAX;
    if (i === from || i >= to || id > (ext ? EXTENDED_ID_MAX : STANDARD_ID_MAX)) return -1;
    const buffer = this.buffer;
    let length = 0;
    for (i++; i < to && length < CLASSIC_BYTES_MAX; length++, i += 2) {
      const high = HEX[bytes[i] ?? 0] ?? 255;
      if (high > 15) break;
      const low = i + 1 < to ? (HEX[bytes[i + 1] ?? 0] ?? 255) : 255;
      if (low > 15) return -1;
      buffer[length] = (high << 4) | low;
    }
    const frame = this.frame;
    frame.id = id;
    frame.ext = ext;
    frame.kind = "data";
    frame.fd = false;
    frame.data = this.views[length] ?? buffer;
    return i;
  }

  /** `(seconds.micros) bus `; false if it is something else. */
  private readHead(bytes: Uint8Array, from: number, to: number): boolean {
    let i = from + 1;
    let seconds = 0;
    let digits = 0;
    for (; i < to && digits < SECONDS_DIGITS_MAX; i++, digits++) {
      const digit = (bytes[i] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) break;
      seconds = seconds * 10 + digit;
    }
    if (digits === 0 || i >= to || bytes[i] !== DOT) return false;
    let micros = 0;
    let unit = 100_000;
    for (i++; i < to && bytes[i] !== CLOSE; i++) {
      const digit = (bytes[i] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) return false;
      micros += digit * unit;
      unit = unit === 1 ? 0 : unit / 10;
    }
    if (i >= to) return false;
    i++;
    while (i < to && bytes[i] === SPACE) i++;
    const busFrom = i;
    while (i < to && bytes[i] !== SPACE) i++;
    const busTo = i;
    while (i < to && bytes[i] === SPACE) i++;
    let mark = i;
    while (mark < to && mark < i + 9 && bytes[mark] !== HASH) mark++;
    if (busFrom === busTo || mark >= to || bytes[mark] !== HASH) return false;
    this.frame.timeUs = seconds * 1_000_000 + micros;
    this.setBus(bytes, busFrom, busTo);
    this.pos = i;
    return true;
  }

  /** `id#data`, to the end of the line; null or what is wrong. */
  private readFrame(bytes: Uint8Array, to: number): string | null {
    let i = this.pos;
    let id = 0;
    while (i < to && bytes[i] !== HASH) {
      const digit = HEX[bytes[i++] ?? 0] ?? 255;
      if (digit > 15) return "the id is not hexadecimal";
      id = id * 16 + digit;
    }
    const problem = this.setId(id, i - this.pos);
    if (problem !== null) return problem;
    const frame = this.frame;
    i++;
    // Beyond the line the bytes are another line's, or an older one's.
    frame.fd = i < to && bytes[i] === HASH;
    if (frame.fd) {
      if (i + 1 >= to || (HEX[bytes[i + 1] ?? 0] ?? 255) > 15)
        return "CAN FD flags are not a hexadecimal digit";
      i += 2;
    } else if (i < to && bytes[i] === UPPER_R) {
      frame.kind = "remote";
      frame.data = this.views[0] ?? this.buffer;
      return null;
    }
    return this.readData(bytes, i, to);
  }

  private readData(bytes: Uint8Array, from: number, to: number): string | null {
    let i = from;
    let length = 0;
    while (i < to) {
      const byte = bytes[i] ?? 0;
      if (byte === SPACE || byte === UNDERSCORE) break; // flags of -x; a raw length code
      if (byte === DOT) {
        i++;
        continue;
      }
      const high = HEX[byte] ?? 255;
      const low = i + 1 < to ? (HEX[bytes[i + 1] ?? 0] ?? 255) : 255;
      if (high > 15 || low > 15) return "data is not pairs of hexadecimal digits";
      if (length === FD_BYTES_MAX) return `more than ${FD_BYTES_MAX} data bytes`;
      this.buffer[length++] = (high << 4) | low;
      i += 2;
    }
    this.frame.data = this.views[length] ?? this.buffer;
    if (length > CLASSIC_BYTES_MAX) this.frame.fd = true;
    return null;
  }

  private setId(id: number, digits: number): string | null {
    const frame = this.frame;
    if (digits === 0 || digits > EXTENDED_DIGITS_MAX) return `an id of ${digits} digits`;
    frame.ext = digits > STANDARD_DIGITS_MAX;
    frame.kind = "data";
    frame.id = id;
    if (!frame.ext) return id > STANDARD_ID_MAX ? "the id has more than 11 bits" : null;
    if (id <= EXTENDED_ID_MAX) return null;
    if (id < ERROR_FLAG || id > ERROR_FLAG + EXTENDED_ID_MAX) {
      return "the id has more than 29 bits";
    }
    frame.kind = "error";
    frame.id = id - ERROR_FLAG;
    return null;
  }

  /** Makes a string only when the bus changes. */
  private setBus(bytes: Uint8Array, from: number, to: number): void {
    const known = this.busBytes;
    let same = known.length === to - from;
    for (let i = 0; same && i < known.length; i++) same = known[i] === bytes[from + i];
    if (same) return;
    this.busBytes = bytes.slice(from, to);
    this.frame.bus = textOf(bytes, from, to);
  }
}

/** One line of a `candump -l` log, without its end. A frame without time is given time 0. */
export function formatCandump(frame: CanFrame): string {
  const us = frame.timeUs ?? 0;
  const seconds = Math.floor(us / 1_000_000);
  const time = `${seconds}.${String(us - seconds * 1_000_000).padStart(6, "0")}`;
  const flagged = frame.kind === "error" ? frame.id + ERROR_FLAG : frame.id;
  const wide = frame.ext || frame.kind === "error";
  const id = flagged
    .toString(16)
    .toUpperCase()
    .padStart(wide ? EXTENDED_DIGITS_MAX : STANDARD_DIGITS_MAX, "0");
  const data = Buffer.from(frame.data).toString("hex").toUpperCase();
  const body = frame.kind === "remote" ? "#R" : frame.fd ? `##0${data}` : `#${data}`;
  return `(${time}) ${frame.bus} ${id}${body}`;
}
