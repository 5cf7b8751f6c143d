/** The cloud as a client of a broker that is not ours: a real mosquitto, with the rules that keep cars apart. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectOutsideBroker, type OutsideBroker } from "@kerbside/broker";
import {
  CHANNELS,
  type Channel,
  ProtocolError,
  type SourceMessage,
  type TransportConnection,
  topicOf,
  upTopicOf,
} from "@kerbside/protocol";
import { mqttTransport } from "@kerbside/uplink";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { missingPackages, needs } from "../../support/debian.ts";
import { Mosquitto } from "../../support/mosquitto.ts";
import { realClock, silentLog } from "../../support/runtime.ts";
import { until } from "../../support/wait.ts";
import { makePki, type Pki, type TestCar } from "../identity/pki.ts";

const it = needs("mosquitto");
const dir = mkdtempSync(join(tmpdir(), "kb-outside-"));
const got: SourceMessage[] = [];
let refuse = 0;
let isOverQuota = false;
let overQuota = 0;
let fails: string | undefined;
let pki: Pki;
let cars: readonly [TestCar, TestCar];
let foreign: TestCar;
let broker: Mosquitto;
let cloud: OutsideBroker;

function optionsOf(): Parameters<typeof connectOutsideBroker>[0] {
  const file = (name: string): string => readFileSync(join(dir, name), "utf8");

  const tls = { ca: file("server-ca.pem"), cert: file("node.pem"), key: file("node.key") };
  return {
    host: "localhost",
    port: broker.port,
    node: "test",
    tls,
    clock: realClock,
    log: silentLog,
  };
}

/** A car as the agent connects, which may say that it is another one. */
async function joined(
  car: TestCar,
  heard: (channel: Channel, payload: Uint8Array) => void = () => undefined,
): Promise<TransportConnection> {
  const tls = { ca: pki.platform.rootCertificate, cert: car.cert, key: car.key };
  const transport = mqttTransport({
    ...{ address: car, host: "localhost", port: broker.port },
    ...{ tls: () => tls, clock: realClock },
  });
  const will = { topic: topicOf(car, "gone"), payload: new Uint8Array(16) };
  const events = { message: heard, closed: () => undefined };
  return transport.connect(events, will, AbortSignal.timeout(10_000));
}

test.before(async () => {
  if (missingPackages("mosquitto").length > 0) return;
  pki = await makePki();
  cars = [await pki.car("demo", "car-1"), await pki.car("demo", "car-2")];
  foreign = await pki.car("other", "car-1");
  const server = { ...pki.server, ca: pki.platform.rootCertificate };
  broker = await Mosquitto.start({ dir, server, cars: [...cars, foreign] });
  cloud = await connectOutsideBroker(optionsOf());
  await cloud.source.start(handle);
});

async function handle(message: SourceMessage): Promise<void> {
  if (isOverQuota && message.topic.lane === "track") {
    overQuota += 1;
    throw new ProtocolError("limit_reached", "quota ingestBytesPerDay: expected at most 0");
  }
  if (message.topic.tenant === fails) throw new ProtocolError("storage_failed", "disk full");
  if (refuse > 0) {
    refuse -= 1;
    throw new ProtocolError("storage_failed", "the disk is full");
  }
  got.push(message);
}
test.after(async () => {
  await cloud?.close();
  await broker?.stop();
  rmSync(dir, { recursive: true, force: true });
});
test.before.each(() => {
  got.length = 0;
});

it("what a car sends arrives once, on every channel, and the end of its connection too", async () => {
  const car = await joined(cars[0]);
  await car.publish(upTopicOf(cars[0], "critical"), Uint8Array.of(1));
  await car.publish(topicOf(cars[0], "session"), Uint8Array.of(2));
  await car.publish(topicOf(cars[0], "result"), Uint8Array.of(3));
  await car.close({ topic: topicOf(cars[0], "gone"), payload: Uint8Array.of(4) });
  await until("all four", () => got.length >= 4);
  const seen = got.map(({ topic, payload }) => [topic.channel, topic.lane, payload[0]].join(" "));
  assert.equal(seen.toSorted(), ["gone  4", "result  3", "session  2", "up critical 1"]);
  assert.ok(got.every(({ topic }) => topic.vehicle === "car-1"));
});

