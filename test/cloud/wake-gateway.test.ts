/** Who rings sleeping cars: a real HTTPS gateway, its refusals, its silence, and a car that is rung too often. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RINGS_AN_HOUR_MAX, wakeGateway } from "@kerbside/cloud";
import { type Log, ProtocolError, tenantId, vehicleId } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { makeCertificate } from "../sim/rig.ts";
import { manualClock, silentLog } from "../support/runtime.ts";

const CAR = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
const TOKEN = "a token of the gateway's".replaceAll(" ", "-");

async function gateway() {
  const { certificate, key } = await makeCertificate();
  const heard: string[] = [];
  let status = 202;
  const server = createServer({ key, cert: certificate }, (request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      heard.push(`${request.method} ${request.url} ${request.headers.authorization} ${body}`);
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const dir = mkdtempSync(join(tmpdir(), "kerbside-wake-"));
  const file = join(dir, "gateway.json");
  const good = { url: `https://localhost:${port}/sms`, token: TOKEN, ca: certificate };
  const write = (content: unknown): void =>
    writeFileSync(file, JSON.stringify(content), { mode: 0o600 });
  write(good);
  const warned: string[] = [];
  const log: Log = { ...silentLog, warn: (_event, fields) => warned.push(`${fields?.["what"]}`) };
  const clock = manualClock();
  const ring = wakeGateway({ file, clock, log });
  return {
    ...{ heard, file, good, write, warned, clock, ring },
    answer: (with_: number): void => {
      status = with_;
    },
    close: async (): Promise<void> => {
      rmSync(dir, { recursive: true });
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function code(work: Promise<void>): Promise<string> {
  try {
    await work;
    return "done";
  } catch (error) {
    return error instanceof ProtocolError ? error.code : `bug: ${String(error)}`;
  }
}

test("the gateway is told the pseudonym, under its token, over TLS", async () => {
  const { heard, ring, close } = await gateway();
  assert.is(await code(ring(CAR)), "done");
  assert.equal(heard, [`POST /sms Bearer ${TOKEN} {"tenant":"demo","vehicle":"car-1"}`]);
  await close();
});

test("P-03 what is wrong with the gateway or its file is logged without its token, and nobody was rung", async () => {
  const { heard, ring, close, write, good, file, warned, answer } = await gateway();
  for (const wrong of [
    {},
    null,
    { ...good, url: good.url.replace("https", "http") },
    { ...good, url: "sms" },
    { ...good, token: "short" },
    { ...good, token: 7 },
    { ...good, ca: 7 },
  ]) {
    write(wrong);
    assert.is(await code(ring(CAR)), "unavailable", JSON.stringify(wrong).slice(0, 60));
  }
  const { ca: _, ...untrusted } = good;
  write(untrusted);
  assert.is(await code(ring(CAR)), "unavailable", "a certificate that nobody vouches for");
  write(good);
  chmodSync(file, 0o644);
  assert.is(await code(ring(CAR)), "unavailable", "a file that others can read");
  assert.equal(heard, []);
  chmodSync(file, 0o600);
  answer(503);
  assert.is(await code(ring(CAR)), "unavailable");
  assert.is(heard.length, 1);
  assert.not.match(warned.join(" "), TOKEN);
  await close();
});

test("a car is rung so many times an hour, each car by itself", async () => {
  const { heard, ring, clock, close } = await gateway();
  for (let i = 0; i < RINGS_AN_HOUR_MAX; i += 1) assert.is(await code(ring(CAR)), "done");
  assert.is(await code(ring(CAR)), "limit_reached");
  assert.is(await code(ring({ ...CAR, vehicle: vehicleId("car-2") })), "done");
  clock.pass(3_600_000);
  assert.is(await code(ring(CAR)), "done");
  assert.is(heard.length, RINGS_AN_HOUR_MAX + 2);
  await close();
});

test.run();
