import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type SecureVersion } from "node:tls";
import { type BusFrame, createSocketBus } from "@kerbside/can";
import { fromHex } from "@kerbside/protocol";
import { readState } from "@kerbside/sim";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { realClock, realRandom } from "../support/runtime.ts";
import { makeCertificate, makeDirectory, type Rig, startRig, TestModule } from "./rig.ts";

const pem = await makeCertificate();

/** A car in a directory of its own, closed and removed whatever the test does. */
async function withRig(
  body: (rig: Rig, dataDir: string) => Promise<void>,
  travelMs = 30,
): Promise<void> {
  const directory = makeDirectory();
  const rig = await startRig(directory.path, pem, { minMs: travelMs, maxMs: travelMs });
  try {
    await body(rig, directory.path);
  } finally {
    await rig.drive.close();
    directory.remove();
  }
}

function moduleOf(dataDir: string): TestModule {
  const key = fromHex(readFileSync(join(dataDir, "pairing.key"), "utf8").trim());
  return new TestModule(join(dataDir, "lock.sock"), key);
}

test("the module opens the car over the real lock link, and the car drives its script", async () => {
  await withRig(async ({ call }, dataDir) => {
    const lock = moduleOf(dataDir);
    await lock.until(() => lock.isReady);
    lock.send({ type: "actuate", actuationId: 1, action: "unlock" });
    const drive = await call("POST", "/api/script", { driveSeconds: 15, speed: 50 });
    assert.is(drive.status, 200, JSON.stringify(drive.body));
    assert.ok(Number(drive.body["distanceM"]) > 50);
    assert.equal(lock.outcomes(1), ["done"]);
    lock.send({ type: "actuate", actuationId: 2, action: "lock" });
    await lock.until(() => lock.outcomes(2).length > 0);
    assert.equal(lock.outcomes(2), ["done"]);
    const state = await call("GET", "/api/state");
    assert.is(state.body["locked"], true);
    assert.is(state.body["driver"], "outside");
    lock.close();
  });
});

test("a module with another pairing key gets no session and moves nothing", async () => {
  await withRig(async ({ drive }, dataDir) => {
    const stranger = new TestModule(join(dataDir, "lock.sock"), new Uint8Array(32));
    const honest = moduleOf(dataDir);
    await honest.until(() => honest.isReady);
    assert.is(stranger.isReady, false);
    assert.throws(() => stranger.send({ type: "actuate", actuationId: 1, action: "unlock" }));
    assert.is(drive.simulation.world.controller.memory.actuations.lastId, 0);
    stranger.close();
    honest.close();
  });
});

test("a firmware reset in mid-pulse ends the session; the next one hears what was interrupted", async () => {
  await withRig(async ({ call, drive }, dataDir) => {
    const lock = moduleOf(dataDir);
    await lock.until(() => lock.isReady);
    lock.send({ type: "actuate", actuationId: 1, action: "unlock" });
    await lock.until(() =>
      lock.heard.some((message) => message.type === "statusReport" && message.midPulse),
    );
    await call("POST", "/api/reset", { part: "controller" });
    lock.close();
    const again = moduleOf(dataDir);
    await again.until(() => again.isReady);
    again.send({ type: "statusRequest", selfTest: true });
    await again.until(() => again.heard.some((message) => message.type === "statusReport"));
    const report = again.heard.find((message) => message.type === "statusReport");
    assert.ok(report?.type === "statusReport" && report.lastOutcome === "interrupted");
    assert.ok(report?.type === "statusReport" && report.resetCount === 1);
    assert.ok(drive.simulation.world.car.bolts.driver > 0, "nobody went on with it");
    again.close();
  }, 5000);
});

test("the plug of the lock link can be pulled and put back", async () => {
  await withRig(async ({ call }, dataDir) => {
    const lock = moduleOf(dataDir);
    await lock.until(() => lock.isReady);
    await call("POST", "/api/action", { type: "fault", fault: "linkUnplugged", on: true });
    await lock.until(() => lock.isClosed);
    await call("POST", "/api/action", { type: "fault", fault: "linkUnplugged", on: false });
    lock.close();
    for (;;) {
      const again = moduleOf(dataDir);
      await again.until(() => again.isReady || again.isClosed);
      again.close();
      if (again.isReady) break;
    }
  });
});