it("what was not taken over is handed over again", async () => {
  const car = await joined(cars[0]);
  refuse = 2;
  await car.publish(topicOf(cars[0], "result"), Uint8Array.of(9));
  await until("it was taken at last", () => got.length > 0);
  assert.equal([...(got[0]?.payload ?? [])], [9]);
  await car.close();
});

it("one tenant's failing store holds up nobody else, whatever its cars say, and loses nothing", async () => {
  const car = await joined(cars[0]);
  const heard: number[] = [];
  const other = await joined(foreign, (_channel, payload) => heard.push(payload[0] ?? 0));
  fails = "demo";
  // More than all connections may have unanswered.
  const SAID = 100;
  for (let i = 0; i < SAID; i += 1)
    await car.publish(topicOf(cars[0], i % 2 === 0 ? "result" : "session"), Uint8Array.of(i));
  await car.publish(upTopicOf(cars[0], "state"), Uint8Array.of(1));
  await other.publish(topicOf(foreign, "result"), Uint8Array.of(7));
  await other.publish(upTopicOf(foreign, "critical"), Uint8Array.of(8));
  await until("the other car is heard", () => got.length >= 2);
  assert.ok(got.every(({ topic }) => topic.tenant === "other"));
  await cloud.downlink.send(foreign, "command", Uint8Array.of(9));
  await until("and commanded", () => heard.length > 0);
  got.length = 0;
  fails = undefined;
  await until("all that was said", () => got.length >= SAID);
  // What was answered late is asked for again by the broker, and not handed over twice.
  await new Promise((done) => setTimeout(done, 3000));
  const said = got.map(({ payload }) => payload[0] ?? -1).toSorted((a, b) => a - b);
  assert.equal(
    said,
    Array.from({ length: SAID }, (_, i) => i),
  );
  await cloud.downlink.send(foreign, "command", Uint8Array.of(10));
  await until("and commanded again", () => heard.length > 1);
  await car.close();
  await other.close();
});

it("a tenant above its quota holds up nobody: what is not taken is not handed over again", async () => {
  const car = await joined(cars[0]);
  isOverQuota = true;
  // More than there are connections: each would be broken by one of them, again and again.
  for (let i = 0; i < 8; i += 1) await car.publish(upTopicOf(cars[0], "track"), Uint8Array.of(i));
  await until("all were refused", () => overQuota >= 8);
  const other = await joined(cars[1]);
  await other.publish(upTopicOf(cars[1], "track"), Uint8Array.of(1));
  await other.publish(topicOf(cars[1], "result"), Uint8Array.of(2));
  await until("another's result", () => got.length > 0);
  await until("all were refused", () => overQuota >= 9);
  // What was broken is back after a second (RECONNECT_MS), and would be handed over again by then.
  await new Promise((done) => setTimeout(done, 1500));
  assert.is(overQuota, 9, "each once");
  isOverQuota = false;
  await car.close();
  await other.close();
});

it("a command reaches its car and no other, and nobody who is away", async () => {
  const heard: string[] = [];
  const first = await joined(cars[0], (channel, payload) =>
    heard.push(`1 ${channel} ${payload[0]}`),
  );
  await cloud.downlink.send(cars[1], "command", Uint8Array.of(1));
  const second = await joined(cars[1], (channel) => heard.push(`2 ${channel}`));
  await cloud.downlink.send(cars[0], "command", Uint8Array.of(2));
  await cloud.downlink.send(cars[0], "time", Uint8Array.of(3));
  await until("both", () => heard.length >= 2);
  assert.equal(heard, ["1 command 2", "1 time 3"], "the one to the car that was away is gone");
  await first.close();
  await second.close();
});

