/** What nobody may do to the broker, each row tried over real TLS. */
import { once } from "node:events";
import { createConnection } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { clientIdOf, topicOf, upTopicOf } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { makePki, recordOf, type TestCar, vehicleKey } from "../identity/pki.ts";
import { connectPacket, ended, makeWorld, packetHead, type World } from "./harness.ts";

let world: World;
let car: TestCar;
test.before.each(async () => {
  world = await makeWorld();
  car = await world.enrolled("demo", "car-1");
});
test.after.each(() => world.close());

/** Whether the broker accepts a connection of this car. */
async function accepted(who: TestCar, options: object = {}): Promise<boolean> {
  try {
    await world.connect(who, options);
    return true;
  } catch {
    return false;
  }
}

/** Resolves when the other side has closed; what it sent before, in bytes. */
async function closing(socket: TLSSocket): Promise<Buffer> {
  const parts: Buffer[] = [];
  socket.on("data", (part: Buffer) => parts.push(part));
  if (!socket.destroyed) await once(socket, "close");
  return Buffer.concat(parts);
}

type Stranger = { readonly why: string; readonly who: () => Promise<TestCar> };
const STRANGERS: readonly Stranger[] = [
  {
    why: "a car that is enrolled nowhere",
    who: () => world.pki.car("demo", "car-9"),
  },
  {
    why: "another tenant's authority has put this tenant's name to it",
    who: async () => {
      const impostor = await world.pki.impostor("other", "demo");
      const forged = await world.pki.car("demo", "car-1", impostor);
      world.records.set(vehicleKey(car), recordOf(forged));
      return forged;
    },
  },
  {
    why: "an authority that is none of ours",
    who: async () => (await makePki()).car("demo", "car-1"),
  },
  {
    why: "a certificate that has run out",
    who: async () => {
      const past = await makePki(() => Date.now() - 400 * 86_400_000);
      return past.car("demo", "car-1");
    },
  },
  {
    why: "a revoked car",
    who: async () => {
      world.records.set(vehicleKey(car), { ...recordOf(car), revokedAtMs: 1 });
      return car;
    },
  },
  {
    why: "a certificate that was replaced by a newer one",
    who: async () => {
      const newer = await world.pki.car("demo", "car-1");
      world.records.set(vehicleKey(car), recordOf(newer));
      return car;
    },
  },
];
for (const { why, who } of STRANGERS) {
  test(`P-01 refused: ${why}`, async () => {
    assert.not(await accepted(await who()));
    assert.equal(world.messages, []);
  });
}

test("P-01 another car's certificate under this car's client id is refused", async () => {
  const other = await world.enrolled("demo", "car-2");
  assert.not(await accepted(other, { clientId: clientIdOf(car) }));
  assert.is(world.broker.refusals().client_id, 1);
});

test("P-01 a car of another tenant under this tenant's client id is refused", async () => {
  const other = await world.enrolled("other", "car-1");
  assert.not(await accepted(other, { clientId: clientIdOf(car) }));
  assert.ok(await accepted(other));
});

test("P-01 no certificate, TLS 1.2 and plain text are refused before MQTT", async () => {
  const ca = world.pki.platform.rootCertificate;
  const { key, cert } = car;
  const common = { host: "localhost", port: world.broker.port, ca };
  for (const options of [common, { ...common, key, cert, maxVersion: "TLSv1.2" as const }]) {
    const socket = connectTls(options);
    const failed = new Promise<void>((resolve) => {
      socket.once("error", () => resolve());
      socket.once("close", () => resolve());
    });
    socket.once("secureConnect", () => socket.write(connectPacket(clientIdOf(car))));
    await failed;
    socket.destroy();
  }
  const plain = createConnection(world.broker.port, "localhost");
  plain.on("error", () => undefined);
  plain.resume();
  plain.write(connectPacket(clientIdOf(car)));
  await once(plain, "close");
  assert.equal(world.messages, []);
  assert.ok(world.broker.refusals().tls >= 3);
  assert.ok(await accepted(car), "the broker goes on");
});