test("an agent's bus driver gets the car's frames over the socket, without a gap", async () => {
  await withRig(async ({ drive }) => {
    const bus = createSocketBus({ path: drive.canPath, clock: realClock, random: realRandom });
    const counters: number[] = [];
    await new Promise<void>((resolve) => {
      bus.start({
        frames: (frames: readonly BusFrame[]) => {
          for (const { id, data } of frames) if (id === 0x100) counters.push((data[5] ?? 0) & 15);
          if (counters.length >= 40) resolve();
        },
        event: () => undefined,
      });
    });
    assert.is(bus.stats().lost, 0);
    for (const [index, counter] of counters.entries()) {
      if (index > 0) assert.is(counter, ((counters[index - 1] ?? 0) + 1) % 16);
    }
    await bus.stop();
  });
});

test("a car that is started again is where and as it was, the controller's memory too", async () => {
  const directory = makeDirectory();
  const first = await startRig(directory.path, pem);
  const lock = moduleOf(directory.path);
  await lock.until(() => lock.isReady);
  lock.send({ type: "actuate", actuationId: 7, action: "inhibit_start" });
  await lock.until(() => lock.outcomes(7).length > 0);
  lock.close();
  const before = first.drive.simulation.world;
  await first.drive.close();
  const second = await startRig(directory.path, pem);
  const { car, controller } = second.drive.simulation.world;
  assert.is(car.motion.odometerM, before.car.motion.odometerM);
  assert.is(controller.memory.inhibited, true);
  assert.is(controller.memory.actuations.lastId, 7);
  await second.drive.close();
  directory.remove();
});

test("a pulse is on the disk before the motor turns", async () => {
  await withRig(async (_rig, dataDir) => {
    const lock = moduleOf(dataDir);
    await lock.until(() => lock.isReady);
    lock.send({ type: "actuate", actuationId: 1, action: "unlock" });
    await lock.until(() =>
      lock.heard.some((message) => message.type === "statusReport" && message.midPulse),
    );
    const saved = readState(join(dataDir, "car.json"));
    assert.is(saved?.memory.actuations.recent[0]?.value, "running");
    assert.ok((saved?.car.bolts.driver ?? 0) > 0.9);
    lock.close();
  }, 5000);
});

const CORRUPT: readonly { readonly why: string; readonly text: string; readonly words: RegExp }[] =
  [
    { why: "no JSON", text: "{", words: /car\.json: expected JSON/ },
    { why: "another format", text: '{"format":2}', words: /format/ },
    {
      why: "a number missing",
      text: '{"format":1,"car":{"seed":1},"memory":{},"engine":{"value":"off"}}',
      words: /car\.timeMs/,
    },
  ];
for (const { why, text, words } of CORRUPT) {
  test(`a saved car that is spoilt (${why}) is named, and left as it is`, async () => {
    const directory = makeDirectory();
    writeFileSync(join(directory.path, "car.json"), text);
    try {
      await startRig(directory.path, pem);
      assert.unreachable("it started");
    } catch (error) {
      assert.match(String(error), words);
    }
    assert.is(readFileSync(join(directory.path, "car.json"), "utf8"), text);
    directory.remove();
  });
}

test("P-01 the cockpit speaks TLS 1.3 and nothing less, and no plain HTTP", async () => {
  await withRig(async ({ drive }) => {
    const port = drive.cockpitPort ?? 0;
    const refused = (maxVersion: SecureVersion): Promise<boolean> =>
      new Promise((resolve) => {
        const socket = connect({ port, host: "localhost", ca: pem.certificate, maxVersion }, () =>
          resolve(false),
        );
        socket.on("error", () => resolve(true));
        socket.on("close", () => socket.destroy());
      });
    assert.is(await refused("TLSv1.2"), true);
    const plain = await fetch(`http://localhost:${port}/`).then(
      () => "answered",
      () => "refused",
    );
    assert.is(plain, "refused");
  });
});

