/** A car that is away: the answer comes at once and says that nothing was sent; nothing waits for its return. */
import { join } from "node:path";
import { metricValues, readMetrics } from "@kerbside/device";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { World } from "../support/world.ts";

const ANSWER_MS_MAX = 3000;

test("a command to a car that is away is refused at once and never sent later", async () => {
  await using world = await World.whole();
  const held = await world.booking();
  const before = await world.pulses();
  await world.agent.kill();
  await world.online(false);
  const asked = performance.now();
  const away = JSON.stringify(await world.command("unlock", held));
  assert.ok(
    performance.now() - asked < ANSWER_MS_MAX,
    "it does not wait for a car known to be away",
  );
  assert.match(away, "vehicle_offline");
  assert.match(away, '"mayHaveSucceeded":false');
  await world.startAgent();
  // A command that works shows that whatever could have been waiting came before it.
  assert.is((await world.command("unlock", held))["state"], "executed");
  assert.is(await world.pulses(), before + 1, "only the second one was done");
  const told = metricValues(await readMetrics(join(world.paths.data, "agent", "state")));
  assert.is(told["kerbside_agent_uplink_online"], 1);
  assert.ok((told["kerbside_agent_uplink_segments_sent_total"] ?? 0) > 0);
});

test.run();
