/**
 * A command that waits in the car until it stands, through real processes: it shows as `armed`, and fires only once the
 * car was seen parked.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  ARM_MS,
  act,
  arm,
  ask,
  becomes,
  door,
  ignition,
  inhibited,
  state,
} from "../support/operator.ts";
import { World } from "../support/world.ts";

async function parkAnew(world: World): Promise<void> {
  await act(world, door(true), { type: "driver", where: "inside" }, door(false), ignition("ON"));
  await world.until("the bus to have told that the ignition is on", async () => {
    const { status, body } = await world.sim.call("/api/frames", {
      headers: { authorization: `Bearer ${world.sim.key}` },
    });
    return status === 200 && JSON.stringify(body).includes('["Terminal","ON",""]');
  });
  await act(world, ignition("OFF"));
}

test("immobilise waits for a car that drives without a rental, and fires once it was seen parked", async () => {
  await using world = await World.whole();
  assert.is((await ask(world, { action: "unlock" }))["state"], "executed");
  const drive = world.cockpit("/api/script", { driveSeconds: 6 });
  await world.until("the car to move", async () => {
    return Number((await world.cockpit("/api/state"))["speedKmh"]) > 10;
  });
  const plain = await ask(world, { action: "immobilise" });
  assert.is(plain["state"], "refused", "without armMs a moving car refuses at once");
  const armed = await arm(world, { action: "immobilise" });
  const second = await ask(world, { action: "immobilise", armMs: ARM_MS });
  assert.match(JSON.stringify(second), "nothing_armed", "one at a time");
  let driven = false;
  const over = drive.then(() => {
    driven = true;
  });
  while (!driven) {
    const car = await world.cockpit("/api/state");
    const moves = Number(car["speedKmh"]) > 0;
    assert.ok(!moves || car["startInhibited"] === false, "nothing fires on the road");
  }
  await over;
  // An ignition that went off within two seconds of the wheels is no parking that was seen: it is parked once more.
  if ((await state(world, armed["id"]))["state"] === "armed") await parkAnew(world);
  await becomes(world, armed["id"], "executed");
  await world.until("the start to be inhibited", async () => (await inhibited(world)) === true);
  if ((await world.cockpit("/api/state"))["driver"] === "outside")
    await act(world, door(true), { type: "driver", where: "inside" });
  const starts = await world.sim.call("/api/action", {
    method: "POST",
    headers: { authorization: `Bearer ${world.sim.key}` },
    body: ignition("START"),
  });
  assert.is(starts.status, 409, "the engine does not start");
  assert.is((await ask(world, { action: "release" }))["state"], "executed");
  await world.until("the start to be free", async () => (await inhibited(world)) === false);
});

test.run();
