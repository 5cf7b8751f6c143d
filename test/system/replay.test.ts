/** A drive recorded from the bus as candump writes it, played back as a car: the same trip reaches the store. */
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { createSocketBus, formatCandump } from "@kerbside/can";
import { systemClock, systemRandom } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isJson, type Json } from "../../scripts/demo/api.ts";
import { startProgram } from "../../scripts/demo/processes.ts";
import { holesAndDoubles, type Row, World } from "../support/world.ts";

const DRIVE_S = 6;
/** Metres of an odometer that counts whole ones. */
const DISTANCE_DOUBT_M = 2;

const dataOf = (row: Row): Json => (isJson(row["data"]) ? row["data"] : {});

async function tripsOf(world: World, count: number): Promise<readonly Json[]> {
  let trips: readonly Json[] = [];
  await world.until(`${count} trips in the store`, async () => {
    trips = (await world.rows()).filter((row) => row["kind"] === "trip.ended").map(dataOf);
    return trips.length >= count;
  });
  return trips;
}

/** Records what is on the simulated car's bus, until `stop`. */
function record(socket: string, file: string): { readonly stop: () => Promise<number> } {
  const out = createWriteStream(file);
  const bus = createSocketBus({
    path: socket,
    clock: systemClock(() => performance.now()),
    random: systemRandom,
  });
  let frames = 0;
  bus.start({
    frames: (batch) => {
      frames += batch.length;
      for (const frame of batch) {
        out.write(`${formatCandump({ ...frame, timeUs: frame.bootMs * 1000 })}\n`);
      }
    },
    event: () => undefined,
  });
  return {
    stop: async () => {
      await bus.stop();
      out.end();
      await finished(out);
      return frames;
    },
  };
}

test("a recorded log goes through agent, broker and ingest to the store", async () => {
  await using world = await World.whole();
  const log = join(world.paths.data, "drive.log");
  const recorder = record(join(world.paths.data, "sim", "can.sock"), log);
  const held = await world.booking();
  assert.is((await world.command("unlock", held))["state"], "executed");
  await world.cockpit("/api/script", { driveSeconds: DRIVE_S });
  const [driven] = await tripsOf(world, 1);
  assert.ok((await recorder.stop()) > 1000, "a bus worth the name");
  await world.agent.stop();
  await world.sim.program.stop();

  const replay = startProgram(
    "kerbside-sim",
    ["replay", log, "--data", join(world.paths.data, "sim"), "--json"],
    world.paths.log("replay"),
  );
  await replay.ready;
  await world.startAgent();
  const [, replayed] = await tripsOf(world, 2);
  const distance = (trip: Json | undefined): number => Number(trip?.["distanceM"]);
  assert.ok(distance(driven) > 0);
  assert.ok(
    Math.abs(distance(replayed) - distance(driven)) <= DISTANCE_DOUBT_M,
    `the same trip: ${distance(replayed)} m for ${distance(driven)} m`,
  );
  assert.is((await replay.ended).code, 0, "the log came to its end");
  const rows = await world.listed();
  assert.equal(holesAndDoubles(rows), []);
});

test.run();
