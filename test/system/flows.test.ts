/** A rule of the operator's own on its way: published, run in a cage on a real car, its event in the tenant's store. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { flowOf } from "../device/flows/support.ts";
import { caged } from "../support/cage.ts";
import { runCloud } from "../support/cloud-process.ts";
import { World } from "../support/world.ts";

const EVENT = {
  name: "too.fast",
  title: "faster than this rule likes",
  perHourMax: 10,
  fields: { speedKmh: { type: "number", min: 0, max: 300 } },
};

function rule(version: number, func: string): string {
  const flow = flowOf("fast", func, { version, events: [EVENT] });
  const nodes = (flow["nodes"] as Record<string, unknown>[]).map((node) =>
    node["type"] === "kerbside-event-out" ? { ...node, event: EVENT.name } : node,
  );
  return JSON.stringify({ ...flow, nodes });
}

caged(
  "P-20 a published flow reports from the car; one that hangs stops nothing but itself",
  async () => {
    await using world = await World.whole();
    const publish = async (version: number, func: string): Promise<void> => {
      const file = join(world.paths.data, "rule.json");
      writeFileSync(file, rule(version, func));
      const { code, err } = await runCloud([
        ...["flow", "publish", "--file", file, "--tenant", "demo"],
        ...["--data", world.paths.cloud, "--url", `https://localhost:${world.ports.https}`],
      ]);
      assert.is(code, 0, err);
    };
    const said = async (kind: string, word: string): Promise<boolean> =>
      (await world.rows()).some(
        (row) => row["kind"] === kind && JSON.stringify(row).includes(word),
      );

    await publish(1, `if (msg.payload > 5) return { payload: { speedKmh: msg.payload } };`);
    const booking = await world.booking();
    assert.is((await world.command("unlock", booking))["state"], "executed");
    await world.until("the rule's event", async () => {
      await world.cockpit("/api/script", { driveSeconds: 4 });
      return said("flow.reported", "too.fast");
    });

    await publish(2, "while (true);");
    await world.until("the car tells of the flow that hangs", async () => {
      await world.cockpit("/api/script", { driveSeconds: 4 });
      return said("fault.raised", "flows.failed");
    });
    assert.is((await world.command("lock", booking))["state"], "executed");
  },
);

test.run();