const CLIENT_IDS = ["__proto__", "constructor", "", "demo", "demo.car-1.x", "demo.__proto__", "#"];
for (const clientId of CLIENT_IDS) {
  test(`the client id ${JSON.stringify(clientId)} is refused, and the broker goes on`, async () => {
    const socket = await world.raw(car);
    const end = closing(socket);
    socket.write(connectPacket(clientId));
    assert.is((await end).length, 0);
    assert.ok(await accepted(car));
  });
}

type Bytes = { readonly why: string; readonly bytes: () => Buffer; readonly counts: string };
const PUBLISH_HEAD = (flags: number, length: number): Buffer => packetHead(0x30 | flags, length);
const BYTES: readonly Bytes[] = [
  {
    why: "a packet that claims 256 MB",
    bytes: () => Buffer.from([0x32, 0xff, 0xff, 0xff, 0x7f]),
    counts: "packet_length",
  },
  {
    why: "a packet just above the largest",
    bytes: () => PUBLISH_HEAD(2, 256 * 1024 + 133),
    counts: "packet_length",
  },
  {
    why: "a length of five bytes",
    bytes: () => Buffer.from([0x32, 0x80, 0x80, 0x80, 0x80]),
    counts: "packet_length",
  },
  { why: "a retained message", bytes: () => PUBLISH_HEAD(0b0011, 10), counts: "packet_flags" },
  { why: "QoS 2", bytes: () => PUBLISH_HEAD(0b0100, 10), counts: "packet_flags" },
  { why: "a PINGREQ with a body", bytes: () => Buffer.from([0xc0, 1]), counts: "packet_length" },
  { why: "a second CONNECT", bytes: () => Buffer.from([0x10]), counts: "packet_type" },
  {
    why: "a packet that only servers send",
    bytes: () => Buffer.from([0x20]),
    counts: "packet_type",
  },
  { why: "the type 0", bytes: () => Buffer.from([0x00]), counts: "packet_type" },
];
for (const { why, bytes, counts } of BYTES) {
  test(`refused by its first bytes: ${why}`, async () => {
    const socket = await world.raw(car);
    socket.write(connectPacket(clientIdOf(car)));
    await once(socket, "data");
    const end = closing(socket);
    socket.write(bytes());
    await end;
    const counted = Object.entries(world.broker.refusals()).filter(([, count]) => count > 0);
    assert.equal(counted, [[counts, 1]]);
  });
}

test("an oversize CONNECT is refused before anything of it is buffered", async () => {
  const socket = await world.raw(car);
  const end = closing(socket);
  socket.write(Buffer.from([0x10, 0xff, 0xff, 0x7f]));
  await end;
  assert.is(world.broker.refusals().packet_length, 1);
});

test("anything before CONNECT is refused", async () => {
  const socket = await world.raw(car);
  const end = closing(socket);
  socket.write(PUBLISH_HEAD(2, 20));
  await end;
  assert.is(world.broker.refusals().packet_type, 1);
});

test("what stands behind a CONNECT that is refused is never looked at", async () => {
  world.records.clear();
  const socket = await world.raw(car);
  const end = closing(socket);
  const publish = Buffer.concat([PUBLISH_HEAD(0, 24), Buffer.from("\0\x16kb/v1/demo/car-1/up/x")]);
  socket.write(Buffer.concat([connectPacket(clientIdOf(car)), publish]));
  // CONNACK with the code 5, not authorized (§ 3.2.2.3), and nothing else.
  assert.is((await end).toString("hex"), "20020005");
  assert.equal(world.messages, []);
});

