/** The network cut in the middle of a drive and of a command: nothing lost, nothing doubled, nothing done twice. */
import { join } from "node:path";
import { openJournal } from "@kerbside/immobiliser";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isJson } from "../../scripts/demo/api.ts";
import { DRIVE_S, kinds, settled } from "../support/cut-drive.ts";
import { type TcpProxy, tcpProxy } from "../support/tcp-proxy.ts";
import { World } from "../support/world.ts";

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
