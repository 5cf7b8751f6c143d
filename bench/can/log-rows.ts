/** The scanner of candump logs against a regular expression a line, which makes the same frames. */
import { type CanFrame, LogReader } from "@kerbside/can";
import { type Row, takeTurns } from "../benchmark.ts";
import { benchFrames } from "./frames.ts";

const LINES = 40_000;
const CHUNK_BYTES = 65_536;

const LINE =
  /^\((\d+)\.(\d{6})\)\s+(\S+)\s+([0-9A-Fa-f]{3}|[0-9A-Fa-f]{8})#(#[0-9A-Fa-f])?(R\d?|[0-9A-Fa-f.]*)(?:\s+[RT])?$/;

function logText(): Buffer {
  const frames = benchFrames();
  let text = "";
  for (let i = 0; i < LINES; i++) {
    const { id, data } = frames[i % frames.length] ?? { id: 0, data: new Uint8Array(0) };
    const hex = Buffer.from(data).toString("hex").toUpperCase();
    const time = `${1_700_000_000 + Math.floor(i / 4000)}.${String((i % 4000) * 250).padStart(6, "0")}`;
    text += `(${time}) can0 ${id.toString(16).toUpperCase().padStart(3, "0")}#${hex}\n`;
  }
  return Buffer.from(text);
}

let sink = 0;
const take = (frame: CanFrame): void => {
  sink += frame.id + (frame.data[0] ?? 0);
};

function scan(log: Buffer): number {
  const reader = new LogReader({ file: "bench", onFrame: take, onProblem: () => {} });
  for (let i = 0; i < log.length; i += CHUNK_BYTES) reader.push(log.subarray(i, i + CHUNK_BYTES));
  reader.end();
  return LINES;
}

function frameOfLine(line: string): CanFrame | null {
  const found = LINE.exec(line);
  if (found === null) return null;
  const [, seconds = "", micros = "", bus = "", id = "", fd, data = ""] = found;
  const remote = data.startsWith("R");
  return {
    timeUs: Number(seconds) * 1_000_000 + Number(micros),
    bus,
    id: Number.parseInt(id, 16),
    ext: id.length > 3,
    kind: remote ? "remote" : "data",
    fd: fd !== undefined,
    data: remote ? new Uint8Array(0) : Buffer.from(data, "hex"),
  };
}

function matchLines(log: Buffer): number {
  let rest = "";
  for (let i = 0; i < log.length; i += CHUNK_BYTES) {
    const lines = (rest + log.toString("latin1", i, i + CHUNK_BYTES)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const frame = frameOfLine(line);
      if (frame !== null) take(frame);
    }
  }
  return LINES;
}

export async function scannerAgainstExpression(): Promise<Row> {
  const log = logText();
  const found = await takeTurns(
    () => scan(log),
    () => matchLines(log),
  );
  if (sink === 0) throw new Error("no frame was read");
  return {
    what: "read a candump log",
    unit: "lines/s",
    ours: { name: "byte scanner", values: found.ours },
    peer: { name: "regular expression a line", values: found.peer },
    goal: { of: "ratio", atLeast: 5 },
  };
}
