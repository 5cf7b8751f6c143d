/** A scheme on its way: published at the command line, taken by a real car, collecting by it; forged and older ones not. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isJson, type Json } from "../../scripts/demo/api.ts";
import { jsonLines, runCloud } from "../support/cloud-process.ts";
import { World } from "../support/world.ts";

/** The driver's door under another name, as no shipped scheme has it. */
const scheme = (version: number): string =>
  JSON.stringify({
    format: 1,
    name: "doors",
    version,
    priority: 9,
    rules: [
      { name: `v${version}`, on: "change", signals: ["Vehicle.Cabin.Door.Row1.DriverSide.IsOpen"] },
    ],
  });

test("a published scheme collects in the car, an older one is refused, zones come with the policy", async () => {
  await using world = await World.whole();
  const publish = (words: readonly string[]) =>
    runCloud([
      ...words,
      ...["--data", world.paths.cloud, "--tenant", "demo", "--json"],
      ...["--url", `https://localhost:${world.ports.https}`],
    ]);
  const file = (name: string, text: string): string => {
    const path = join(world.paths.data, name);
    writeFileSync(path, text);
    return path;
  };
  const { operator } = world;
  const states = async (): Promise<readonly Json[]> => {
    const { body } = await operator.ask("/vehicles/car-1/artefacts");
    const items = isJson(body) ? body["items"] : [];
    return Array.isArray(items) ? items.filter(isJson) : [];
  };
  const applied = async (kind: string, version: number): Promise<boolean> =>
    (await states()).some(
      (row) => row["kind"] === kind && row["version"] === version && row["state"] === "applied",
    );
  const second = await publish(["scheme", "publish", "--file", file("doors.json", scheme(2))]);
  assert.is(second.code, 0, second.err);
  await world.until("the car has it", () => applied("scheme", 2));
  const collected = async (): Promise<boolean> =>
    (await world.rows()).some(
      ({ kind, ...row }) =>
        kind === "signals.changed" &&
        isJson(row["data"] ?? row) &&
        JSON.stringify(row).includes("doors"),
    );
  const booking = await world.booking();
  assert.is((await world.command("unlock", booking))["state"], "executed");
  await world.until("an event by the new rule", async () => {
    await world.cockpit("/api/script", { driveSeconds: 1 });
    return collected();
  });
  const older = await publish(["scheme", "publish", "--file", file("old.json", scheme(1))]);
  assert.is(older.code, 1);
  assert.match(older.err, "version 2");
  const policy = {
    endConditions: [{ condition: "doors_closed", unknown: "flag" }],
    zones: [
      [
        { latitude: 52.3, longitude: 13.1 },
        { latitude: 52.7, longitude: 13.1 },
        { latitude: 52.7, longitude: 13.7 },
      ],
    ],
    unstartedMs: 0,
  };
  const words = ["rental", "publish", "--version", "1", "--file"];
  const zones = await publish([...words, file("policy.json", JSON.stringify(policy))]);
  assert.is(zones.code, 0, zones.err);
  await world.until("the car has the policy", () => applied("rental", 1));
  const broken = { ...JSON.parse(scheme(3)), rules: [{ name: "x", on: "never" }] };
  const wrong = await publish([
    "scheme",
    "publish",
    "--file",
    file("bad.json", JSON.stringify(broken)),
  ]);
  assert.is(wrong.code, 0, "only the car can judge the rules");
  await world.until("the car refuses it", async () => {
    const row = (await states()).find(({ kind }) => kind === "scheme");
    return row?.["state"] === "refused" && String(row["reason"]).length > 0;
  });
  const { out } = await publish(["vehicle", "artefacts", "--vehicle", "car-1"]);
  assert.equal(
    jsonLines(out).map(({ kind, state }) => [kind, state]),
    [
      ["rental", "applied"],
      ["scheme", "refused"],
    ],
  );
});

test.run();
