/**
 * Real deaths at both ends of one line: the car's process or the cloud's is killed at a random moment, from its start
 * on, again and again, while the other goes on. The seed in the name gives the moments (not the scheduler).
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Random, randomOf } from "../../fuzz/random.ts";
import { Rig } from "./rig.ts";

/** Shared by the lines, each of which has a core of its own to itself on a machine with two. */
const KILLS = 200;
const LINES = 2;
/** After the first line of a process, or after its start, in milliseconds. */
const LIFE_MS_MAX = 200;
const seed = Date.now() % 1e9;

async function waits(ms: number): Promise<void> {
  await new Promise((done) => setTimeout(done, ms));
}

type Outcome = { readonly kills: number; readonly events: number };

/** One line whose ends die so often, and what must hold when all is over. */
async function line(random: Random, deaths: number): Promise<Outcome> {
  const rig = await Rig.make();
  try {
    rig.startCar(true);
    let kills = 0;
    for (; kills < deaths; kills += 1) {
      // Every other time the process is let come up; else it dies in the middle of recovering from the death before.
      const isCar = random.bool();
      if (random.bool()) await (isCar ? rig.car : rig.cloud)?.up;
      await waits(random.int(LIFE_MS_MAX));
      await (isCar ? rig.car : rig.cloud)?.kill("SIGKILL");
      if (isCar) rig.startCar(true);
      else rig.startCloud();
    }
    await rig.settle();
    return { kills, events: rig.told.length };
  } finally {
    await rig.close();
  }
}

test(`killed ${KILLS} times at either end, nothing is lost or doubled (seed ${seed})`, async () => {
  const startedMs = performance.now();
  const lines = Array.from({ length: LINES }, (_, i) => line(randomOf(seed + i), KILLS / LINES));
  const outcomes = await Promise.all(lines);
  const sum = (what: keyof Outcome): number => outcomes.reduce((n, each) => n + each[what], 0);
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  process.stdout.write(`${sum("kills")} kills in ${seconds} s, ${sum("events")} events\n`);
  assert.is(sum("kills"), KILLS);
  assert.ok(sum("events") > KILLS, "much was said to be durable between them");
});

test.run();
