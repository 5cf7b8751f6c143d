/** The issuer behind the API's port: what is handed on to it, and what keeps nobody from it. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fastify } from "fastify";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { registerIssuerProxy } from "../../cloud/issuer-proxy.ts";
import { until } from "../support/wait.ts";

const dir = mkdtempSync(join(tmpdir(), "kerbside-proxy-"));
const socketPath = join(dir, "issuer");
/** Tells what reached it. */
const issuer = createServer(async (incoming, answer) => {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  const { method, url, headers } = incoming;
  const body = Buffer.concat(parts).toString();
  answer.setHeader("content-type", "application/json");
  answer.end(JSON.stringify({ method, url, from: headers["x-forwarded-for"], body }));
}).listen(socketPath);
await once(issuer, "listening");
const app = fastify();
await registerIssuerProxy(app, socketPath);
await app.listen({ port: 0, host: "127.0.0.1" });
const { port } = app.server.address() as AddressInfo;

test.after(async () => {
  await app.close();
  issuer.closeAllConnections();
  issuer.close();
  rmSync(dir, { recursive: true });
});

/** More than the proxy has places. */
const SLOW = 40;
/** Shorter than the proxy waits for an answer, longer than any stall of this machine. */
const ANSWER_MS_MAX = 8000;

async function ask(body?: string, headers: Readonly<Record<string, string>> = {}) {
  const answer = await fetch(`http://127.0.0.1:${port}/oauth/token?a=1`, {
    method: "POST",
    headers,
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
    ...(body === undefined ? {} : { body }),
  });
  return { status: answer.status, text: await answer.text() };
}

test("a request reaches the issuer as it came, with the address that the proxy saw", async () => {
  const { status, text } = await ask("grant_type=x", { "x-forwarded-for": "192.0.2.7" });
  assert.is(status, 200);
  const told = { method: "POST", url: "/oauth/token?a=1", from: "127.0.0.1" };
  assert.equal(JSON.parse(text), { ...told, body: "grant_type=x" });
  assert.equal(JSON.parse((await ask()).text), { ...told, body: "" });
  assert.is((await ask("x".repeat(16_385))).status, 413);
  const chunked = request({ port, path: "/oauth/token?a=1", method: "POST" });
  chunked.write("in ");
  chunked.end("parts");
  const [answer] = await once(chunked, "response");
  let read = "";
  for await (const part of answer) read += part;
  assert.equal(JSON.parse(read), { ...told, body: "in parts" });
});

test("P-63 those who send their requests slowly keep nobody from the issuer", async () => {
  const slow = Array.from({ length: SLOW }, () => connect(port, "127.0.0.1"));
  try {
    for (const socket of slow) {
      socket.on("error", () => undefined);
      socket.write("POST /oauth/token HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nab");
    }
    await until("all are there", async () => {
      const there = await new Promise<number>((done) =>
        app.server.getConnections((_, n) => done(n)),
      );
      return there >= SLOW;
    });
    assert.is((await ask("grant_type=x")).status, 200);
  } finally {
    for (const socket of slow) socket.destroy();
  }
});

test.run();
