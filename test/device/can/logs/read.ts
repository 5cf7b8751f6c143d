/** Reads a whole log at once, or in chunks of a size, into frames of their own. */
import { type CanFrame, type LogProblem, LogReader } from "@kerbside/can";

export type ReadAll = {
  readonly format: string | null;
  readonly frames: CanFrame[];
  readonly problems: LogProblem[];
};

export function readAll(text: string | Uint8Array, chunk: number = 1 << 20): ReadAll {
  const bytes = typeof text === "string" ? Buffer.from(text, "latin1") : text;
  const frames: CanFrame[] = [];
  const problems: LogProblem[] = [];
  const reader = new LogReader({
    file: "x.log",
    onFrame: (frame) => frames.push({ ...frame, data: frame.data.slice() }),
    onProblem: (problem) => problems.push(problem),
  });
  for (let i = 0; i < bytes.length; i += chunk) reader.push(bytes.subarray(i, i + chunk));
  reader.end();
  return { format: reader.formatName, frames, problems };
}

/** `bus id#data` with what tells kinds apart, without time. */
export function brief(frame: CanFrame): string {
  const id = frame.id.toString(16).padStart(frame.ext ? 8 : 3, "0");
  const data = Buffer.from(frame.data).toString("hex");
  return `${frame.bus} ${id}${frame.fd ? "##" : "#"}${data}${frame.kind === "data" ? "" : ` ${frame.kind}`}`;
}