const CONNECTS: readonly { why: string; options: () => object; counts: string }[] = [
  { why: "clean=false", options: () => ({ clean: false }), counts: "clean_session" },
  { why: "MQTT 5", options: () => ({ protocolVersion: 5 }), counts: "protocol_version" },
  { why: "no keep-alive", options: () => ({ keepalive: 0 }), counts: "keepalive" },
  { why: "a keep-alive of a day", options: () => ({ keepalive: 65_535 }), counts: "keepalive" },
  {
    why: "a will on another car's topic",
    options: () => ({
      will: { topic: "kb/v1/demo/car-2/gone", payload: Buffer.from("x"), qos: 0 },
    }),
    counts: "will",
  },
  {
    why: "a will on another channel",
    options: () => ({ will: { topic: topicOf(car, "session"), payload: Buffer.of(1), qos: 0 } }),
    counts: "will",
  },
  {
    why: "a retained will",
    options: () => ({
      will: { topic: topicOf(car, "gone"), payload: Buffer.of(1), qos: 0, retain: true },
    }),
    counts: "will",
  },
  {
    why: "a will on $SYS",
    options: () => ({ will: { topic: "$SYS/x", payload: Buffer.of(1), qos: 0 } }),
    counts: "will",
  },
  {
    why: "a will above its bound",
    options: () => ({ will: { topic: topicOf(car, "gone"), payload: Buffer.alloc(65), qos: 0 } }),
    counts: "will",
  },
];
for (const { why, options, counts } of CONNECTS) {
  test(`a CONNECT is refused: ${why}`, async () => {
    assert.not(await accepted(car, options()));
    assert.is(Object.entries(world.broker.refusals()).find(([, n]) => n > 0)?.[0], counts);
    assert.equal(world.messages, []);
  });
}

const PUBLISHES: readonly { why: string; topic: () => string; size?: number; counts: string }[] = [
  { why: "another car's topic", topic: () => "kb/v1/demo/car-2/up/state", counts: "topic" },
  { why: "another tenant's topic", topic: () => "kb/v1/other/car-1/up/state", counts: "topic" },
  { why: "a forged acknowledgement", topic: () => topicOf(car, "ack"), counts: "topic" },
  { why: "a forged command", topic: () => topicOf(car, "command"), counts: "topic" },
  { why: "$SYS", topic: () => "$SYS/x", counts: "topic" },
  { why: "no topic of ours", topic: () => "hello", counts: "topic" },
  { why: "no lane", topic: () => "kb/v1/demo/car-1/up/", counts: "topic" },
  {
    why: "a payload above its channel's bound",
    topic: () => topicOf(car, "session"),
    size: 4097,
    counts: "payload_length",
  },
];
for (const { why, topic, size = 1, counts } of PUBLISHES) {
  for (const qos of [0, 1] as const) {
    test(`a car that publishes on ${why} with QoS ${qos} is disconnected, and nobody gets it`, async () => {
      const victim = await world.enrolled("demo", "car-2");
      const listener = await world.connect(victim);
      await listener.subscribeAsync(["ack", "command"].map((c) => `kb/v1/demo/car-2/${c}`));
      const heard: string[] = [];
      listener.on("message", (at) => heard.push(at));
      const client = await world.connect(car);
      client.publish(topic(), Buffer.alloc(size), { qos });
      await ended(client);
      assert.is(Object.entries(world.broker.refusals()).find(([, n]) => n > 0)?.[0], counts);
      assert.equal(
        world.messages.filter((m) => m.topic.channel !== "gone"),
        [],
      );
      await listener.publishAsync("kb/v1/demo/car-2/up/state", Buffer.of(1), { qos: 1 });
      assert.equal(heard, []);
    });
  }
}

