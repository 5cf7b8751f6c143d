import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BusFrame, type CanBus, createSocketBus } from "@kerbside/can";
import { runSim } from "@kerbside/sim";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { realClock, realRandom } from "../support/runtime.ts";
import { until } from "../support/wait.ts";
import { makeDirectory } from "./rig.ts";

type Line = Readonly<Record<string, unknown>>;

/** Calls the command line; `until` runs beside it and may listen at the bus. */
async function sim(
  args: readonly string[],
  beside: (signal: AbortController) => Promise<void> = () => Promise.resolve(),
) {
  const out: string[] = [];
  const err: string[] = [];
  const stop = new AbortController();
  const ready = Promise.withResolvers<void>();
  const code = runSim(args, {
    out: (text) => {
      out.push(text);
      ready.resolve();
    },
    err: (text) => err.push(text),
    signal: stop.signal,
    clock: realClock,
    random: realRandom,
  });
  await Promise.race([ready.promise, code]);
  await beside(stop);
  const status = await code;
  for (const { bus } of listeners.splice(0)) await bus.stop();
  const lines = out
    .join("")
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line): Line => JSON.parse(line));
  return { code: status, lines, out: out.join(""), err: err.join("") };
}

/** What listens during a call; stopped after it. */
const listeners: { readonly bus: CanBus; readonly frames: BusFrame[] }[] = [];

function listen(path: string): { readonly bus: CanBus; readonly frames: BusFrame[] } {
  const frames: BusFrame[] = [];
  const bus = createSocketBus({ path, clock: realClock, random: realRandom });
  bus.start({ frames: (more) => void frames.push(...more), event: () => undefined });
  const listener = { bus, frames };
  listeners.push(listener);
  return listener;
}

/** A drive of `count` frames, 1 ms apart, in the form of `candump -l`. */
function makeLog(count: number): string {
  return Array.from({ length: count }, (_, index) => {
    const at = (1_700_000_000 + index / 1000).toFixed(6);
    return `(${at}) can0 ${(0x100 + (index % 7)).toString(16)}#${index.toString(16).padStart(8, "0")}\n`;
  }).join("");
}

test("a recorded log arrives whole and in order, as fast as it is taken", async () => {
  const { path, remove } = makeDirectory();
  const count = 20_000;
  writeFileSync(join(path, "drive.log"), makeLog(count));
  let heard: ReturnType<typeof listen> | undefined;
  const { code, lines } = await sim(
    ["replay", join(path, "drive.log"), "--data", path, "--speed", "max", "--json"],
    async () => {
      const { frames } = listen(join(path, "can.sock"));
      heard = listeners.at(-1);
      // What was written is on its way still, and read in this very process.
      await until("all frames", () => frames.length >= count);
    },
  );
  assert.is(code, 0);
  assert.equal(lines.at(-1), { finished: true, frames: count, leftOut: 0, problems: 0 });
  const frames = heard?.frames ?? [];
  assert.is(frames.length, count);
  assert.is(heard?.bus.stats().lost, 0);
  for (const [index, { data }] of frames.entries()) {
    assert.is(Buffer.from(data).readUInt32BE(0), index);
  }
  remove();
});

test("a log is not begun before somebody listens, and keeps its own time", async () => {
  const { path, remove } = makeDirectory();
  writeFileSync(join(path, "drive.log"), makeLog(400));
  let tookMs = 0;
  await sim(
    ["replay", join(path, "drive.log"), "--data", path, "--speed", "2", "--json"],
    async () => {
      const from = performance.now();
      const { bus, frames } = listen(join(path, "can.sock"));
      await until("all frames", () => frames.length === 400);
      tookMs = performance.now() - from;
      await bus.stop();
    },
  );
  // 399 ms of the log at twice its speed.
  assert.ok(tookMs > 180, `${tookMs} ms`);
  remove();
});