it("P-01 the rules keep a car from what is another's, and from what is the cloud's", async () => {
  const car = await joined(cars[0]);
  for (const [channel, { from }] of Object.entries(CHANNELS)) {
    const other = `kb/v1/demo/car-2/${channel}`;
    const own = `kb/v1/demo/car-1/${channel}`;
    const topics = from === "car" ? [other] : [other, own];
    // mosquitto acknowledges what it drops (MQTT 3.1.1 knows no refusal), so what counts is what arrives.
    for (const topic of topics) await car.publish(topic, Uint8Array.of(1)).catch(() => undefined);
  }
  await car.publish(topicOf(cars[0], "result"), Uint8Array.of(7));
  await until("its own", () => got.length > 0);
  assert.equal(
    got.map(({ topic }) => `${topic.vehicle} ${topic.channel}`),
    ["car-1 result"],
  );
  await car.close();
});

it("P-01 who shows no certificate, or one of nobody, is not let in", async () => {
  const stranger = await (await makePki()).car("demo", "car-1");
  const refused = await joined(stranger).then(
    () => "let in",
    () => "refused",
  );
  assert.is(refused, "refused");
  const other = await connectOutsideBroker({
    ...optionsOf(),
    node: "stranger",
    tls: { ...optionsOf().tls, cert: stranger.cert, key: stranger.key },
  }).then(
    () => "let in",
    (error: unknown) => (error instanceof ProtocolError ? error.code : "a bug"),
  );
  assert.is(other, "unavailable");
});

it("no socket waits for more to send: request and reply take no 40 ms", async () => {
  const car = await joined(
    cars[0],
    () => void car.publish(topicOf(cars[0], "result"), Uint8Array.of(1)),
  );
  const took: number[] = [];
  for (let i = 0; i < 21; i += 1) {
    got.length = 0;
    const startedMs = performance.now();
    await cloud.downlink.send(cars[0], "command", new Uint8Array(200));
    await until("the reply", () => got.length > 0);
    took.push(performance.now() - startedMs);
  }
  const median = took.toSorted((a, b) => a - b)[10] ?? 0;
  assert.ok(median < 35, `${median} ms`);
  await car.close();
});

it("what came while the cloud was away waits for it, on each of its connections", async () => {
  const WAITED = 24;
  await cloud.close();
  const car = await joined(cars[0]);
  for (let i = 0; i < WAITED; i += 1)
    await car.publish(topicOf(cars[0], "result"), Uint8Array.of(i));
  cloud = await connectOutsideBroker(optionsOf());
  await cloud.source.start(handle);
  await until("all of it", () => got.length >= WAITED);
  const seen = new Set(got.map(({ payload }) => payload[0]));
  assert.is(seen.size, WAITED);
  await car.close();
});

it("a broker that comes back is gone on with, and while it is away nothing is sent later", async () => {
  await broker.stop();
  await until("it is noticed", async () => {
    const code = await cloud.downlink.send(cars[0], "command", Uint8Array.of(1)).then(
      () => "sent",
      (error: unknown) => (error instanceof ProtocolError ? error.code : "a bug"),
    );
    return code === "vehicle_offline";
  });
  await broker.run();
  const heard: number[] = [];
  const car = await joined(cars[0], (_channel, payload) => heard.push(payload[0] ?? 0));
  await until("it is sent again", () =>
    cloud.downlink.send(cars[0], "command", Uint8Array.of(5)).then(
      () => true,
      () => false,
    ),
  );
  // This broker keeps nothing over its restart: what comes before the cloud has subscribed anew goes to nobody.
  await until("it is heard again", async () => {
    await car.publish(topicOf(cars[0], "result"), Uint8Array.of(6));
    return got.length > 0;
  });
  await until("and commanded", () => heard.length > 0);
  assert.equal(heard, [5]);
  await car.close();
});

test.run();
