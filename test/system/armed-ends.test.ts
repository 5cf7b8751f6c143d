/** Commands that wait in the car until it stands end without a pulse, by a rental or by whoever takes them back. */
import { randomUUID } from "node:crypto";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isJson, type Json } from "../../scripts/demo/api.ts";
import { VEHICLE } from "../../scripts/demo/parts.ts";
import { jsonLines, runCloud } from "../support/cloud-process.ts";
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

/** An armed end of a rental, at the operator's command line: asked for, and taken back only by naming no booking. */
async function staffTakesBack(world: World, held: string): Promise<void> {
  const url = `https://localhost:${world.ports.https}`;
  const of = ["--data", world.paths.cloud, "--json", "--tenant", "demo", "--vehicle", VEHICLE];
  const send = async (
    ...words: readonly string[]
  ): Promise<{ code: number | null; body: Json }> => {
    const { code, out, err } = await runCloud(["command", "send", ...of, "--url", url, ...words]);
    const [body] = jsonLines(out);
    assert.ok(isJson(body), err);
    return { code, body };
  };
  const key = ["--key", randomUUID(), "--wait", "0"];
  const terminate = ["--action", "terminate", "--booking", held, "--arm-ms", `${ARM_MS}`, ...key];
  const first = await send(...terminate);
  await becomes(world, first.body["id"], "armed");
  const asked = await send(...terminate);
  assert.equal([asked.code, asked.body["state"]], [0, "armed"], "the same one, asked again");
  assert.is(asked.body["id"], first.body["id"]);
  const cancel = ["--action", "cancel", "--target", String(asked.body["id"])];
  const named = await send(...cancel, "--booking", held);
  assert.equal([named.code, named.body["state"]], [1, "refused"]);
  assert.match(JSON.stringify(named.body), "operators_to_cancel");
  assert.is((await state(world, asked.body["id"]))["state"], "armed");
  const taken = await send(...cancel);
  assert.equal([taken.code, taken.body["state"]], [0, "executed"], JSON.stringify(taken));
  await becomes(world, asked.body["id"], "refused");
}

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

  await staffTakesBack(world, held);
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
