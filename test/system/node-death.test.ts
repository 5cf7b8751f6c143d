/** The API node is killed while the car works: the car's answer arrives all the same, at the node that comes after it. */
import { randomUUID } from "node:crypto";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isJson, type Json } from "../../scripts/demo/api.ts";
import { World } from "../support/world.ts";

const TRIES_MAX = 20;

async function standing(world: World, id: string): Promise<Json> {
  const { body } = await world.backend.ask(`/commands/${id}`);
  return isJson(body) ? body : {};
}

/** Asks until one is caught while the bolts are turning: received by the car, and not answered yet. */
async function underWay(world: World, booking: string): Promise<{ id: string; asked: number }> {
  for (let asked = 1; asked <= TRIES_MAX; asked += 1) {
    const made = await world.backend.must("/vehicles/car-1/commands", {
      method: "POST",
      headers: { "idempotency-key": randomUUID() },
      body: { action: asked % 2 === 1 ? "unlock" : "lock", booking },
    });
    const id = String(made["id"]);
    for (;;) {
      const { state, final } = await standing(world, id);
      if (state === "received") return { id, asked };
      if (final === true) break;
    }
  }
  throw new Error(`none of ${TRIES_MAX} commands was seen under way`);
}

test("the result of a command whose node died still arrives, and the car did it once", async () => {
  await using world = await World.whole();
  const held = await world.booking();
  const before = await world.pulses();
  const { id, asked } = await underWay(world, held);
  // SIGKILL to the cloud as a whole: supervisor, node and signer.
  await world.cloud.program.kill();
  await world.startCloud();
  await world.until(
    "the answer of before",
    async () => (await standing(world, id))["state"] === "executed",
  );
  assert.is(await world.pulses(), before + asked, "each of them once");
});

test.run();
