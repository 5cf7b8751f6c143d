import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BusFrame, createSocketBus } from "@kerbside/can";
import { readState, startDrive, TRAVEL } from "@kerbside/sim";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { realClock, realRandom } from "../support/runtime.ts";
import { until } from "../support/wait.ts";
import { makeCertificate, makeDirectory, moduleOf, startRig, TestModule, withRig } from "./rig.ts";

const pem = await makeCertificate();

test("the module opens the car over the real lock link, and the car drives its script", async () => {
  await withRig(pem, async ({ call }, dataDir) => {
    const lock = moduleOf(dataDir);
    const unlock = await lock.actuate("unlock", 1);
    assert.equal(lock.outcomes(unlock), ["done"]);
    const drive = await call("POST", "/api/script", { driveSeconds: 15, speed: 50 });
    assert.is(drive.status, 200, JSON.stringify(drive.body));
    assert.ok(Number(drive.body["distanceM"]) > 50);
    assert.equal(lock.outcomes(await lock.actuate("lock", 11)), ["done"]);
    const state = await call("GET", "/api/state");
    assert.is(state.body["locked"], true);
    assert.is(state.body["driver"], "outside");
    lock.close();
  });
});

test("a module with another pairing key gets no session and moves nothing", async () => {
  await withRig(pem, async ({ drive }, dataDir) => {
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
  await withRig(
    pem,
    async ({ call, drive }, dataDir) => {
      const lock = moduleOf(dataDir);
      await lock.actuate("unlock", 1, () =>
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
    },
    5000,
  );
});

test("the plug of the lock link can be pulled and put back", async () => {
  await withRig(pem, async ({ call }, dataDir) => {
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
  await withRig(pem, async ({ drive }) => {
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
  const id = await lock.actuate("inhibit_start", 7);
  lock.close();
  const before = first.drive.simulation.world;
  await first.drive.close();
  const second = await startRig(directory.path, pem);
  const { car, controller } = second.drive.simulation.world;
  assert.is(car.motion.odometerM, before.car.motion.odometerM);
  assert.is(controller.memory.inhibited, true);
  assert.is(controller.memory.actuations.lastId, id);
  await second.drive.close();
  directory.remove();
});

test("a pulse is on the disk before the motor turns", async () => {
  await withRig(
    pem,
    async (_rig, dataDir) => {
      const lock = moduleOf(dataDir);
      await lock.actuate("unlock", 1, () =>
        lock.heard.some((message) => message.type === "statusReport" && message.midPulse),
      );
      const saved = readState(join(dataDir, "car.json"));
      assert.is(saved?.memory.actuations.recent[0]?.value, "running");
      assert.ok((saved?.car.bolts.driver ?? 0) > 0.9);
      lock.close();
    },
    5000,
  );
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

test("the bus of a car at rest falls asleep, and a door wakes it", async () => {
  const directory = makeDirectory();
  const rig = await startRig(directory.path, pem, { minMs: 20, maxMs: 20 }, 300);
  const speeds = (): number =>
    rig.drive.simulation.frames().find(({ id }) => id === 0x100)?.count ?? 0;
  const timeMs = (): number => rig.drive.simulation.world.car.timeMs;
  await until("it has slept for a second", () => timeMs() > 1400);
  const asleep = speeds();
  assert.ok(asleep > 5 && asleep <= 20, `${asleep} frames`);
  const lock = moduleOf(directory.path);
  await lock.actuate("unlock", 1);
  await until("frames again", () => speeds() > asleep);
  lock.close();
  await rig.drive.close();
  directory.remove();
});

test("whoever looks at the bus at any moment sees every page of a message, counted together", async () => {
  await withRig(pem, async ({ drive }) => {
    const pages = () => drive.simulation.frames().filter(({ message }) => message === "COMFORT");
    await until("both pages", () => pages().length === 2);
    const [one, other] = pages();
    assert.equal(
      pages().map(({ page }) => page),
      ["0", "1"],
    );
    assert.is(Math.abs((one?.count ?? 0) - (other?.count ?? 0)) % 2, 1);
  });
});

test("a port in use and a key of another certificate are named, and leave nothing open", async () => {
  await withRig(pem, async ({ drive }) => {
    const directory = makeDirectory();
    const other = await makeCertificate();
    const cases = [
      {
        cockpit: { port: drive.cockpitPort ?? 0, ...pem },
        words: /port \d+ of the cockpit: another process/,
      },
      {
        cockpit: { port: 0, certificate: pem.certificate, key: other.key },
        words: /certificate and key/,
      },
    ];
    for (const { cockpit, words } of cases) {
      try {
        await startDrive({
          dataDir: directory.path,
          seed: 1,
          travel: TRAVEL,
          cockpit,
          clock: realClock,
          random: realRandom,
        });
        assert.unreachable("it started");
      } catch (error) {
        assert.match(String(error), words);
      }
    }
    const third = await startRig(directory.path, pem);
    await third.drive.close();
    directory.remove();
  });
});

test("the process takes up after SIGKILL what is in its directory, and ends in order on SIGTERM", async () => {
  const directory = makeDirectory();
  const entry = fileURLToPath(import.meta.resolve("@kerbside/sim")).replace(
    /index\.ts$/,
    "main.ts",
  );
  const start = async (): Promise<ChildProcess> => {
    const child = spawn(process.execPath, [entry, "drive", "--data", directory.path, "--json"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = await once(child.stdout, "data");
    assert.is(JSON.parse(String(line)).ready, true);
    return child;
  };
  const first = await start();
  first.kill("SIGKILL");
  await once(first, "exit");
  const second = await start();
  second.kill("SIGTERM");
  assert.equal(await once(second, "exit"), [0, null]);
  assert.ok(readState(join(directory.path, "car.json")) !== undefined);
  directory.remove();
});

test("a second simulator in the same directory is refused by name and does not disturb the first", async () => {
  await withRig(pem, async ({ call }, dataDir) => {
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
