/** Delivery over a real broker and real TLS, through a proxy that cuts, delays and goes silent. */
import type { Buffer as CarBuffer } from "@kerbside/buffer";
import { LANES, openSession, randomBytes, sealAck, toHex, verifyKey } from "@kerbside/protocol";
import type { Uplink } from "@kerbside/uplink";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { randomOf } from "../../fuzz/random.ts";
import { ADDRESS } from "../../support/car-cloud.ts";
import { until } from "../../support/wait.ts";
import { note } from "../buffer/harness.ts";
import { type Line, line } from "./harness.ts";

let l: Line;
let buffer: CarBuffer;
let uplink: Uplink;
test.before.each(async () => {
  l = await line();
  buffer = await l.openBuffer();
});
test.after.each(async () => {
  await l.close();
});

const held = (): number => Object.values(buffer.status().segments).reduce((a, b) => a + b, 0);
const stored = (): number => l.cloud.events().size;

async function append(count: number, from = 0): Promise<void> {
  const all = Array.from({ length: count }, (_, i) =>
    buffer.append(note("x", from + i), LANES[i % LANES.length]),
  );
  await Promise.all(all);
}

test("P-01 a session is announced, signed, over mutual TLS, and all events arrive and are forgotten", async () => {
  uplink = l.start(buffer);
  await append(30);
  await until("all events stored", () => stored() === 30);
  await until("all forgotten", () => held() === 0);
  const session = l.received.find(({ topic }) => topic.channel === "session");
  assert.ok(session);
  const said = openSession(verifyKey(l.identity.signingKey.publicKey), session.payload);
  assert.is(said.reason, "start");
  assert.equal(Buffer.from(said.epoch), Buffer.from(l.session.epoch()));
  l.cloud.checkChains();
});

test("on a connection that lasts the time is asked for anew where it is wanted, by a nonce of its own", async () => {
  let isOn = false;
  let looks = 0;
  const wantsTime = (): boolean => {
    if (isOn) looks += 1;
    return looks === 1 || looks === 2;
  };
  // A connection that a stalled machine gives up would be announced too.
  const limits = { timeLookMs: 50, publishTimeoutMs: 60_000, ackTimeoutMs: 60_000 };
  uplink = l.start(buffer, { wantsTime, limits });
  const said = () =>
    l.received
      .filter(({ topic }) => topic.channel === "session")
      .map(({ payload }) => openSession(verifyKey(l.identity.signingKey.publicKey), payload));
  await until("online", () => said().length > 0);
  isOn = true;
  await until("more looks than wishes", () => looks >= 5);
  // What was appended after an announcement comes after it.
  await append(1);
  await until("all events stored", () => stored() === 1);
  assert.equal(
    said().map(({ reason, announcement }) => [reason, announcement]),
    [
      ["start", 1],
      ["change", 2],
      ["change", 3],
    ],
  );
  assert.is(new Set(said().map(({ timeNonce }) => toHex(timeNonce ?? new Uint8Array()))).size, 3);
});

test("a farewell names the epoch", async () => {
  uplink = l.start(buffer);
  await until("online", () => uplink.status().state === "online");
  await uplink.close();
  await until("gone", () => l.received.some(({ topic }) => topic.channel === "gone"));
  const gone = l.received.find(({ topic }) => topic.channel === "gone");
  assert.is(toHex(gone?.payload ?? new Uint8Array()), toHex(l.session.epoch()));
});

const seed = Date.now() % 1e9;
test(`cut at random points of the stream, everything arrives once (seed ${seed})`, async () => {
  const random = randomOf(seed);
  uplink = l.start(buffer);
  let cutAt = 3000;
  l.proxy.onUp((bytes) => {
    if (bytes < cutAt) return;
    cutAt = 2500 + random.int(6000);
    l.proxy.cut();
  });
  let sent = 0;
  while (sent < 1800 && l.proxy.connections() < 6) {
    await append(9, sent);
    sent += 9;
    // Now and then more piles up than is on the way.
    if (random.bool(0.8)) await until("this much stored", () => stored() === sent);
  }
  assert.ok(l.proxy.connections() >= 6, "it was cut often enough");
  l.proxy.onUp(undefined);
  await until("all events stored", () => stored() === sent);
  await until("all forgotten", () => held() === 0);
  l.cloud.checkChains();
});

