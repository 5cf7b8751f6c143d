/**
 * Real deaths at both ends of one line: the car's process or the cloud's is killed at a random moment, from its start
 * on, again and again, while the other goes on. The seed in the name gives the moments (not the scheduler).
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { randomOf } from "../../fuzz/random.ts";
import { Rig } from "./rig.ts";

const KILLS_MAX = 200;
/** As many as there is time for: a start takes a quarter of a second of a core. */
const MS_MAX = 120_000;
/** After the first line of a process, or after its start, in milliseconds. */
const LIFE_MS_MAX = 200;
const seed = Date.now() % 1e9;

async function waits(ms: number): Promise<void> {
  await new Promise((done) => setTimeout(done, ms));
}

test(`killed up to ${KILLS_MAX} times at either end, nothing is lost or doubled (seed ${seed})`, async () => {
  const random = randomOf(seed);
  const rig = await Rig.make();
  try {
    rig.startCar(true);
    const startedMs = performance.now();
    let kills = 0;
    for (; kills < KILLS_MAX && performance.now() - startedMs < MS_MAX; kills += 1) {
      // Every other time the process is let come up; else it dies in the middle of recovering from the death before.
      const isCar = random.bool();
      if (random.bool()) await (isCar ? rig.car : rig.cloud)?.up;
      await waits(random.int(LIFE_MS_MAX));
      await (isCar ? rig.car : rig.cloud)?.kill("SIGKILL");
      if (isCar) rig.startCar(true);
      else rig.startCloud();
    }
    await rig.settle();
    process.stdout.write(
      `${kills} kills in ${Math.round((performance.now() - startedMs) / 1000)} s, ${rig.told.length} events\n`,
    );
    assert.ok(kills >= 10, `${kills} kills`);
    assert.ok(rig.told.length > 0, "something was said to be durable");
  } finally {
    await rig.close();
  }
});

test.run();