test("P-03 keys are made for their owner alone, and the API asks for its own", async () => {
  await withRig(async ({ call, key }, dataDir) => {
    for (const file of ["cockpit.key", "pairing.key", "car.json", "can.sock", "lock.sock"]) {
      const found = statSync(join(dataDir, file), { throwIfNoEntry: false });
      if (found !== undefined) assert.is(found.mode & 0o077, 0, file);
    }
    for (const shown of ["", "x", `${key}x`, key.slice(1)]) {
      assert.is((await call("GET", "/api/state", undefined, shown)).status, 401, shown);
      assert.is((await call("POST", "/api/action", { type: "refuel" }, shown)).status, 401);
    }
    const page = await call("GET", "/", undefined, "");
    assert.is(page.status, 200);
    assert.match(String(page.headers["content-security-policy"]), /default-src 'none'/);
    assert.not.ok(JSON.stringify(page.body).includes(key));
  });
});

const REQUESTS: readonly {
  readonly why: string;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly status: number;
}[] = [
  { why: "a file above the page's", method: "GET", path: "/../server.ts", status: 404 },
  { why: "a name of the prototype", method: "GET", path: "/constructor", status: 404 },
  { why: "an unknown call", method: "GET", path: "/api/nothing", status: 404 },
  { why: "no JSON", method: "POST", path: "/api/action", body: "{", status: 400 },
  {
    why: "an unknown action",
    method: "POST",
    path: "/api/action",
    body: { type: "fly" },
    status: 400,
  },
  {
    why: "a locked door",
    method: "POST",
    path: "/api/action",
    body: { type: "door", leaf: "driver", open: true },
    status: 409,
  },
  {
    why: "pedals without a driver",
    method: "POST",
    path: "/api/pedals",
    body: { accelerator: 1, brake: 0 },
    status: 409,
  },
  {
    why: "pedals beyond the floor",
    method: "POST",
    path: "/api/pedals",
    body: { accelerator: 2, brake: 0 },
    status: 400,
  },
  {
    why: "a script of nobody's",
    method: "POST",
    path: "/api/script",
    body: { script: "heist" },
    status: 400,
  },
  {
    why: "an unknown field",
    method: "POST",
    path: "/api/script",
    body: { driveSecond: 3 },
    status: 400,
  },
  {
    why: "too fast a time",
    method: "POST",
    path: "/api/speed",
    body: { speed: 1000 },
    status: 400,
  },
  {
    why: "too long a body",
    method: "POST",
    path: "/api/action",
    body: "x".repeat(20_000),
    status: 413,
  },
  { why: "no script to stop", method: "DELETE", path: "/api/script", status: 200 },
];
test("the API answers each wrong request with what is wrong, and goes on", async () => {
  await withRig(async ({ call }) => {
    for (const { why, method, path, body, status } of REQUESTS) {
      assert.is((await call(method, path, body)).status, status, why);
    }
    assert.is((await call("GET", "/api/state")).status, 200);
  });
});

test("a script can be interrupted; a second one is refused meanwhile", async () => {
  await withRig(async ({ call }) => {
    const running = call("POST", "/api/script", {});
    for (;;) {
      const { body } = await call("GET", "/api/state");
      if (body["script"] !== null) break;
    }
    assert.is((await call("POST", "/api/script", {})).status, 409);
    assert.equal((await call("DELETE", "/api/script")).body, { interrupted: true });
    const end = await running;
    assert.is(end.status, 409);
    assert.match(String(end.body["title"]), /interrupted/);
  });
});

test("a second simulator in the same directory is refused by name and does not disturb the first", async () => {
  await withRig(async ({ call }, dataDir) => {
    try {
      await startRig(dataDir, pem);
      assert.unreachable("it started");
    } catch (error) {
      assert.match(String(error), /can\.sock: another process/);
    }
    assert.is((await call("GET", "/api/state")).status, 200);
  });
});

test.run();
