/** `npm start` as a newcomer types it: what it prints, what it leaves, what it says when something is in its way. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runProgram } from "../../scripts/demo/processes.ts";
import { root } from "../house/sources.ts";
import { holesAndDoubles, type Row } from "../support/world.ts";

const COLUMNS_MAX = 100;
/** What a newcomer waits for the first line, on a machine that has a processor for it. */
const FIRST_LINE_MS_MAX = 2000;
const NS_A_MS = 1e6;
/** A command line on a machine that others keep busy. */
const TECHNICIAN_MS_MAX = 60_000;

type Ran = {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  readonly firstMs: number;
};

/**
 * How long a process's main thread has stood ready while others had the processors, ms (kernel's
 * Documentation/scheduler/sched-stats.rst, /proc/PID/schedstat: the second figure).
 */
function waitedMs(pid: number | undefined): number {
  const [, waitedNs] = readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ");
  return Number(waitedNs) / NS_A_MS;
}

function start(args: readonly string[]): {
  readonly child: ChildProcess;
  readonly ran: Promise<Ran>;
} {
  const began = performance.now();
  let firstMs = Number.POSITIVE_INFINITY;
  let out = "";
  let err = "";
  const child = spawn(process.execPath, ["scripts/start.ts", ...args], { cwd: root });
  child.stdout.on("data", (chunk: Buffer) => {
    if (out === "") firstMs = performance.now() - began - waitedMs(child.pid);
    out += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  const ran = new Promise<Ran>((resolve) => {
    child.on("close", (code) => resolve({ code, out, err, firstMs }));
  });
  return { child, ran };
}

function folder(): string {
  return mkdtempSync(join(tmpdir(), "kerbside-start-"));
}

/** Started beside the tests before it, whose drives are mostly waiting. */
const stayingData = folder();
const staying = start([
  ...["--data", stayingData, "--https-port", "0", "--broker-port", "0", "--cockpit-port", "0"],
]);
let seen = "";
staying.child.stdout?.on("data", (chunk: Buffer) => {
  seen += chunk.toString();
});

test("--once: one booking from the API to the bolt and back, twice in the same data", async () => {
  const data = folder();
  for (const time of ["first", "again"]) {
    const { code, out, err, firstMs } = await start(["--once", "--data", data]).ran;
    assert.is(code, 0, `${time}: ${out}\n${err}`);
    assert.is(err, "", "nothing on standard error");
    assert.ok(firstMs < FIRST_LINE_MS_MAX, `first line after ${firstMs} ms`);
    for (const line of out.split("\n")) assert.ok(line.length <= COLUMNS_MAX, line);
    assert.not(/\n\s+at /.test(out + err), "no stack trace");
  }
  const rows = (await runProgram("kerbside-cloud", [
    ...["events", "--tenant", "demo", "--data", data, "--json"],
  ])) as readonly Row[];
  assert.equal(holesAndDoubles(rows), []);
  const commands = rows.filter((row) => row["kind"] === "command.completed");
  assert.is(commands.length, 4, "two commands a booking, two bookings");
  assert.is(new Set(rows.map(({ log }) => log)).size, 2, "a log a start of the agent");
  await atTheCar(join(data, "agent"));
  rmSync(data, { recursive: true });
});

/** What a technician finds in the module of a car that has joined, by the agent's own command line. */
async function atTheCar(folder: string): Promise<void> {
  const agent = (...words: readonly string[]): Promise<{ code: number | null; said: string }> => {
    const child = spawn(process.execPath, ["device/bin/kerbside-agent.mjs", ...words], {
      cwd: root,
      timeout: TECHNICIAN_MS_MAX,
      killSignal: "SIGKILL",
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        said += chunk.toString();
      });
    return new Promise((resolve) => child.on("close", (code) => resolve({ code, said })));
  };
  const given: unknown = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
  const lock = { path: "lock.sock", pairingKeyFile: "missing.key" };
  const keyless = join(folder, "keyless.json");
  writeFileSync(keyless, JSON.stringify({ ...(given as object), lock }));
  const [held, keys] = await Promise.all([
    agent("buffer", "verify", "--data", join(folder, "state"), "--json"),
    agent("run", "--config", keyless),
  ]);
  assert.is(held.code, 0, held.said);
  assert.match(held.said, '"chain":"ok"');
  assert.match(keys.said, "missing.key: expected a readable file with the pairing key");
  assert.is(keys.code, 1);
  assert.not.match(keys.said, "agent.first_event", "nothing was begun");
  // What a disk does when the bus has been opened already.
  const policy = join(folder, "state", "policy");
  rmSync(policy, { recursive: true });
  writeFileSync(policy, "");
  const halfWay = await agent("run", "--config", join(folder, "config.json"));
  assert.match(halfWay.said, "policy");
  assert.is(halfWay.code, 1, "it ends, so that it can be started anew");
}

test("Ctrl-C ends what stays up, in order and without a word of complaint", async () => {
  const { child, ran } = staying;
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (seen.includes("Ctrl-C ends it")) resolve();
    };
    look();
    child.stdout?.on("data", look);
    child.on("close", () => resolve());
  });
  for (const what of ["Console", "Cockpit", "API", "Broker", "Data", "curl"])
    assert.match(seen, what);
  const pasted = seen.split("\n").filter((line) => /^(TOKEN=|BOOKING=|curl )/.test(line));
  assert.is(pasted.length, 3);
  const shell = spawn("bash", ["-c", pasted.join("\n")], { cwd: root });
  let said = "";
  shell.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  await new Promise((resolve) => shell.on("close", resolve));
  assert.match(said, '"state":"executed"', "the lines to paste unlock the car");
  child.kill("SIGINT");
  const { code, err } = await ran;
  assert.is(code, 0, err);
  assert.is(err, "");
  rmSync(stayingData, { recursive: true });
});

test("a port in use is named, with what to do", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const address = taken.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const data = folder();
  const { code, err } = await start(["--data", data, "--https-port", `${port}`]).ran;
  assert.is(code, 1);
  assert.match(err, `port ${port} is in use`);
  assert.match(err, "--https-port");
  assert.is(err.trim().split("\n").length, 1);
  taken.close();
  rmSync(data, { recursive: true });
});

test("a data directory that cannot be written is named", async () => {
  const data = folder();
  const file = join(data, "file");
  writeFileSync(file, "");
  const { code, err } = await start(["--once", "--data", join(file, "below")]).ran;
  assert.is(code, 1);
  assert.match(err, join(file, "below"));
  assert.match(err, "expected a directory that can be written");
  rmSync(data, { recursive: true });
});

test("a corrupt data directory is named, and left as it is", async () => {
  const data = folder();
  mkdirSync(join(data, "cloud"), { recursive: true });
  const file = join(data, "cloud", "platform.sqlite");
  writeFileSync(file, "this is no database, and somebody may want it back".repeat(100));
  const before = readFileSync(file);
  const { code, err } = await start(["--once", "--data", data]).ran;
  assert.is(code, 1);
  assert.match(err, "platform.sqlite");
  assert.not(/\n\s+at /.test(err), err);
  assert.equal(readFileSync(file), before);
  rmSync(data, { recursive: true });
});

test("wrong words are status 2, --help is status 0", async () => {
  const wrong = await start(["--twice"]).ran;
  assert.is(wrong.code, 2);
  assert.match(wrong.err, "--twice");
  const port = await start(["--https-port", "99999"]).ran;
  assert.is(port.code, 2);
  const help = await start(["--help"]).ran;
  assert.is(help.code, 0);
  assert.match(help.out, "--once");
});

test.run();
