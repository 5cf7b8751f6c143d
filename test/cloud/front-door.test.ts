/** What stands before the HTTPS server: by address, before anything is read. */
import { once } from "node:events";
import { createServer, request, type Server } from "node:https";
import { connect, type Socket } from "node:net";
import { type Blocked, type FrontDoorLimits, guardServer, parseBlockList } from "@kerbside/cloud";
import { networkOf } from "@kerbside/identity";
import type { LogFields } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type ManualClock, manualClock, silentLog } from "../support/runtime.ts";
import { makePki } from "./identity/pki.ts";

const pki = await makePki();
let clock: ManualClock;
let told: LogFields[];
let server: Server;
let handled: number;
let blocked: Blocked;

async function serve(limits: Partial<FrontDoorLimits> = {}): Promise<void> {
  clock = manualClock(Date.now());
  told = [];
  handled = 0;
  blocked = () => false;
  server = createServer({ ...pki.server }, (_request, response) => {
    handled += 1;
    response.end("served");
  });
  const log = {
    ...silentLog,
    warn: (_event: string, fields?: LogFields) => told.push(fields ?? {}),
  };
  guardServer(server, { clock, log, limits, blocked: (address) => blocked(address) });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
}

test.after.each(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function port(): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** The status, or the code of the connection's error. */
function ask(path: string): Promise<number | string> {
  return new Promise((resolve) => {
    const outgoing = request(
      { host: "localhost", port: port(), path, ca: pki.platform.rootCertificate, agent: false },
      (answer) => {
        answer.resume();
        answer.on("end", () => resolve(answer.statusCode ?? 0));
      },
    );
    outgoing.on("error", () => resolve("closed"));
    outgoing.end();
  });
}

async function open(): Promise<Socket> {
  const socket = connect(port(), "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

test("P-63 requests of one network have a rate, and those that anybody may make a lower one", async () => {
  await serve({ requestsPerS: 10, requestsBurst: 4, costlyPerS: 1, costlyBurst: 2 });
  assert.is(await ask("/oauth/token"), 200);
  assert.is(await ask("/enrol?x=1"), 200);
  assert.is(await ask("/oauth/token"), 429, "no third costly one");
  assert.is(await ask("/v1/anything"), 200);
  assert.is(await ask("/v1/anything"), 429, "no fifth at all");
  assert.is(handled, 3, "what is refused reaches nobody");
  clock.pass(1000);
  assert.is(await ask("/oauth/token"), 200);
  assert.is(await ask("/v1/anything"), 200);
});

test("P-63 one network holds no more than its share of the connections", async () => {
  await serve({ connectionsPerNetworkMax: 3 });
  const held = [await open(), await open(), await open()];
  assert.is(await ask("/"), "closed");
  held[0]?.destroy();
  while (held.length > 0 && (await ask("/")) !== 200) {
    // The server hears of the end a moment later.
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (const socket of held) socket.destroy();
});

test("a connection that does not shake hands is closed; one that did stays", async () => {
  await serve({ handshakeMsMax: 5000 });
  const idle = await open();
  const kept = ask("/");
  assert.is(await kept, 200);
  const ended = once(idle, "close");
  clock.pass(5000);
  await ended;
});

test("P-63 addresses of the block list are answered by nothing", async () => {
  await serve();
  assert.is(await ask("/"), 200);
  blocked = parseBlockList("# pests\n127.0.0.0/8 # all of it\n");
  assert.is(await ask("/"), "closed");
  assert.is(handled, 1);
});

test("P-53 P-41 refusals are counted in the log now and then, without an address", async () => {
  await serve({ requestsPerS: 1, requestsBurst: 1 });
  for (let i = 0; i < 5; i += 1) await ask("/");
  assert.equal(told, [{ requests: 1 }]);
  clock.pass(20_000);
  await ask("/");
  await ask("/");
  assert.is(told.length, 2);
  assert.equal(told[1], { requests: 5 });
});

const BLOCKED: readonly { why: string; line: string; address: string; is: boolean }[] = [
  { why: "an address", line: "192.0.2.7", address: "192.0.2.7", is: true },
  { why: "its neighbour", line: "192.0.2.7", address: "192.0.2.8", is: false },
  { why: "a network", line: "192.0.2.0/24", address: "192.0.2.200", is: true },
  { why: "as IPv6 sockets see it", line: "192.0.2.7", address: "::ffff:192.0.2.7", is: true },
  { why: "an IPv6 network", line: "2001:db8::/32", address: "2001:db8:1::5", is: true },
  { why: "a comment only", line: "# 192.0.2.7", address: "192.0.2.7", is: false },
];
for (const { why, line, address, is } of BLOCKED)
  test(`P-63 block list: ${why}`, async () => {
    await serve();
    assert.is(parseBlockList(line)(address), is);
    assert.is(parseBlockList(line)(undefined), false);
  });

for (const line of [
  "everybody",
  "0.0.0.0/0",
  "192.0.2.7/33",
  "192.0.2.7/a",
  "::/129",
  "1.2.3.4/8/8",
])
  test(`block list: ${line} is refused by its line`, async () => {
    await serve();
    assert.throws(() => parseBlockList(`192.0.2.7\n${line}`), /line 2: expected/);
  });

test("an IPv6 subscriber is a /64, however its addresses are written", async () => {
  await serve();
  for (const address of ["2001:db8:0:1::1", "2001:db8::1:a:b:c:d", "2001:0db8:0000:0001:ffff::"])
    assert.is(networkOf(address), "2001:db8:0:1::/64", address);
  assert.is(networkOf("::1"), "0:0:0:0::/64");
  assert.is(networkOf("::ffff:192.0.2.7"), "192.0.2.7");
  assert.is(networkOf("192.0.2.7"), "192.0.2.7");
});

test.run();
