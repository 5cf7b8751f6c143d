/** The API node is killed while the car works: the car's answer arrives all the same, at the node that comes after it. */
import { randomUUID } from "node:crypto";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isJson } from "../../scripts/demo/api.ts";
import { World } from "../support/world.ts";

test("the result of a command whose node died still arrives, and the car did it once", async () => {
  await using world = await World.whole();
  const held = await world.booking();
  const before = await world.pulses();
  const asked = await world.backend.must("/vehicles/car-1/commands", {
    method: "POST",
    headers: { "idempotency-key": randomUUID() },
    body: { action: "unlock", booking: held },
  });
  const id = String(asked["id"]);
  assert.not.ok(asked["final"], "the bolts are still turning");
  // SIGKILL to the cloud as a whole: supervisor, node and signer.
  await world.cloud.program.kill();
  await world.startCloud();
  await world.until("the answer of before", async () => {
    const { body } = await world.backend.ask(`/commands/${id}`);
    return isJson(body) && body["state"] === "executed";
  });
  assert.is(await world.pulses(), before + 1);
});

test.run();
