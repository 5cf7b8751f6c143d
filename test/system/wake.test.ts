/**
 * A parked car that sleeps, through real processes: the cloud knows that it sleeps and not that it is lost, rings its
 * wake line over the message gateway, and the car that wakes in a new epoch opens within the 20 s that are promised.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isJson, type Json } from "../../scripts/demo/api.ts";
import { VEHICLE } from "../../scripts/demo/parts.ts";
import { World } from "../support/world.ts";

const WAKE_MS_MAX = 20_000;
const POWER = { parkedS: 2, wokenS: 2 };

function steps(record: Json): readonly unknown[] {
  const { steps: made } = record;
  return Array.isArray(made) ? made.map((step: unknown) => isJson(step) && step["state"]) : [];
}

async function asleep(world: World): Promise<void> {
  await world.online(false);
}

test("a sleeping car is rung, wakes, and opens within 20 s of the request", async () => {
  await using world = await World.whole(undefined, {
    power: { ...POWER, stateFile: join("..", "power.json") },
  });
  const held = await world.booking();
  await asleep(world);
  const told = join(world.paths.data, "power.json");
  await world.until("the platform to be told", async () =>
    readFileSync(told, "utf8").includes('"processor":"suspended"'),
  );
  const refused = await world.command("unlock", held);
  assert.match(JSON.stringify(refused), "vehicle_offline", "not woken where nobody asks for it");

  const began = performance.now();
  const woken = await world.command("unlock", held, { wakeMs: 20_000 });
  const tookMs = performance.now() - began;
  assert.is(woken["state"], "executed", JSON.stringify(woken));
  assert.ok(tookMs < WAKE_MS_MAX, `${tookMs} ms`);
  assert.equal(steps(woken).slice(0, 3), ["accepted", "waking", "signed"]);
  assert.is((await world.cockpit("/api/state"))["locked"], false);
  process.stdout.write(`# unlocked ${Math.round(tookMs)} ms after the request to a sleeping car\n`);

  await world.until("what it did to be told", async () => {
    const rows = await world.rows();
    const states = rows.flatMap(({ kind, data }) =>
      kind === "power.changed" && isJson(data) ? [`${data["state"]}:${data["reason"]}`] : [],
    );
    return states.includes("deep_sleep:idle") && states.includes("parked:wake_modem");
  });
  await asleep(world);
  // A door wakes it without anybody's message: the car is unlocked.
  await world.cockpit("/api/action", { type: "door", leaf: "driver", open: true });
  await world.online(true);
});

test("a car that is killed in its sleep does not wake: the command fails and says that nothing was done", async () => {
  await using world = await World.whole(undefined, { power: POWER });
  const held = await world.booking();
  await asleep(world);
  await world.agent.kill();
  const answer = JSON.stringify(await world.command("unlock", held, { wakeMs: 2000 }));
  assert.match(answer, "vehicle_offline");
  assert.match(answer, '"mayHaveSucceeded":false');
  const { body } = await world.backend.ask(`/vehicles/${VEHICLE}`);
  assert.is(isJson(body) && body["online"], false);
});

test.run();
