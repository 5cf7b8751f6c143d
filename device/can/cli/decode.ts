/** `can decode`: a log in, one JSON line a frame out. */
import { parseArgs } from "node:util";
import type { CompiledDbc, CompiledMessage, RawValue } from "../dbc/index.ts";
import type { CanFrame } from "../frame.ts";
import { LogReader } from "../logs/index.ts";
import { type LogSource, openDbcs, openLog, sortPositionals } from "./inputs.ts";
import { type CanIo, Printer, UsageError } from "./io.ts";
import { jsonDouble, jsonRaw, jsonSeconds } from "./json.ts";
import { openProfileMapper, type ProfileMapper } from "./profile-mapper.ts";
import { Progress } from "./progress.ts";

export const DECODE_HELP = `kerbside-agent can decode --dbc FILE… [--raw] [--strict] [LOG|-]
kerbside-agent can decode --profile FILE [LOG|-]

Prints one JSON line for each frame of LOG (or of standard input) that the DBC files know:
  {"t","bus","id","ext","message","signals":{…}}
LOG is text of candump in any form, or a log of BUSMASTER, CRTD, GVRET, Microchip CAN BUS Analyzer,
CAR BUS Analyzer, or "ID,Data Bytes"; its content tells. Frames that no DBC file knows are counted.

  --dbc FILE      a DBC file; may be given several times, the later file counts
  --raw           adds "raw":{…}, the values before scaling
  --strict        refuses a DBC file with any problem instead of leaving out what is wrong
  --profile FILE  prints the VSS signals of a vehicle profile instead (a file, its folder, or the name
                  of one that comes with the agent); null is what the car does not know
  --json          as always
`;

/** Lines of a log that are named when they are not understood; the rest is counted. */
const BAD_LINES_LISTED_MAX = 5;

type Counts = {
  decoded: number;
  unknown: number;
  readonly unknownIds: Set<number>;
  notData: number;
  refused: number;
  badLines: number;
};

/** Turns a frame into its line, or null for one that it does not know. */
type Line = (frame: CanFrame, counts: Counts) => string | null;

/** Throws UsageError and InputError. */
export async function runDecode(args: readonly string[], io: CanIo): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      dbc: { type: "string", multiple: true, default: [] },
      raw: { type: "boolean", default: false },
      strict: { type: "boolean", default: false },
      profile: { type: "string" },
      json: { type: "boolean", default: true },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    io.stdout.write(DECODE_HELP);
    return;
  }
  const { dbcs, log } = sortPositionals(values.dbc, positionals);
  const line = await lineOf(dbcs, values.profile, values, io);
  await decodeLog(await openLog(log, io), line, io);
}

async function lineOf(
  dbcs: readonly string[],
  profile: string | undefined,
  options: { raw: boolean; strict: boolean },
  io: CanIo,
): Promise<Line> {
  if (profile === undefined) {
    return dbcLine(await openDbcs(dbcs, options.strict, io), options.raw);
  }
  if (dbcs.length > 0) throw new UsageError("--profile names its own DBC files: leave out --dbc");
  if (options.raw) throw new UsageError("--raw goes with --dbc only");
  return profileLine(openProfileMapper(profile));
}

async function decodeLog(source: LogSource, line: Line, io: CanIo): Promise<void> {
  const printer = new Printer(io.stdout);
  const watched = io.stderr.isTTY === true && io.stdout.isTTY !== true;
  const progress = new Progress(watched ? io.stderr : null, source.bytes, () => performance.now());
  const counts: Counts = {
    decoded: 0,
    unknown: 0,
    unknownIds: new Set(),
    notData: 0,
    refused: 0,
    badLines: 0,
  };
  const badLines: string[] = [];
  const reader = new LogReader({
    file: source.name,
    onFrame: (frame) => {
      const text = frame.kind === "data" ? line(frame, counts) : null;
      if (frame.kind !== "data") counts.notData++;
      else if (text === null) countUnknown(frame, counts);
      else {
        counts.decoded++;
        printer.print(text);
      }
    },
    onProblem: (problem) => {
      counts.badLines++;
      if (badLines.length < BAD_LINES_LISTED_MAX) {
        badLines.push(`${problem.file}:${problem.line}: ${problem.message}\n`);
      }
    },
  });
  let bytes = 0;
  for await (const chunk of source.chunks) {
    reader.push(chunk);
    bytes += chunk.length;
    await printer.flush();
    progress.update(bytes, counts.decoded + counts.unknown + counts.notData);
    if (io.signal?.aborted === true) break;
  }
  reader.end();
  await printer.flush();
  progress.clear();
  io.stderr.write(`${badLines.join("")}${summary(counts)}`);
}

