import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type BusEvent,
  type BusFrame,
  type BusServer,
  type CanBus,
  type CanFrame,
  createReplayBus,
  createSocketBus,
  frameProblem,
  GREETING,
  type OutgoingFrame,
  serveBus,
} from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { manualClock, realClock, realRandom } from "../../support/runtime.ts";

const folder = mkdtempSync(join(tmpdir(), "kerbside-bus-"));
test.after(() => rmSync(folder, { recursive: true }));
let made = 0;
const newPath = (): string => join(folder, `${++made}.sock`);

/** A listener that keeps what it hears, and can be waited on. */
class Ear {
  readonly frames: BusFrame[] = [];
  readonly events: BusEvent[] = [];
  #waiting: (() => void)[] = [];

  readonly listener = {
    frames: (frames: readonly BusFrame[]): void => {
      this.frames.push(...frames);
      this.#wake();
    },
    event: (event: BusEvent): void => {
      this.events.push(event);
      this.#wake();
    },
  };

  /** As they followed one another. */
  get states(): string[] {
    const states = this.events.flatMap((event) => (event.kind === "state" ? [event.state] : []));
    return states.filter((state, i) => state !== states[i - 1]);
  }

  async until(what: () => boolean): Promise<void> {
    while (!what()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

const socketBus = (path: string, silentMs?: number): CanBus =>
  createSocketBus({
    path,
    clock: realClock,
    random: realRandom,
    ...(silentMs === undefined ? {} : { silentMs }),
  });
const frame = (id: number, ...data: number[]): OutgoingFrame => ({
  id,
  ext: false,
  data: Uint8Array.from(data),
});

async function connected(bus: CanBus, server: BusServer): Promise<Ear> {
  const ear = new Ear();
  bus.start(ear.listener);
  await ear.until(() => ear.states.includes("up"));
  assert.is(server.clients() > 0, true);
  return ear;
}

test("frames of every kind pass the simulator's socket unchanged, both ways", async () => {
  const heard: OutgoingFrame[] = [];
  let arrived: () => void = () => undefined;
  const arrival = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const path = newPath();
  const server = await serveBus({
    path,
    onFrame: (f) => {
      heard.push(f);
      arrived();
    },
  });
  assert.is(statSync(path).mode & 0o777, 0o600);
  const bus = socketBus(path);
  const ear = await connected(bus, server);
  const sent: OutgoingFrame[] = [
    frame(0x7ff, 1, 2, 3),
    { id: 0x1fffffff, ext: true, data: new Uint8Array(8).fill(255) },
    { id: 5, ext: false, kind: "remote", data: new Uint8Array(0) },
    { id: 0x123, ext: false, fd: true, data: new Uint8Array(64).fill(7) },
  ];
  for (const f of sent) server.send(f);
  await ear.until(() => ear.frames.length === sent.length);
  for (const [i, f] of sent.entries()) {
    const got = ear.frames[i];
    assert.is(got?.id, f.id);
    assert.is(got?.ext, f.ext);
    assert.is(got?.kind, f.kind ?? "data");
    assert.is(got?.fd, f.fd ?? false);
    assert.equal([...(got?.data ?? [])], [...f.data]);
  }
  assert.equal(bus.send(frame(0x321, 9)), { sent: true });
  await arrival;
  assert.is(heard[0]?.id, 0x321);
  await bus.stop();
  await server.close();
  assert.is(bus.state(), "stopped");
  assert.is(bus.stats().received, 4);
});

test("a frame that no bus would carry is refused with its reason, never cut to fit", () => {
  const rows: readonly [why: string, frame: OutgoingFrame, expected: RegExp | undefined][] = [
    ["fits", frame(0x7ff, 1), undefined],
    ["29 bits without the flag", frame(0x18daf110), /id \d+: expected 0 to 2047/],
    ["30 bits", { id: 0x20000000, ext: true, data: new Uint8Array(0) }, /29 bits/],
    ["no number", frame(Number.NaN), /id NaN/],
    ["9 bytes of classic CAN", frame(1, 1, 2, 3, 4, 5, 6, 7, 8, 9), /9 bytes/],
    ["9 bytes of FD", { ...frame(1, 1, 2, 3, 4, 5, 6, 7, 8, 9), fd: true }, /no CAN FD frame/],
    ["12 bytes of FD", { id: 1, ext: false, fd: true, data: new Uint8Array(12) }, undefined],
    ["a remote frame with data", { ...frame(1, 1), kind: "remote" }, /remote/],
    ["an error frame", { ...frame(1), kind: "error" }, /error frames/],
  ];
  for (const [why, f, expected] of rows) {
    const problem = frameProblem(f);
    if (expected === undefined) assert.is(problem, undefined, why);
    else assert.match(problem ?? "", expected, why);
  }
});

test("the bus is down, comes up, falls silent, and comes back when the simulator starts again", async () => {
  const path = newPath();
  const bus = socketBus(path, 50);
  const ear = new Ear();
  bus.start(ear.listener);
  assert.is(bus.state(), "down");
  assert.equal(bus.send(frame(1)), { sent: false, reason: "the bus is down" });
  const server = await serveBus({ path });
  await ear.until(() => ear.states.includes("silent"));
  server.send(frame(1));
  await ear.until(() => ear.frames.length === 1);
  assert.is(bus.state(), "up");
  server.pretend("busOff", "too many errors");
  await ear.until(() => ear.states.includes("busOff"));
  assert.is(bus.send(frame(1)).sent, false);
  await server.close();
  await ear.until(() => ear.states.at(-1) === "down");
  const again = await serveBus({ path });
  await ear.until(() => ear.states.at(-1) === "up");
  again.send(frame(2));
  await ear.until(() => ear.frames.length === 2);
  await bus.stop();
  await again.close();
  assert.is(ear.states.at(-1), "stopped");
});

test("a listener that is slow is waited for, and what then overflows is counted as lost", async () => {
  const path = newPath();
  const server = await serveBus({ path });
  const bus = socketBus(path);
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  let received = 0;
  let lost = 0;
  const ear = new Ear();
  bus.start({
    frames: (frames) => {
      received += frames.length;
      ear.listener.frames(frames);
      return gate;
    },
    event: (event) => {
      if (event.kind === "lost") lost += event.frames;
      ear.listener.event(event);
    },
  });
  await ear.until(() => ear.states.includes("up"));
  const total = 60_000;
  for (let i = 0; i < total; i++) {
    server.send(frame(i % 2048, i & 255));
    if (i % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(received < total / 2, `${received} frames were taken while the listener was busy`);
  release();
  await server.drained();
  // The number of the next frame shows what was dropped before it.
  const last = setInterval(() => server.send(frame(7)), 20);
  await ear.until(() => received + lost >= total);
  clearInterval(last);
  assert.ok(lost > 0, "nothing was lost, so the bound was not reached");
  assert.is(bus.stats().lost, lost);
  await bus.stop();
  await server.close();
});

test("a partner that does not speak the protocol is left, and tried again later", async () => {
  const path = newPath();
  let connections = 0;
  const liar = createServer((socket) => {
    connections += 1;
    socket.on("error", () => undefined).resume();
    socket.write("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  await new Promise<void>((resolve) => liar.listen(path, resolve));
  const bus = socketBus(path);
  const ear = new Ear();
  bus.start(ear.listener);
  await new Promise<void>((resolve) => liar.on("connection", () => connections >= 2 && resolve()));
  assert.equal(ear.states, ["down"]);
  assert.is(ear.frames.length, 0);
  await bus.stop();
  await new Promise((resolve) => liar.close(resolve));
});

test("a client that talks nonsense is closed by the simulator; the others hear on", async () => {
  const path = newPath();
  const server = await serveBus({ path });
  const bus = socketBus(path);
  const ear = await connected(bus, server);
  const vandal = createConnection(path);
  vandal.on("error", () => undefined);
  vandal.resume();
  const closed = new Promise((resolve) => vandal.on("close", resolve));
  vandal.write(Buffer.concat([GREETING, Buffer.alloc(40, 0xff)]));
  await closed;
  server.send(frame(1));
  await ear.until(() => ear.frames.length === 1);
  await bus.stop();
  await server.close();
});

test("a socket that a killed process left is replaced, one that is alive or no socket is not", async () => {
  const path = newPath();
  const server = await serveBus({ path });
  await assertRejects(serveBus({ path }), /another process serves this bus/);
  await server.close();
  writeFileSync(path, "a file");
  await assertRejects(serveBus({ path }), /expected a socket or nothing/);
});

async function assertRejects(promise: Promise<unknown>, expected: RegExp): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.match(String(error), expected);
}

const logOf = (...timesMs: (number | null)[]): CanFrame[] =>
  timesMs.map((timeMs, i) => ({
    timeUs: timeMs === null ? null : timeMs * 1000,
    bus: "can0",
    id: i,
    ext: false,
    kind: "data",
    fd: false,
    data: new Uint8Array(1),
  }));

test("a log is replayed in its own time, faster, or without waiting", async () => {
  for (const [speed, expected] of [
    [1, [0, 100, 1000]],
    [10, [0, 10, 100]],
  ] as const) {
    const clock = manualClock();
    const ear = new Ear();
    const bus = createReplayBus({ frames: logOf(5000, 5100, 6000), speed, clock });
    bus.start(ear.listener);
    for (let i = 0; i < 200 && ear.states.at(-1) !== "down"; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.pass(10);
    }
    const times = ear.frames.map(({ bootMs }) => bootMs);
    const first = times[0] ?? 0;
    for (const [i, ms] of expected.entries()) {
      assert.ok(Math.abs((times[i] ?? 0) - first - ms) <= 20, `${speed}: ${times}`);
    }
    await bus.stop();
  }
  const clock = manualClock();
  const ear = new Ear();
  const bus = createReplayBus({ frames: logOf(5000, 5100, null, 4000, 9e9), speed: "max", clock });
  bus.start(ear.listener);
  await ear.until(() => ear.states.at(-1) === "down");
  assert.equal(
    ear.frames.map(({ bootMs }) => bootMs),
    [0, 100, 100, 100, 60_100],
    "time never goes back, and a long pause is cut",
  );
  assert.is(bus.send(frame(1)).sent, false);
  await bus.stop();
});

test("a log that breaks off says so once, after what was read of it", async () => {
  const ear = new Ear();
  const ends: unknown[] = [];
  const broken = async function* (): AsyncGenerator<CanFrame> {
    yield* logOf(1, 2);
    throw new Error("unreadable");
  };
  const bus = createReplayBus({
    frames: broken(),
    speed: "max",
    clock: manualClock(),
    onEnd: (error) => ends.push(error),
  });
  bus.start(ear.listener);
  await ear.until(() => ear.states.at(-1) === "down");
  assert.match(String(ends), /unreadable/);
  assert.is(ear.frames.length, 2);
  await bus.stop();
});

test.run();
