/** A whole rental through real processes: what opens it, what it keeps from happening, what ends it, and what is told. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isJson } from "../../scripts/demo/api.ts";
import { ask as askAsOperator } from "../support/operator.ts";
import { World } from "../support/world.ts";

test("opened, immobilising refused within it, driven, ended, immobilised parked, released", async () => {
  await using world = await World.whole();
  const held = await world.booking();
  const ask = (action: string) => world.command(action, held);
  assert.is((await ask("unlock_and_release"))["state"], "executed");
  const within = await ask("lock_and_immobilise");
  assert.is(within["state"], "refused", JSON.stringify(within));
  assert.match(JSON.stringify(within), "no_open_rental");
  await world.cockpit("/api/script", { driveSeconds: 5 });
  // A restart of the agent in mid-rental changes nothing about it.
  await world.agent.kill();
  await world.startAgent();
  const ended = await ask("end_rental");
  assert.is(ended["state"], "executed", JSON.stringify(ended));
  // The booking has ended with the rental: what the car needs now is for the operator's own people.
  const release = await askAsOperator(world, { action: "release" });
  assert.is(release["state"], "executed", JSON.stringify(release));
  const of = async (kind: string) =>
    (await world.rows()).flatMap((row) =>
      row["kind"] === kind && isJson(row["data"]) ? [row["data"]] : [],
    );
  await world.until("its end is in the store", async () => (await of("rental.ended")).length > 0);
  assert.equal(
    (await of("rental.started")).map((data) => [data["booking"], data["openedBy"]]),
    [[held, "command"]],
  );
  assert.equal(
    (await of("rental.ended")).map((data) => [data["booking"], data["how"]]),
    [[held, "ended"]],
  );
});

test.run();
