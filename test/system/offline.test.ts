/** A car that is away: the answer comes at once and says that nothing was sent; nothing waits for its return. */
import { randomUUID } from "node:crypto";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isJson, type Json } from "../../scripts/demo/api.ts";
import { VEHICLE } from "../../scripts/demo/parts.ts";
import { World } from "../support/world.ts";

const ANSWER_MS_MAX = 3000;

test("a command to a car that is away is refused at once and never sent later", async () => {
  await using world = await World.whole();
  const now = Date.now();
  const made = await world.backend.must("/bookings", {
    method: "POST",
    headers: { "idempotency-key": randomUUID() },
    body: {
      vehicle: VEHICLE,
      holder: "tester",
      from: new Date(now - 60_000).toISOString(),
      to: new Date(now + 600_000).toISOString(),
    },
  });
  const before = await world.pulses();
  await world.agent.kill();
  await world.online(false);
  const asked = performance.now();
  const answer = await world.backend.ask(`/vehicles/${VEHICLE}/commands?wait=20000`, {
    method: "POST",
    headers: { "idempotency-key": randomUUID() },
    body: { action: "unlock", booking: made["booking"] },
  });
  const body: Json = isJson(answer.body) ? answer.body : {};
  assert.ok(
    performance.now() - asked < ANSWER_MS_MAX,
    "it does not wait for a car that is known to be away",
  );
  assert.match(JSON.stringify(body), "vehicle_offline");
  assert.match(JSON.stringify(body), '"mayHaveSucceeded":false');
  await world.startAgent();
  // A command that works shows that whatever could have been waiting came before it.
  const unlock = await world.backend.ask(`/vehicles/${VEHICLE}/commands?wait=20000`, {
    method: "POST",
    headers: { "idempotency-key": randomUUID() },
    body: { action: "unlock", booking: made["booking"] },
  });
  assert.is(isJson(unlock.body) ? unlock.body["state"] : "", "executed");
  assert.is(await world.pulses(), before + 1, "only the second one was done");
});

test.run();
