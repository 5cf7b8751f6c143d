/** The byte stream over a real socket: what it takes, what it tells as it ends, and that it tells so once. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serialLink } from "@kerbside/immobiliser";
import type { LineConnection } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../../support/wait.ts";

type Peer = {
  readonly line: LineConnection;
  /** What came from the other side, and how often and why the line was told to be closed. */
  readonly heard: Buffer[];
  readonly ends: string[];
  readonly socket: () => Socket;
  readonly got: Buffer[];
};

async function withPeer(work: (peer: Peer) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-serial-"));
  const path = join(folder, "lock.sock");
  const got: Buffer[] = [];
  let socket: Socket | undefined;
  const server: Server = createServer((one) => {
    socket = one;
    one.on("data", (bytes: Buffer) => got.push(bytes));
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
  withPeer(async ({ line, ends, got }) => {
    line.close();
    line.close();
    await until("the end", () => ends.length > 0);
    assert.is(line.write(Uint8Array.of(9)), false);
    line.close();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(ends, ["closed"]);
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
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.is(ends.length, 1);
  }));

test("what cannot be opened is told with its reason, and closes nothing", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-serial-"));
  const file = join(folder, "no-socket");
  writeFileSync(file, "");
  for (const path of [file, join(folder, "nothing")]) {
    const ends: string[] = [];
    const open = serialLink(path, 9600);
    const failed = await open({ data: () => undefined, closed: (why) => ends.push(why) }).then(
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
