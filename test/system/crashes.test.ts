/** Real processes killed and cut off in the middle of a drive: nothing lost, nothing doubled, nothing done twice. */
import { join } from "node:path";
import { openJournal } from "@kerbside/immobiliser";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isJson } from "../../scripts/demo/api.ts";
import { type TcpProxy, tcpProxy } from "../support/tcp-proxy.ts";
import { holesAndDoubles, type Row, World } from "../support/world.ts";

/** Long enough to be cut in the middle. */
const DRIVE_S = 8;

const kinds = (rows: readonly Row[], kind: string): readonly Row[] =>
  rows.filter((row) => row["kind"] === kind);

/** Waits until the drive's end is in the store, then checks that the numbers have no hole and no double. */
async function settled(world: World, trips: number): Promise<readonly Row[]> {
  let rows: readonly Row[] = [];
  await world.until(`${trips} trips in the store, no holes`, async () => {
    rows = await world.rows();
    return kinds(rows, "trip.ended").length >= trips && holesAndDoubles(rows).length === 0;
  });
  const listed = await world.listed();
  assert.equal(holesAndDoubles(listed), []);
  assert.ok(listed.length >= rows.length, "the command line lists what the API does");
  return listed;
}

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

test("network cut in the middle of a drive: all of it arrives afterwards, and commands are told the truth", async () => {
  let proxy: TcpProxy | undefined;
  await using world = await World.whole(async (broker) => {
    proxy = await tcpProxy(broker);
    return proxy.port;
  });
  assert.ok(proxy !== undefined);
  const held = await world.booking();
  assert.is((await world.command("unlock", held))["state"], "executed");
  const drive = world.cockpit("/api/script", { driveSeconds: DRIVE_S });
  await world.until(
    "the trip has begun",
    async () => kinds(await world.rows(), "trip.started").length > 0,
  );
  proxy.refuse(true);
  proxy.cut();
  await world.online(false);
  const stored = (await world.rows()).length;
  const away = await world.command("lock", held);
  assert.match(JSON.stringify(away), "vehicle_offline");
  await drive;
  assert.is((await world.rows()).length, stored, "nothing gets through a cut line");
  proxy.refuse(false);
  await world.online(true);
  await settled(world, 1);
  assert.is((await world.command("lock", held))["state"], "executed");

  // Done, and cut off before anybody heard of it: known once the agent runs again.
  const before = await world.pulses();
  proxy.mute(true);
  const asked = world.command("unlock", held);
  await world.until("the car to have written down what it did", async () => {
    const journal = await openJournal(
      join(world.paths.data, "agent", "state", "commands", "journal"),
    );
    await journal.close();
    const isDone = journal.owed().some(({ action }) => action === "unlock");
    return isDone && (await world.pulses()) === before + 1;
  });
  await world.agent.kill();
  proxy.mute(false);
  assert.is((await asked)["state"], "unknown");
  await world.startAgent({ ...world.ports, broker: proxy.port });
  const path = `/commands/${String((await asked)["id"])}`;
  await world.until("the result of before to be told", async () => {
    const { body } = await world.backend.ask(path);
    return isJson(body) && body["state"] === "executed";
  });
  assert.is(await world.pulses(), before + 1);
  await proxy.close();
});

test.run();