test("without acknowledgement nothing is forgotten, whatever the broker confirms", async () => {
  l.setIngest("mute");
  uplink = l.start(buffer, { limits: { ackTimeoutMs: 100 } });
  await append(3);
  await until("sent more than once", () => uplink.status().segmentsSent > held() && stored() === 3);
  assert.ok(held() > 0);
  l.setIngest("store");
  await append(1, 3);
  await until("all forgotten", () => held() === 0);
  assert.is(stored(), 4);
});

test("forged and foreign acknowledgements are ignored", async () => {
  l.setIngest("mute");
  uplink = l.start(buffer);
  await append(3);
  await until("all events stored", () => stored() === 3);
  const before = held();
  const [log] = l.cloud.logs();
  assert.ok(log !== undefined && before > 0);
  const good = l.cloud.ackOf(log);
  const forged = Uint8Array.from(good);
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
  const foreign = sealAck(randomBytes(32), { ...ADDRESS, log: randomBytes(16), lanes: [] });
  for (const payload of [forged, foreign, Uint8Array.of(0xff), new Uint8Array()]) {
    await l.broker.downlink.send(ADDRESS, "ack", payload);
  }
  await until("all ignored", () => uplink.status().acksIgnored === 4);
  assert.is(held(), before);
  await l.broker.downlink.send(ADDRESS, "ack", good);
  await until("all forgotten", () => held() === 0);
});

test("a half-open connection is found and replaced", async () => {
  uplink = l.start(buffer, { limits: { publishTimeoutMs: 300 } });
  await append(3);
  await until("all forgotten", () => held() === 0);
  l.proxy.silence(true);
  await append(3, 3);
  await until("given up", () => uplink.status().state !== "online");
  l.proxy.cut();
  l.proxy.silence(false);
  await until("all events stored", () => stored() === 6);
});

test("a half-open connection is found by keep-alive where nothing is sent", async () => {
  uplink = l.start(buffer, { keepaliveS: 1 });
  await until("online", () => uplink.status().state === "online");
  l.proxy.silence(true);
  await until("given up", () => uplink.status().state !== "online");
  l.proxy.cut();
  l.proxy.silence(false);
  await until("back", () => uplink.status().state === "online" && uplink.status().connections > 1);
});

test("a broker that takes nothing is left, and what was sent is sent again", async () => {
  l.setIngest("stuck");
  uplink = l.start(buffer, { limits: { publishTimeoutMs: 200 } });
  await append(3);
  await until("a new connection", () => uplink.status().connections > 1);
  l.setIngest("store");
  await until("all events stored", () => stored() === 3);
});

test("the window bounds what is under way, and critical has room beyond it", async () => {
  l.setIngest("mute");
  const limits = { windowSegments: 4, windowCriticalSegments: 2, ackTimeoutMs: 60_000 };
  uplink = l.start(buffer, { limits });
  await until("online", () => uplink.status().state === "online");
  for (let i = 0; i < 6; i += 1) {
    const before = buffer.status().segments.state;
    await buffer.append(note("x", i), "state");
    await until("a segment", () => buffer.status().segments.state > before);
  }
  await until("the window is full", () => uplink.status().underWay === 4);
  assert.is(uplink.status().segmentsSent, 4);
  for (let i = 0; i < 5; i += 1) await buffer.append(note("x", i), "critical");
  await until("the room beyond it is full", () => uplink.status().underWay === 6);
  assert.is(uplink.status().segmentsSent, 6);
});

test("an agent that is started while there is no network delivers when there is", async () => {
  l.proxy.refuse(true);
  uplink = l.start(buffer);
  await append(9);
  await until("some attempts", () => uplink.status().reason !== undefined);
  l.proxy.refuse(false);
  await until("all events stored", () => stored() === 9);
});

test("closing ends at once, also in the middle of connecting", async () => {
  l.proxy.silence(true);
  uplink = l.start(buffer);
  const began = performance.now();
  await uplink.close();
  assert.ok(performance.now() - began < 2000);
  assert.is(uplink.status().state, "closed");
});

test.run();
