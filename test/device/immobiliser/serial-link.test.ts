/** The byte stream over a real socket: what it takes, what it tells as it ends, and that it tells so once. */
import { execFileSync } from "node:child_process";
import { constants, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serialLink } from "@kerbside/immobiliser";
import type { LineConnection } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { needs } from "../../support/debian.ts";
import { ptyPair } from "../../support/pty-pair.ts";
import { until } from "../../support/wait.ts";

type Peer = {
  readonly line: LineConnection;
  /** What came from the other side, and how often and why the line was told to be closed. */
  readonly heard: Buffer[];
  readonly ends: string[];
  readonly socket: () => Socket;
  readonly got: Buffer[];
};

/** `deaf`: the other side leaves what is written to it in the wire. */
async function withPeer(work: (peer: Peer) => Promise<void>, deaf = false): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-serial-"));
  const path = join(folder, "lock.sock");
  const got: Buffer[] = [];
  let socket: Socket | undefined;
  const server: Server = createServer({ pauseOnConnect: deaf }, (one) => {
    socket = one;
    if (!deaf) one.on("data", (bytes: Buffer) => got.push(bytes));
    one.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const heard: Buffer[] = [];
  const ends: string[] = [];
  const line = await serialLink(
    path,
    115_200,
  )({
    data: (bytes) => heard.push(Buffer.from(bytes)),
    closed: (reason) => ends.push(reason),
  });
  await until("the other side", () => socket !== undefined);
  const there = (): Socket => {
    assert.ok(socket !== undefined);
    return socket;
  };
  try {
    await work({ line, heard, ends, socket: there, got });
  } finally {
    line.close();
    socket?.destroy();
    server.close();
    rmSync(folder, { recursive: true });
  }
}

test("bytes go both ways as they are, long ones in pieces", () =>
  withPeer(async ({ line, heard, socket, got }) => {
    assert.is(line.write(Uint8Array.of(1, 2, 3)), true);
    await until("three bytes", () => Buffer.concat(got).length === 3);
    assert.is(Buffer.concat(got).toString("hex"), "010203");
    const long = Buffer.alloc(200_000, 7);
    socket().write(long);
    await until("all of it", () => Buffer.concat(heard).length === long.length);
    assert.ok(Buffer.concat(heard).equals(long));
  }));

test("a closed line takes no byte, and is told to be closed once", () =>
  withPeer(async ({ line, ends, got, socket }) => {
    line.close();
    assert.is(line.write(Uint8Array.of(8)), false, "not even while it closes");
    line.close();
    await until("the end", () => ends.length > 0);
    assert.is(line.write(Uint8Array.of(9)), false);
    line.close();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(ends, ["closed"]);
    await until("the other side to see it", () => socket().closed);
    assert.is(Buffer.concat(got).length, 0);
  }));

test("where the other side ends it, it is told, and nothing can be written any more", () =>
  withPeer(async ({ line, ends, socket }) => {
    socket().end();
    await until("the end", () => ends.length > 0);
    assert.is(ends.length, 1);
    assert.is(line.write(Uint8Array.of(9)), false);
  }));

test("where the other side breaks in the middle of writing, it is told once", () =>
  withPeer(async ({ line, ends, socket }) => {
    socket().destroy();
    line.write(new Uint8Array(500_000));
    await until("the end", () => ends.length > 0);
    // A socket's close follows its error within a turn: a second word would have come by then.
    for (let turn = 0; turn < 3; turn += 1) await new Promise((done) => setImmediate(done));
    assert.is(ends.length, 1);
  }));

test("a line that is cut with bytes on their way is told to be closed, without a further write", () =>
  withPeer(async ({ line, ends, socket }) => {
    assert.is(line.write(new Uint8Array(40)), true);
    await new Promise((resolve) => setImmediate(resolve));
    // The kernel answers unread bytes with a reset, which leaves no turn between the last read and the end.
    socket().destroy();
    await until("the end", () => ends.length > 0);
    assert.is(line.write(Uint8Array.of(9)), false);
    for (let turn = 0; turn < 3; turn += 1) await new Promise((done) => setImmediate(done));
    assert.is(ends.length, 1);
  }, true));

const openTtys = (): number =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith("/dev/pts/");
    } catch {
      return false;
    }
  }).length;

needs("socat")("a tty is opened as one, and given back when it goes away", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-serial-"));
  const pty = await ptyPair(folder);
  const before = openTtys();
  const heard: Buffer[] = [];
  const ends: string[] = [];
  const line = await serialLink(
    pty.module,
    115_200,
  )({ data: (bytes) => heard.push(Buffer.from(bytes)), closed: (reason) => ends.push(reason) });
  // As the terminal of this process it would end it, when it goes away.
  const far = await open(pty.controller, constants.O_RDWR | constants.O_NOCTTY);
  const settings = execFileSync("stty", ["-F", pty.module, "-a"], { encoding: "utf8" });
  for (const one of ["speed 115200 baud", "cs8", "-cstopb", "-parenb", "hupcl"])
    assert.match(settings, new RegExp(`(^|\\s)${one}[;\\s]`), settings);
  for (const one of ["-crtscts", "-ixon", "-ixoff", "-ixany"])
    assert.match(settings, new RegExp(`\\s${one}\\s`), "no flow control");
  try {
    await far.write(Uint8Array.of(1, 0x11, 0x13, 0xff));
    await until("four bytes", () => Buffer.concat(heard).length === 4);
    assert.is(Buffer.concat(heard).toString("hex"), "011113ff", "none is a control character");
    assert.is(line.write(Uint8Array.of(5)), true);
    assert.is((await far.read(Buffer.alloc(4), 0, 4)).bytesRead, 1);
  } finally {
    await far.close();
    await pty.cut();
  }
  await until("the end", () => ends.length === 1);
  await until("it to be given back", () => openTtys() === before);
  assert.is(line.write(Uint8Array.of(6)), false);
  rmSync(folder, { recursive: true });
});

test("what cannot be opened is told with its reason, and closes nothing", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-serial-"));
  const file = join(folder, "no-socket");
  writeFileSync(file, "");
  for (const path of [file, join(folder, "nothing")]) {
    const ends: string[] = [];
    const link = serialLink(path, 9600);
    const failed = await link({ data: () => undefined, closed: (why) => ends.push(why) }).then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.ok(failed instanceof Error);
    assert.match(failed.message, /^lock link: connect /);
    assert.equal(ends, []);
  }
  rmSync(folder, { recursive: true });
});

test.run();
