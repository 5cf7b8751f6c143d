/** Commands that wait in the car until it stands end without a pulse, by a rental or by whoever takes them back. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isJson } from "../../scripts/demo/api.ts";
import { ARM_MS, act, arm, ask, becomes, door, ignition, inhibited } from "../support/operator.ts";
import { World } from "../support/world.ts";

test("armed ends without a pulse: by a rental, by whoever takes it back; terminate waits too", async () => {
  await using world = await World.whole();
  const held = await world.booking();
  assert.is((await ask(world, { action: "unlock" }))["state"], "executed");
  await act(world, door(true), { type: "driver", where: "inside" }, door(false), ignition("ON"));

  const first = await arm(world, { action: "lock_and_immobilise" });
  const taken = await ask(world, { action: "cancel", target: first["id"] });
  assert.is(taken["state"], "executed", JSON.stringify(taken));
  assert.match(JSON.stringify(await becomes(world, first["id"], "refused")), "cancelled");

  const second = await arm(world, { action: "immobilise" });
  assert.is((await world.command("unlock_and_release", held))["state"], "executed");
  assert.match(JSON.stringify(await becomes(world, second["id"], "refused")), "released");
  const within = await ask(world, { action: "immobilise", armMs: ARM_MS });
  assert.is(within["state"], "refused", "never within a rental, not even by waiting");
  assert.match(JSON.stringify(within), "no_open_rental");

  const last = await arm(world, { action: "terminate", booking: held });
  const before = await world.pulses();
  await act(world, ignition("OFF"));
  await becomes(world, last["id"], "executed");
  assert.is(await world.pulses(), before, "a rental is ended by it, and nothing moved");
  assert.is(await inhibited(world), false);
  await world.until("the end of the rental to be told", async () => {
    const ended = (await world.rows()).filter(({ kind }) => kind === "rental.ended");
    return ended.some(({ data }) => isJson(data) && data["how"] === "terminated");
  });
});

test.run();
