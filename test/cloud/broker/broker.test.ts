/** What the broker does for cars that may be there. */
import { randomBytes } from "node:crypto";
import {
  clientIdOf,
  ProtocolError,
  type SourceMessage,
  toHex,
  topicOf,
  upTopicOf,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { seeded } from "../../support/seeded.ts";
import { connectPacket, ended, makeWorld, packetHead, type World, willOf } from "./harness.ts";

let world: World;
let handler: (message: SourceMessage) => Promise<void>;
test.before.each(async () => {
  handler = async () => undefined;
  world = await makeWorld({ handler: (message) => handler(message) });
});
test.after.each(() => world.close());

const isUp = ({ topic }: SourceMessage): boolean => topic.channel === "up";

test("hands a message over with the car's proven identity, and acknowledges it then", async () => {
  const car = await world.enrolled("demo", "car-1");
  const client = await world.connect(car);
  await client.publishAsync(upTopicOf(car, "state"), Buffer.from("x"), { qos: 1 });
  const [message] = world.messages;
  assert.equal(message?.topic, {
    tenant: car.tenant,
    vehicle: car.vehicle,
    channel: "up",
    lane: "state",
  });
  assert.equal(message?.certificate?.serial, car.serial);
  assert.equal(Buffer.from(message?.payload ?? []).toString(), "x");
});

test("PUBACK follows the handler, and comes in the order of the messages", async () => {
  const car = await world.enrolled("demo", "car-1");
  const client = await world.connect(car);
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  handler = ({ payload }) => gates[payload[0] ?? 0]?.promise ?? Promise.resolve();
  const order: number[] = [];
  const sent = [0, 1].map((i) =>
    client
      .publishAsync(upTopicOf(car, "state"), Buffer.of(i), { qos: 1 })
      .then(() => order.push(i)),
  );
  await world.message(({ payload }) => payload[0] === 1);
  gates[1]?.resolve();
  // A round trip of another message's session shows that nothing was acknowledged meanwhile.
  const other = await world.connect(await world.enrolled("demo", "car-2"));
  handler = async () => undefined;
  await other.publishAsync("kb/v1/demo/car-2/up/state", Buffer.of(9), { qos: 1 });
  assert.equal(order, []);
  gates[0]?.resolve();
  await Promise.all(sent);
  assert.equal(order, [0, 1]);
});

test("a handler that fails leaves the message unacknowledged and ends the connection", async () => {
  const car = await world.enrolled("demo", "car-1");
  const client = await world.connect(car);
  handler = async ({ topic }) => {
    if (topic.channel === "up") throw new ProtocolError("storage_failed", "disk");
  };
  let acknowledged = false;
  client.publish(upTopicOf(car, "state"), Buffer.of(1), { qos: 1 }, (error) => {
    acknowledged = error === undefined;
  });
  await ended(client);
  assert.not(acknowledged);
  assert.is(world.broker.refusals().handler, 1);
});

test("a car of a tenant above its quota keeps its connection, and is sent commands", async () => {
  const car = await world.enrolled("demo", "car-1");
  const client = await world.connect(car);
  await client.subscribeAsync(topicOf(car, "command"));
  handler = async ({ topic }) => {
    if (topic.lane === "track") throw new ProtocolError("limit_reached", "quota: expected less");
  };
  for (let i = 0; i < 3; i += 1)
    await client.publishAsync(upTopicOf(car, "track"), Buffer.of(i), { qos: 1 });
  await client.publishAsync(upTopicOf(car, "critical"), Buffer.of(9), { qos: 1 });
  const heard = new Promise<[string, Buffer]>((resolve) => {
    client.once("message", (topic, payload) => resolve([topic, payload]));
  });
  await world.broker.downlink.send(car, "command", Uint8Array.of(7));
  assert.equal(await heard, [topicOf(car, "command"), Buffer.of(7)]);
  assert.is(world.broker.refusals().handler, 0);
  // On any other channel nobody has it but the car, which asks to be told that it was taken.
  handler = async () => {
    throw new ProtocolError("limit_reached", "too much");
  };
  client.publish(topicOf(car, "result"), Buffer.of(1), { qos: 1 });
  await ended(client);
});

test("sends to a car that listens, now or never", async () => {
  const car = await world.enrolled("demo", "car-1");
  const offline = await world.broker.downlink
    .send(car, "command", Buffer.from("a"))
    .catch((error: unknown) => error);
  assert.ok(offline instanceof ProtocolError && offline.code === "vehicle_offline");
  const client = await world.connect(car);
  const deaf = await world.broker.downlink
    .send(car, "command", Buffer.from("b"))
    .catch((error: unknown) => error);
  assert.ok(deaf instanceof ProtocolError && deaf.code === "vehicle_offline");
  const got = new Promise<string>((resolve) => {
    client.once("message", (topic, payload) => resolve(`${topic} ${payload}`));
  });
  await client.subscribeAsync(topicOf(car, "command"), { qos: 1 });
  await world.broker.downlink.send(car, "command", Buffer.from("c"));
  // What was refused before was queued nowhere: the first to arrive is the third.
  assert.is(await got, `${topicOf(car, "command")} c`);
});

test("refuses to send what does not fit the channel", async () => {
  const car = await world.enrolled("demo", "car-1");
  await world.connect(car);
  for (const [channel, size] of [
    ["command", 4097],
    ["gone", 1],
    ["up", 1],
  ] as const) {
    const error = await world.broker.downlink
      .send(car, channel, new Uint8Array(size))
      .catch((e: unknown) => e);
    assert.ok(error instanceof ProtocolError && error.code === "malformed", channel);
  }
});

type Going = { readonly why: string; readonly go: (w: World) => Promise<void> };
const GOINGS: readonly Going[] = [
  {
    why: "a connection that breaks",
    go: async (w) => {
      const car = await w.enrolled("demo", "car-1");
      const client = await w.connect(car, { will: willOf(car, "epoch") });
      client.stream.destroy();
    },
  },
  {
    why: "a DISCONNECT, which withdraws the will",
    go: async (w) => {
      const car = await w.enrolled("demo", "car-1");
      const client = await w.connect(car, { will: willOf(car, "epoch") });
      await client.endAsync();
    },
  },
  {
    why: "a violation",
    go: async (w) => {
      const car = await w.enrolled("demo", "car-1");
      const client = await w.connect(car, { will: willOf(car, "epoch") });
      client.publish("kb/v1/demo/car-2/up/state", Buffer.of(1), { qos: 1 });
      await ended(client);
    },
  },
  {
    why: "the operator ends it",
    go: async (w) => {
      const car = await w.enrolled("demo", "car-1");
      await w.connect(car, { will: willOf(car, "epoch") });
      w.broker.disconnect(car);
      assert.not(w.broker.connected(car));
    },
  },
];
for (const { why, go } of GOINGS) {
  test(`gone is handed over once, with what the car left: ${why}`, async () => {
    await go(world);
    const gone = await world.message(({ topic }) => topic.channel === "gone");
    assert.is(Buffer.from(gone.payload).toString(), "epoch");
    await world.broker.source.stop();
    assert.is(world.messages.filter(({ topic }) => topic.channel === "gone").length, 1);
  });
}

test("a new connection of a car takes over, and the old one's gone comes before what it says", async () => {
  const car = await world.enrolled("demo", "car-1");
  const first = await world.connect(car, { will: willOf(car, "old") });
  // The handler of the old one's end is slow, by far more than the way of a message; the new session's announcement must not overtake it.
  const finished: string[] = [];
  handler = async ({ topic, payload }) => {
    if (topic.channel === "gone") await new Promise((resolve) => setTimeout(resolve, 50));
    finished.push(`${topic.channel} ${Buffer.from(payload)}`);
  };
  const over = ended(first);
  const second = await world.connect(car, { will: willOf(car, "new") });
  await over;
  await second.publishAsync(topicOf(car, "session"), Buffer.from("hello"), { qos: 1 });
  assert.equal(finished, ["gone old", "session hello"]);
  assert.ok(world.broker.connected(car));
});

test("gone is tried again when the handler fails", async () => {
  const car = await world.enrolled("demo", "car-1");
  const client = await world.connect(car, { will: willOf(car, "epoch") });
  const twice = Promise.withResolvers<void>();
  let calls = 0;
  handler = async ({ topic }) => {
    if (topic.channel !== "gone") return;
    calls += 1;
    if (calls === 1) throw new ProtocolError("storage_failed", "disk");
    twice.resolve();
  };
  client.stream.destroy();
  await twice.promise;
});

test("messages above the bound of what is under way wait in the socket, and none is lost", async () => {
  await world.close();
  const open = Promise.withResolvers<void>();
  let together = 0;
  let most = 0;
  world = await makeWorld({
    limits: { inflightMessagesMax: 4, messagesPerS: 10_000, messagesBurst: 10_000 },
    handler: async (message) => {
      if (!isUp(message)) return;
      together += 1;
      most = Math.max(most, together);
      if (together === 4) open.resolve();
      await open.promise;
      together -= 1;
    },
  });
  const car = await world.enrolled("demo", "car-1");
  const client = await world.connect(car);
  const all = Array.from({ length: 100 }, (_, i) =>
    client.publishAsync(upTopicOf(car, "track"), Buffer.of(i), { qos: 1 }),
  );
  await Promise.all(all);
  assert.is(most, 4);
  assert.equal(
    world.messages.filter(isUp).map(({ payload }) => payload[0]),
    Array.from({ length: 100 }, (_, i) => i),
  );
});

test("P-63 a car above its rate is slowed down and loses nothing, and connecting again does not help", async () => {
  await world.close();
  world = await makeWorld({ limits: { messagesPerS: 100, messagesBurst: 5 } });
  const car = await world.enrolled("demo", "car-1");
  const began = performance.now();
  for (let i = 0; i < 3; i += 1) {
    const client = await world.connect(car);
    const all = Array.from({ length: 10 }, () =>
      client.publishAsync(upTopicOf(car, "track"), Buffer.of(i), { qos: 1 }),
    );
    await Promise.all(all);
    client.stream.destroy();
  }
  // 5 of the burst, the other 25 at 100 a second.
  assert.ok(performance.now() - began >= 240, `took ${performance.now() - began} ms`);
  assert.is(world.messages.filter(isUp).length, 30);
});

test("the cars of a tenant that was removed are disconnected, and no others", async () => {
  const [mine, theirs] = [
    await world.enrolled("demo", "car-1"),
    await world.enrolled("rival", "car-1"),
  ];
  const [gone, kept] = [await world.connect(mine), await world.connect(theirs)];
  const closed = new Promise((resolve) => gone.stream.once("close", resolve));
  world.broker.disconnectTenant(mine.tenant);
  await closed;
  assert.not(world.broker.connected(mine));
  assert.ok(world.broker.connected(theirs));
  assert.ok(kept.connected);
});

test("two copies of a car that take turns are slowed down", async () => {
  await world.close();
  let ahead = 0;
  const limits = { connectsBurst: 3, connectEveryMs: 60_000 };
  world = await makeWorld({ limits, aheadMs: () => ahead });
  const car = await world.enrolled("demo", "car-1");
  for (let i = 0; i < 3; i += 1) await world.connect(car);
  assert.is(await world.connect(car).catch(() => "refused"), "refused");
  assert.is(world.broker.refusals().connect_rate, 1);
  ahead += 60_000;
  assert.is.not(await world.connect(car).catch(() => "refused"), "refused");
});

test("what a car sends behind its CONNECT waits for its acceptance, however much it is", async () => {
  const car = await world.enrolled("demo", "car-1");
  const socket = await world.raw(car);
  const topic = Buffer.from(upTopicOf(car, "track"));
  const publish = Buffer.concat([Buffer.from([0x30, topic.length + 3, 0, topic.length]), topic]);
  const packets = Array.from({ length: 200 }, (_, i) => Buffer.concat([publish, Buffer.of(i)]));
  socket.write(Buffer.concat([connectPacket(clientIdOf(car)), ...packets]));
  await world.message(({ payload }) => payload[0] === 199);
  assert.is(world.messages.filter(isUp).length, 200);
});

test("packets pass whole and in order, wherever the stream is cut", async () => {
  const seed = Number(process.argv[2] ?? Date.now() % 1e9);
  const random = seeded(seed);
  const car = await world.enrolled("demo", "car-1");
  const topic = Buffer.from(upTopicOf(car, "track"));
  const sizes = Array.from({ length: 60 }, () => Math.floor(random() ** 4 * 40_000));
  const packets = sizes.map((size) => {
    const body = Buffer.concat([Buffer.of(0, topic.length), topic, Buffer.alloc(size, size)]);
    return Buffer.concat([packetHead(0x30, body.length), body]);
  });
  const stream = Buffer.concat([connectPacket(clientIdOf(car)), ...packets, Buffer.of(0xc0, 0)]);
  const socket = await world.raw(car);
  for (let at = 0; at < stream.length; ) {
    const next = at + 1 + Math.floor(random() ** 6 * 30_000);
    // Each write is a TLS record of its own, which the broker reads as a chunk of its own.
    if (!socket.write(stream.subarray(at, next))) {
      await new Promise((resolve) => socket.once("drain", resolve));
    }
    at = next;
  }
  await world.message(() => world.messages.length === sizes.length);
  const got = world.messages.map(({ payload }) => payload.length);
  assert.equal(got, sizes, `seed ${seed}`);
  const whole = world.messages.every(({ payload }) =>
    payload.every((b) => b === payload.length % 256),
  );
  assert.ok(whole, `seed ${seed}`);
});

test("a car that takes nothing of what is sent to it is sent no more", async () => {
  await world.close();
  world = await makeWorld({ limits: { unsentBytesMax: 1024 * 1024 } });
  const car = await world.enrolled("demo", "car-1");
  const client = await world.connect(car);
  await client.subscribeAsync(topicOf(car, "artefact"));
  client.stream.pause();
  const block = new Uint8Array(256 * 1024);
  let code: string | undefined;
  // The sockets' own buffers on both sides take some megabytes first.
  for (let i = 0; i < 200 && code === undefined; i += 1) {
    code = await world.broker.downlink.send(car, "artefact", block).then(
      () => undefined,
      (error: unknown) => (error instanceof ProtocolError ? error.code : "unexpected"),
    );
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.is(code, "limit_reached");
});

test("the largest message a channel allows passes, cut anywhere", async () => {
  const car = await world.enrolled("demo", "car-1");
  const client = await world.connect(car);
  const payload = randomBytes(256 * 1024);
  await client.publishAsync(upTopicOf(car, "track"), payload, { qos: 1 });
  assert.is(toHex(world.messages[0]?.payload ?? Buffer.of()), payload.toString("hex"));
});

test.run();
