/** What candump prints for people. Slower to read than its log, and good enough for a pipe from a live bus. */
import type { CanFrame } from "../frame.ts";
import { CLASSIC_BYTES_MAX, EXTENDED_ID_MAX, FD_BYTES_MAX, STANDARD_ID_MAX } from "../frame.ts";
import { LineProblem, type LineResult, microseconds } from "./format.ts";

/** Time, bus, `-x` direction and flags, id, length (two digits for CAN FD), the rest. */
const LINE =
  /^\s*(?:\(([^)]{1,40})\)\s+)?([^\s()[\]]{1,32})\s+(?:[RT]X\s+\S\s+\S\s+)?([0-9a-fA-F]{1,8})\s+\[(\d{1,2})\](.*)$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are escape sequences
const COLOUR = /\u001b\[[0-9;]*m/g;
const SECONDS = /^(\d{1,12})\.(\d{1,9})$/;
const DATE = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{1,9})$/;
/** A line of `-e`, which explains the error frame before it. */
const EXPLANATION = /^\t/;
const ERROR_FLAG = 0x20000000;

export function recognisesConsoleLine(line: string): boolean {
  return LINE.test(line.replace(COLOUR, ""));
}

export function readConsoleLine(coloured: string): LineResult {
  const line = coloured.replace(COLOUR, "");
  if (line.trim() === "" || EXPLANATION.test(line)) return null;
  const found = LINE.exec(line);
  if (found === null) return new LineProblem("expected a line of candump");
  const [, time, bus = "", idText = "", length = "", rest = ""] = found;
  const timeUs = time === undefined ? null : timeOf(time);
  if (timeUs === undefined) return new LineProblem(`"${time}" is no time`);
  const data = dataOf(rest, Number(length));
  if (data instanceof LineProblem) return data;
  const id = Number.parseInt(idText, 16);
  const isError = /ERRORFRAME\s*$/.test(rest) || id >= ERROR_FLAG;
  const ext = idText.length > 3;
  const base = isError && id >= ERROR_FLAG ? id - ERROR_FLAG : id;
  if (base > (ext ? EXTENDED_ID_MAX : STANDARD_ID_MAX)) {
    return new LineProblem(`the id has more than ${ext ? 29 : 11} bits`);
  }
  const kind: CanFrame["kind"] = isError ? "error" : data === "remote" ? "remote" : "data";
  const bytes = data === "remote" ? new Uint8Array(0) : data;
  const fd = /\[\d\d\]/.test(line) || bytes.length > CLASSIC_BYTES_MAX;
  return { timeUs, bus, id: base, ext, kind, fd, data: bytes };
}

/** Undefined if it is no time. A date is taken as UTC. */
function timeOf(text: string): number | undefined {
  const seconds = SECONDS.exec(text);
  if (seconds !== null) return microseconds(seconds[1] ?? "", seconds[2] ?? "");
  const date = DATE.exec(text);
  if (date === null) return undefined;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = date
    .slice(1, 7)
    .map(Number);
  const whole = Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
  return microseconds(String(whole), date[7] ?? "");
}

/** `length` bytes in hexadecimal or (`-i`) bits; then may come the text of `-a` or the name of an error frame. */
function dataOf(rest: string, length: number): Uint8Array | "remote" | LineProblem {
  if (/^\s*remote request/.test(rest)) return "remote";
  if (length > FD_BYTES_MAX) return new LineProblem(`${length} data bytes`);
  // `-S` prints the bytes backwards, each led by a back quote.
  const swapped = /^\s*(?:[0-9a-fA-F]{2}|[01]{8})?`/.test(rest);
  const words = rest.replaceAll("`", " ").trim().split(/\s+/, length);
  const bytes: number[] = [];
  for (const word of length === 0 ? [] : words) {
    const bits = /^[01]{8}$/.test(word);
    if (!bits && !/^[0-9a-fA-F]{2}$/.test(word)) {
      return new LineProblem(`${JSON.stringify(word.slice(0, 20))} is no data byte`);
    }
    bytes.push(Number.parseInt(word, bits ? 2 : 16));
  }
  if (bytes.length < length) return new LineProblem(`${bytes.length} of ${length} data bytes`);
  return Uint8Array.from(swapped ? bytes.reverse() : bytes);
}