const SUBSCRIPTIONS = [
  "#",
  "+",
  "kb/v1/#",
  "kb/v1/demo/+/command",
  "kb/v1/demo/car-1/#",
  "kb/v1/demo/car-1/+",
  "kb/v1/demo/car-2/command",
  "kb/v1/other/car-1/command",
  "kb/v1/demo/car-1/up/state",
  "$SYS/#",
  "$share/x/kb/v1/demo/car-1/command",
];
test("wildcards, others' topics and $SYS cannot be subscribed to, alone or beside one's own", async () => {
  const other = await world.connect(await world.enrolled("demo", "car-2"));
  await other.subscribeAsync("kb/v1/demo/car-2/command");
  const client = await world.connect(car);
  const heard: string[] = [];
  client.on("message", (at) => heard.push(at));
  for (const topic of SUBSCRIPTIONS) {
    const error = await client.subscribeAsync(topic).catch((e: unknown) => e);
    assert.instance(error, Error, topic);
  }
  const mixed = await client
    .subscribeAsync(["kb/v1/demo/car-1/ack", "kb/v1/demo/car-2/command"])
    .catch((e: unknown) => e);
  assert.instance(mixed, Error);
  const own = new Promise((resolve) => client.once("message", resolve));
  const car2 = { ...car, vehicle: (await world.enrolled("demo", "car-2")).vehicle };
  await world.broker.downlink.send(car2, "command", Buffer.from("secret"));
  await world.broker.downlink.send(car, "ack", Buffer.from("mine"));
  await own;
  assert.equal(heard, ["kb/v1/demo/car-1/ack"]);
});

test("nothing is kept for a car that comes back: the leak of a mixed SUBSCRIBE has no session to hide in", async () => {
  const first = await world.connect(car);
  await first
    .subscribeAsync(["kb/v1/demo/car-1/command", "kb/v1/demo/car-2/command"])
    .catch(() => undefined);
  await first.endAsync();
  const second = await world.connect(car);
  const heard: string[] = [];
  second.on("message", (at) => heard.push(at));
  await second.publishAsync(upTopicOf(car, "state"), Buffer.of(1), { qos: 1 });
  const answer = await world.broker.downlink
    .send(car, "command", Buffer.of(1))
    .catch((e: unknown) => e);
  assert.instance(answer, Error, "the subscription went with the connection");
  assert.equal(heard, []);
});

test("P-63 an address that is refused too often is closed before TLS, and let in again later", async () => {
  await world.close();
  let ahead = 0;
  const limits = { refusalsMax: 3, refusalEveryMs: 60_000 };
  world = await makeWorld({ limits, aheadMs: () => ahead });
  const stranger = await world.pki.car("demo", "car-9");
  for (let i = 0; i < 6; i += 1) assert.not(await accepted(stranger));
  assert.is(world.broker.refusals().identity, 3);
  assert.is(world.broker.refusals().too_many_refusals, 3);
  car = await world.enrolled("demo", "car-1");
  assert.not(await accepted(car));
  ahead += 60_000;
  assert.ok(await accepted(car));
});

test("P-63 an address of the block list is closed before TLS, whoever calls", async () => {
  await world.close();
  let listed = false;
  world = await makeWorld({ blocked: (address) => listed && address === "127.0.0.1" });
  car = await world.enrolled("demo", "car-1");
  assert.ok(await accepted(car));
  listed = true;
  assert.not(await accepted(car));
  assert.is(world.broker.refusals().blocked, 1);
});

test("a connection that says nothing is closed", async () => {
  await world.close();
  world = await makeWorld({ limits: { acceptMsMax: 1000 } });
  car = await world.enrolled("demo", "car-1");
  const silent = await world.raw(car);
  await closing(silent);
  const plain = createConnection(world.broker.port, "localhost");
  plain.resume();
  await once(plain, "close");
  assert.is(world.broker.refusals().accept_timeout, 1);
});

test("connections above the bound are closed", async () => {
  await world.close();
  world = await makeWorld({ limits: { connectionsMax: 1 } });
  car = await world.enrolled("demo", "car-1");
  const first = await world.connect(car);
  const second = await world.enrolled("demo", "car-2");
  assert.not(await accepted(second));
  assert.is(world.broker.refusals().too_many_connections, 1);
  await first.endAsync();
  await world.message(({ topic }) => topic.channel === "gone");
  while (!(await accepted(second)));
});

test.run();