test("lines that are not understood are told and counted, error frames are left out", async () => {
  const { path, remove } = makeDirectory();
  const log = `${makeLog(3)}(1700000001.000000) can0 nonsense\n(1700000001.000000) can0 20000004#0000000000000000\n${makeLog(1)}`;
  writeFileSync(join(path, "drive.log"), log);
  const { code, lines, err } = await sim(
    ["replay", join(path, "drive.log"), "--data", path, "--speed", "max", "--json"],
    async () => {
      listen(join(path, "can.sock"));
    },
  );
  assert.is(code, 0);
  assert.equal(lines.at(-1), { finished: true, frames: 4, leftOut: 1, problems: 1 });
  assert.match(err, /drive\.log:4: /);
  remove();
});

type Wrong = {
  readonly why: string;
  readonly args: (path: string) => readonly string[];
  readonly code: number;
  readonly words: RegExp;
};
const WRONG: readonly Wrong[] = [
  { why: "no command", args: () => [], code: 2, words: /drive/ },
  {
    why: "an unknown command",
    args: () => ["constructor"],
    code: 2,
    words: /no command constructor/,
  },
  { why: "no directory", args: () => ["drive"], code: 2, words: /--data is needed/ },
  {
    why: "an unknown option",
    args: (path) => ["drive", "--data", path, "--fast"],
    code: 2,
    words: /--fast/,
  },
  {
    why: "a port that is none",
    args: (path) => ["drive", "--data", path, "--port", "99999"],
    code: 2,
    words: /--port 99999/,
  },
  {
    why: "half a certificate",
    args: (path) => ["drive", "--data", path, "--tls-cert", "x.pem"],
    code: 2,
    words: /go together/,
  },
  {
    why: "bolts that travel backwards",
    args: (path) => ["drive", "--data", path, "--travel-ms", "9-3"],
    code: 2,
    words: /--travel-ms/,
  },
  {
    why: "no log",
    args: (path) => ["replay", join(path, "none.log"), "--data", path, "--speed", "max"],
    code: 1,
    words: /none\.log/,
  },
  {
    why: "a speed that is none",
    args: (path) => ["replay", "x", "--data", path, "--speed", "-1"],
    code: 2,
    words: /speed/,
  },
  {
    why: "a directory too deep for a socket",
    args: (path) => ["drive", "--data", join(path, "x".repeat(120))],
    code: 1,
    words: /107 bytes/,
  },
];
for (const { why, args, code, words } of WRONG) {
  test(`kerbside-sim, called with ${why}, says so and exits ${code}`, async () => {
    const { path, remove } = makeDirectory();
    const ended = await sim(args(path));
    assert.is(ended.code, code);
    assert.match(ended.err, words);
    remove();
  });
}

test("a file that is no log is refused, and the socket is gone", async () => {
  const { path, remove } = makeDirectory();
  writeFileSync(join(path, "poem.txt"), "The road goes ever on\n".repeat(100));
  const { code, err } = await sim(
    ["replay", join(path, "poem.txt"), "--data", path, "--speed", "max"],
    async () => {
      listen(join(path, "can.sock"));
    },
  );
  assert.is(code, 1);
  assert.match(err, /known log formats/);
  remove();
});

test("drive prints one ready line, and ends in order when asked", async () => {
  const { path, remove } = makeDirectory();
  const { code, lines } = await sim(["drive", "--data", path, "--json"], async (stop) =>
    stop.abort(),
  );
  assert.is(code, 0);
  assert.equal(lines, [
    {
      ready: true,
      can: join(path, "can.sock"),
      lock: join(path, "lock.sock"),
      reader: join(path, "reader.sock"),
      modem: join(path, "modem.sock"),
    },
  ]);
  remove();
});

test("--help tells every option of every command", async () => {
  for (const name of ["drive", "replay"]) {
    const { code, out } = await sim([name, "--help"]);
    assert.is(code, 0);
    assert.match(out, /--data DIR/);
    assert.match(out, /--json/);
  }
});

test.run();
