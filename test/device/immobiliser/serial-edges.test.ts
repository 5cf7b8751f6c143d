/** Writes that follow one another over a real socket, and the word that a line which is cut ends with. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serialLink } from "@kerbside/immobiliser";
import type { LineConnection } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../../support/wait.ts";

type Peer = {
  readonly line: LineConnection;
  readonly socket: Socket;
  readonly got: () => Buffer;
  readonly ends: readonly string[];
};

/** `deaf`: the other side leaves what is written to it in the wire. */
async function withPeer(work: (peer: Peer) => Promise<void>, deaf = false): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-serial-"));
  const path = join(folder, "lock.sock");
  const got: Buffer[] = [];
  const ends: string[] = [];
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer({ pauseOnConnect: deaf }, (one) => {
    one.on("error", () => undefined);
    if (!deaf) one.on("data", (bytes: Buffer) => got.push(bytes));
    accepted.resolve(one);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const events = { data: () => undefined, closed: (why: string) => ends.push(why) };
  const line = await serialLink(path, 115_200)(events);
  const socket = await accepted.promise;
  try {
    await work({ line, socket, ends, got: () => Buffer.concat(got) });
  } finally {
    line.close();
    socket.destroy();
    server.close();
    rmSync(folder, { recursive: true });
  }
}

test("what is written after another write goes out too", () =>
  withPeer(async ({ line, got }) => {
    for (let byte = 1; byte <= 3; byte += 1) {
      assert.is(line.write(Uint8Array.of(byte)), true);
      await until("the byte", () => got().length === byte, 5000);
    }
    assert.equal([...got()], [1, 2, 3]);
  }));

test("a line that is cut with bytes on their way is told to be closed, in that word", () =>
  withPeer(async ({ line, socket, ends }) => {
    assert.is(line.write(new Uint8Array(40)), true);
    await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
    await until("the end", () => ends.length > 0, 5000);
    assert.equal(ends, ["closed"]);
  }, true));

test.run();