function countUnknown(frame: CanFrame, counts: Counts): void {
  counts.unknown++;
  counts.unknownIds.add(frame.ext ? -1 - frame.id : frame.id);
}

function summary(counts: Counts): string {
  const refused = `${counts.refused} of them with an unknown multiplexor value`;
  const parts = [
    `${plural(counts.decoded, "frame")} decoded`,
    ...(counts.refused > 0 ? [refused] : []),
  ];
  if (counts.unknown > 0) {
    parts.push(`${counts.unknown} unknown to the DBC (of ${plural(counts.unknownIds.size, "id")})`);
  }
  if (counts.notData > 0) parts.push(`${plural(counts.notData, "error or remote frame")}`);
  if (counts.badLines > 0) parts.push(`${plural(counts.badLines, "line")} not understood`);
  return `${parts.join(", ")}\n`;
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** What comes before a frame's values, up to the message's name, and its signals' keys: made once a message. */
type Words = { readonly head: string; readonly keys: Map<string, string> };

function dbcLine(dbc: CompiledDbc, raw: boolean): Line {
  const known = new Map<CompiledMessage, Words>();
  const wordsOf = (message: CompiledMessage): Words => {
    const found = known.get(message);
    if (found !== undefined) return found;
    const { signals, name } = message.message;
    const made = {
      head: `"message":${JSON.stringify(name)}`,
      keys: new Map(signals.map((s) => [s.name, `${JSON.stringify(s.name)}:`])),
    };
    known.set(message, made);
    return made;
  };
  return (frame, counts) => {
    const message = dbc.find(frame.id, frame.ext);
    if (message === undefined) return null;
    const { head, keys } = wordsOf(message);
    const signals = message.decode(frame.data);
    let text = `${frameHead(frame)}${head},"signals":${jsonObject(signals, keys, jsonDouble)}`;
    if (raw) text += `,"raw":${jsonObject(message.decodeRaw(frame.data), keys, jsonRaw)}`;
    if (signals === null) {
      counts.refused++;
      const selector = message.unknownSelector(frame.data);
      text += `,"unknownMultiplexor":{${JSON.stringify(selector?.name ?? "")}:${jsonRaw(selector?.value ?? 0)}}`;
    }
    return `${text}}\n`;
  };
}

function frameHead(frame: CanFrame): string {
  return `{"t":${jsonSeconds(frame.timeUs)},"bus":${JSON.stringify(frame.bus)},"id":${frame.id},"ext":${frame.ext},`;
}

function jsonObject<T extends RawValue>(
  values: Record<string, T> | null,
  keys: Map<string, string>,
  json: (value: T) => string,
): string {
  let text = "";
  for (const name in values) {
    const value = values[name];
    if (value !== undefined) text += `${text === "" ? "" : ","}${keys.get(name)}${json(value)}`;
  }
  return `{${text}}`;
}

function profileLine(mapper: ProfileMapper): Line {
  return (frame) => {
    const found = mapper(frame);
    if (found === null) return null;
    const parts = found.signals.map(([path, value]) => {
      const json = typeof value === "number" ? jsonDouble(value) : JSON.stringify(value);
      return `${JSON.stringify(path)}:${json}`;
    });
    const message = JSON.stringify(found.message);
    return `${frameHead(frame)}"message":${message},"signals":{${parts.join(",")}}}\n`;
  };
}
