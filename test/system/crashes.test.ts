/** Real processes killed in the middle of a drive: nothing lost, nothing doubled, nothing done twice. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isJson } from "../../scripts/demo/api.ts";
import { DRIVE_S, kinds, settled } from "../support/cut-drive.ts";
import { holesAndDoubles, World } from "../support/world.ts";

test("agent killed in the middle of a drive and started again", async () => {
  await using world = await World.whole();
  const held = await world.booking();
  assert.is((await world.command("unlock", held))["state"], "executed");
  const before = await world.pulses();
  const drive = world.cockpit("/api/script", { driveSeconds: DRIVE_S });
  await world.until(
    "the trip has begun",
    async () => kinds(await world.rows(), "trip.started").length > 0,
  );
  await world.agent.kill();
  await world.startAgent();
  await drive;
  assert.is(await world.pulses(), before, "nothing pulses by itself after a start");
  assert.is((await world.command("lock", held))["state"], "executed");
  await world.until("ignition off is in the store", async () =>
    kinds(await world.rows(), "ignition.changed").some(
      (row) => isJson(row["data"]) && row["data"]["state"] === "OFF",
    ),
  );
  const rows = await world.rows();
  assert.equal(holesAndDoubles(rows), []);
  const started = kinds(rows, "agent.started");
  assert.is(started.length, 2);
  const ends = started.map((row) => isJson(row["data"]) && row["data"]["previousEndedCleanly"]);
  assert.ok(
    ends.includes(false),
    "the log after the kill says that the one before did not end in order",
  );
  assert.is(kinds(rows, "command.completed").length, 2);
  assert.is(await world.pulses(), before + 1);
});

test("broker, ingest and API killed in the middle of a drive and started again", async () => {
  await using world = await World.whole();
  const held = await world.booking();
  assert.is((await world.command("unlock", held))["state"], "executed");
  const drive = world.cockpit("/api/script", { driveSeconds: DRIVE_S });
  await world.until(
    "the trip has begun",
    async () => kinds(await world.rows(), "trip.started").length > 0,
  );
  await world.cloud.program.kill();
  await world.startCloud();
  await drive;
  await world.online(true);
  assert.is((await world.command("lock", held))["state"], "executed");
  const rows = await settled(world, 1);
  assert.is(kinds(rows, "agent.started").length, 1, "the agent went on");
});

test.run();
