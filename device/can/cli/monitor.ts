/** `can monitor`: what is on a bus now, as a table that stays in its place, or as JSON lines. */
import { parseArgs } from "node:util";
import type { BusFrame, BusListener } from "../bus/index.ts";
import type { CanFrame } from "../frame.ts";
import { LogReader } from "../logs/index.ts";
import { type LogSource, openDbcs, openLog, sortPositionals } from "./inputs.ts";
import { type CanIo, isBrokenPipe, type Output, UsageError } from "./io.ts";
import { jsonDouble } from "./json.ts";
import { MonitorModel, sortedRows } from "./monitor-model.ts";
import { renderMonitor } from "./monitor-view.ts";
import { openBusByName } from "./open-bus.ts";

export const MONITOR_HELP = `kerbside-agent can monitor --dbc FILE… [--bus BUS | LOG | -] [--json] [--interval MS]

Shows each message of a bus with its signals, rate and age; what changed within the last second is
highlighted. Without a bus it reads LOG or standard input, as can decode does (candump can0 | …), and
without a terminal it prints the table once, at the end.

  --dbc FILE      a DBC file; may be given several times, the later file counts
  --bus BUS       a live bus: an interface such as can0, or the path of a simulated car's socket
  --json          one JSON line a message at each interval, for those that came since the last:
                  {"bus","id","ext","message","count","rateHz","ageMs","signals":{…}}
  --interval MS   how often it shows or prints (50 to 60000; 200 for the table, 1000 for JSON)
  --strict        refuses a DBC file with any problem
`;

const TABLE_INTERVAL_MS = 200;
const JSON_INTERVAL_MS = 1000;
const INTERVAL_MS_MIN = 50;
const INTERVAL_MS_MAX = 60_000;
const NO_TERMINAL_COLUMNS = 120;

const ENTER_SCREEN = "\u001b[?1049h\u001b[?25l";
const LEAVE_SCREEN = "\u001b[?25h\u001b[?1049l";
const HOME_AND_CLEAR = "\u001b[H\u001b[J";

/** Draws what the model holds: at each interval, and at the end. */
type Screen = { readonly draw: () => void; readonly close: () => void };

/** Throws UsageError and InputError. */
export async function runMonitor(args: readonly string[], io: CanIo): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      dbc: { type: "string", multiple: true, default: [] },
      bus: { type: "string" },
      json: { type: "boolean", default: false },
      interval: { type: "string" },
      strict: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    io.stdout.write(MONITOR_HELP);
    return;
  }
  const { dbcs, log } = sortPositionals(values.dbc, positionals);
  if (values.bus !== undefined && log !== undefined) throw new UsageError("--bus or LOG, not both");
  const intervalMs = intervalOf(values.interval, values.json);
  const model = new MonitorModel(await openDbcs(dbcs, values.strict, io));
  const clock = new FrameClock(values.bus !== undefined);
  const screen = screenOf(model, clock, values.json, io.stdout);
  const timer = setInterval(screen.draw, intervalMs);
  try {
    if (values.bus !== undefined) await followBus(values.bus, model, clock, io);
    else await followLog(await openLog(log, io), model, clock, io);
    screen.draw();
  } finally {
    clearInterval(timer);
    screen.close();
  }
}

function intervalOf(text: string | undefined, json: boolean): number {
  if (text === undefined) return json ? JSON_INTERVAL_MS : TABLE_INTERVAL_MS;
  const ms = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (ms >= INTERVAL_MS_MIN && ms <= INTERVAL_MS_MAX) return ms;
  throw new UsageError(`--interval ${text}: expected ${INTERVAL_MS_MIN} to ${INTERVAL_MS_MAX}`);
}

/** Of a log, time by the frames where they carry one, so that it shows the rates and ages it had; of a live bus, now. */
class FrameClock {
  private readonly live: boolean;
  private latestMs: number | null = null;

  constructor(live: boolean) {
    this.live = live;
  }

  /** When each of these came, that were handed over together. */
  arrivals(frames: readonly BusFrame[]): number[] {
    const lastMs = frames.at(-1)?.bootMs ?? 0;
    const nowMs = performance.now();
    return frames.map(({ bootMs }) => nowMs - (lastMs - bootMs));
  }

