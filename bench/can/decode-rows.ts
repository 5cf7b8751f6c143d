/** The codec against other codecs. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CompiledDbc, compileDbc, parseDbc } from "@kerbside/can";
import { Can, Dbc } from "candied";
import { type Row, rateOf, takeTurns } from "../benchmark.ts";
import { type BenchFrame, benchFrames, DBC_TEXT, FRAMES } from "./frames.ts";

const CANDIED_AT_ONCE = 256;
const PYTHON_ROUNDS = 7;

/** Takes something of each frame, so that nothing can be left out as unused. */
const sink = { sum: 0 };

function decodeObjects(dbc: CompiledDbc, frames: readonly BenchFrame[]): number {
  for (const { id, data } of frames) {
    if (dbc.decode(id, false, data)?.signals) sink.sum++;
  }
  return frames.length;
}

export async function againstCandied(): Promise<Row> {
  const frames = benchFrames();
  const ours = compileDbc(parseDbc(DBC_TEXT));
  const candied = new Can();
  candied.database = new Dbc().load(DBC_TEXT);
  const theirFrames = frames.map(({ id, data }) => candied.createFrame(id, [...data], false));
  let at = 0;
  const found = await takeTurns(
    () => decodeObjects(ours, frames),
    () => {
      for (const frame of theirFrames.slice(at, at + CANDIED_AT_ONCE)) {
        sink.sum += candied.decode(frame)?.boundSignals.size ?? 0;
      }
      at = (at + CANDIED_AT_ONCE) % FRAMES;
      return CANDIED_AT_ONCE;
    },
  );
  return {
    what: "decode a frame of 4 signals, by id, into an object",
    unit: "frames/s",
    ours: { name: "kerbside", values: found.ours },
    peer: { name: "candied 2.2.0", values: found.peer },
    goal: { of: "ratio", atLeast: 100 },
  };
}

/** Times itself: starting Python and handing frames over would be no measure of its codec. */
const PYTHON = `
import json, sys, time
import cantools.database as cd
dbc, frames, rounds = sys.argv[1], json.load(open(sys.argv[2])), int(sys.argv[3])
db = cd.load_file(dbc)
frames = [(i, bytes.fromhex(d)) for i, d in frames]
for r in range(rounds):
    n, t = 0, time.perf_counter()
    while time.perf_counter() - t < 0.3:
        for i, d in frames:
            db.decode_message(i, d, decode_choices=False)
        n += len(frames)
    print(n / (time.perf_counter() - t), flush=True)
`;

/** `path`: a folder that Python finds cantools and what it needs in; several are parted by colons. */
export async function againstCantools(path: string): Promise<Row> {
  const frames = benchFrames();
  const ours = compileDbc(parseDbc(DBC_TEXT));
  const folder = mkdtempSync(join(tmpdir(), "kerbside-bench-"));
  try {
    const dbcFile = join(folder, "x.dbc");
    const framesFile = join(folder, "frames.json");
    writeFileSync(dbcFile, DBC_TEXT);
    const hex = frames.map(({ id, data }) => [id, Buffer.from(data).toString("hex")]);
    writeFileSync(framesFile, JSON.stringify(hex));
    const before = await ourRounds(ours, frames);
    const peer = await pythonRounds([dbcFile, framesFile, String(PYTHON_ROUNDS)], path);
    const after = await ourRounds(ours, frames);
    return {
      what: "decode a frame of 4 signals, by id, into an object",
      unit: "frames/s",
      ours: { name: "kerbside", values: [...before, ...after] },
      peer: { name: "cantools", values: peer },
      goal: { of: "ratio", atLeast: 25 },
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function ourRounds(dbc: CompiledDbc, frames: readonly BenchFrame[]): Promise<number[]> {
  await rateOf(() => decodeObjects(dbc, frames));
  const rates = [];
  for (let i = 0; i < 4; i++) rates.push(await rateOf(() => decodeObjects(dbc, frames)));
  return rates;
}

async function pythonRounds(args: readonly string[], path: string): Promise<number[]> {
  const child = spawn("python3", ["-c", PYTHON, ...args], {
    env: { PATH: "/usr/local/bin:/usr/bin:/bin", PYTHONPATH: path },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`cantools at ${path} does not run:\n${err}`);
  return out.trim().split("\n").map(Number);
}

/** What the signal store uses: no object, no name. */
export async function slotsAgainstObjects(): Promise<Row> {
  const frames = benchFrames();
  const dbc = compileDbc(parseDbc(DBC_TEXT));
  const slots = new Float64Array(4);
  const present = new Uint8Array(4);
  const found = await takeTurns(
    () => {
      for (const { id, data } of frames) {
        dbc.find(id, false)?.decodeInto(data, slots, 0, present);
        sink.sum += slots[0] ?? 0;
      }
      return frames.length;
    },
    () => decodeObjects(dbc, frames),
  );
  return {
    what: "decode a frame of 4 signals, by id, into slots",
    unit: "frames/s",
    ours: { name: "slots", values: found.ours },
    peer: { name: "objects", values: found.peer },
    goal: null,
  };
}
