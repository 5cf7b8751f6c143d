/**
 * A real line that is cut, slow, silent and spoilt, and real processes that are frozen (SIGSTOP) and go on: TLS notices
 * what is spoilt, both ends notice who does not answer, and nothing is lost or doubled.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { randomOf } from "../../fuzz/random.ts";
import { Rig } from "./rig.ts";

const seed = Date.now() % 1e9;
const STEPS = 24;
const STEP_MS_MAX = 400;

async function waits(ms: number): Promise<void> {
  await new Promise((done) => setTimeout(done, ms));
}

async function withRig(use: (rig: Rig) => Promise<void>): Promise<void> {
  const rig = await Rig.make();
  try {
    await rig.startCar(true).up;
    await use(rig);
    await rig.settle();
    assert.ok(rig.told.length > 0, "something was said to be durable");
  } finally {
    await rig.close();
  }
}

test(`a line that is cut, delayed, silent and spoilt (seed ${seed})`, async () => {
  const random = randomOf(seed);
  await withRig(async ({ proxy }) => {
    for (let step = 0; step < STEPS; step += 1) {
      proxy.delay(random.bool(0.3) ? random.int(120) : 0);
      proxy.corrupt(random.bool(0.4) ? random.pick([0.02, 0.2, 1]) : 0);
      proxy.silence(random.bool(0.2));
      proxy.refuse(random.bool(0.2));
      if (random.bool(0.4)) proxy.cut();
      await waits(random.int(STEP_MS_MAX));
    }
  });
});

test("each byte that is spoilt ends the connection, and none reaches the store", async () => {
  await withRig(async ({ proxy, told }) => {
    const before = proxy.connections();
    proxy.corrupt(1);
    const started = performance.now();
    while (proxy.connections() < before + 3) {
      assert.ok(performance.now() - started < 60_000, "the car connects anew");
      await waits(50);
    }
    assert.ok(told.length > 0);
  });
});

for (const who of ["car", "cloud"] as const) {
  test(`the ${who} is frozen for longer than anybody waits, and goes on`, async () => {
    await withRig(async (rig) => {
      for (const ms of [100, 600, 2500]) {
        rig[who]?.child.kill("SIGSTOP");
        await waits(ms);
        rig[who]?.child.kill("SIGCONT");
        await waits(150);
      }
    });
  });
}

test.run();