  of(frame: CanFrame): number {
    if (frame.timeUs === null) return performance.now();
    this.latestMs = Math.max(this.latestMs ?? Number.NEGATIVE_INFINITY, frame.timeUs / 1000);
    return frame.timeUs / 1000;
  }

  now(): number {
    return this.live ? performance.now() : (this.latestMs ?? performance.now());
  }
}

async function followLog(
  source: LogSource,
  model: MonitorModel,
  clock: FrameClock,
  io: CanIo,
): Promise<void> {
  const reader = new LogReader({
    file: source.name,
    onFrame: (frame) => model.take(frame, clock.of(frame)),
    onProblem: () => {
      model.badLines++;
    },
  });
  for await (const chunk of source.chunks) {
    reader.push(chunk);
    if (io.signal?.aborted === true) return;
  }
  reader.end();
}

/** Until the caller's signal ends it. */
async function followBus(
  name: string,
  model: MonitorModel,
  clock: FrameClock,
  io: CanIo,
): Promise<void> {
  const bus = (io.openBus ?? openBusByName)(name);
  const listener: BusListener = {
    frames: (frames) => {
      const arrivals = clock.arrivals(frames);
      for (const [i, frame] of frames.entries()) model.take(frame, arrivals[i] ?? 0);
    },
    event: (event) => {
      model.busState = event.kind === "state" ? `${event.state}: ${event.reason}` : model.busState;
      if (event.kind === "lost") model.lost += event.frames;
    },
  };
  bus.start(listener);
  try {
    await new Promise<void>((resolve) => {
      if (io.signal === undefined || io.signal.aborted) resolve();
      else io.signal.addEventListener("abort", () => resolve(), { once: true });
    });
  } finally {
    await bus.stop();
  }
}

function screenOf(model: MonitorModel, clock: FrameClock, json: boolean, out: Output): Screen {
  out.on("error", (error: unknown) => {
    if (!isBrokenPipe(error)) throw error;
  });
  if (json) return jsonScreen(model, clock, out);
  if (out.isTTY !== true) return onceAtTheEnd(model, clock, out);
  out.write(ENTER_SCREEN);
  const table = (rows: number): string =>
    renderMonitor(model, {
      nowMs: clock.now(),
      columns: out.columns ?? NO_TERMINAL_COLUMNS,
      rows,
      colours: true,
    });
  return {
    draw: () => out.write(`${HOME_AND_CLEAR}${table(out.rows ?? 24)}`),
    close: () => out.write(`${LEAVE_SCREEN}${table(Number.POSITIVE_INFINITY)}\n`),
  };
}

function onceAtTheEnd(model: MonitorModel, clock: FrameClock, out: Output): Screen {
  const view = { columns: NO_TERMINAL_COLUMNS, rows: Number.POSITIVE_INFINITY, colours: false };
  return {
    draw: () => {},
    close: () => out.write(`${renderMonitor(model, { ...view, nowMs: clock.now() })}\n`),
  };
}

function jsonScreen(model: MonitorModel, clock: FrameClock, out: Output): Screen {
  const printed = new Map<string, number>();
  return {
    draw: () => {
      for (const row of sortedRows(model)) {
        const key = `${row.bus} ${row.ext} ${row.id}`;
        if (printed.get(key) === row.count) continue;
        printed.set(key, row.count);
        const rateHz =
          row.intervalMs === null || row.intervalMs === 0 ? null : 1000 / row.intervalMs;
        const signals = Object.entries(row.signals ?? {})
          .map(([name, value]) => `${JSON.stringify(name)}:${jsonDouble(value)}`)
          .join(",");
        const head = JSON.stringify({
          bus: row.bus,
          id: row.id,
          ext: row.ext,
          message: row.message?.message.name ?? null,
          count: row.count,
          rateHz: rateHz === null ? null : Number(rateHz.toPrecision(4)),
          ageMs: Math.round(clock.now() - row.lastMs),
        });
        out.write(`${head.slice(0, -1)},"signals":{${signals}}}\n`);
      }
    },
    close: () => {},
  };
}
