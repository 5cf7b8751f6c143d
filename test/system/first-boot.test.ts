/**
 * A module that starts in 1970 (design, "Time"): with no trusted time it judges the cloud's certificates against its
 * floor, is given time bound to its own nonce, and then does what any car does. Nothing of the agent is told but by the
 * machine's clock, which OpenSSL reads as well.
 */
import { execFileSync, spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isJson, type Json } from "../../scripts/demo/api.ts";
import { agentConfig, ensureEnrolment, VEHICLE } from "../../scripts/demo/parts.ts";
import { needs } from "../support/debian.ts";
import { at1970 } from "../support/machine-clock.ts";
import { World } from "../support/world.ts";

const UID = "04a1b2c3d4e5f6";
/** What the store may say of when something was, against this machine's clock. */
const OFF_MS_MAX = 60_000;

/** The agent by its own command line. */
function startAgent({ paths, ports }: World, env: Readonly<Record<string, string>>) {
  const config = agentConfig(paths, ports);
  writeFileSync(paths.agentConfig, JSON.stringify(config), { mode: 0o600 });
  const words = ["device/main.ts", "run", "--config", paths.agentConfig, "--json"];
  const agent = spawn(process.execPath, words, {
    env: { PATH: "/usr/bin:/bin", ...env },
    stdio: "ignore",
  });
  return {
    stop: async () => {
      const ended = once(agent, "exit");
      if (agent.exitCode === null && agent.kill("SIGTERM")) await ended;
    },
  };
}

async function tap(world: World, body: Json): Promise<unknown> {
  let shown: unknown;
  await world.until("the reader to be served", async () => {
    ({ shown } = await world.cockpit("/api/tap", body));
    return shown !== "no_car" && shown !== "wait";
  });
  return shown;
}

needs("g++")(
  "a module that first boots in 1970 joins, is told the time, and opens for command and card",
  async () => {
    await using world = await World.cloudOnly();
    const env = at1970(world.paths.data);
    const year = execFileSync(process.execPath, ["-p", "new Date().getUTCFullYear()"], { env });
    assert.is(year.toString().trim(), "1970", "its clock is what it is taken for");
    await world.startSim();
    await ensureEnrolment(world.paths);
    const agent = startAgent(world, env);
    try {
      await world.online(true);
      const booking = await world.booking();
      assert.is((await world.command("unlock", booking))["state"], "executed");
      assert.is((await world.command("lock", booking))["state"], "executed");

      const key = randomBytes(16).toString("hex");
      await world.backend.must(`/bookings/${booking}/grants`, {
        method: "POST",
        headers: { "idempotency-key": randomUUID() },
        body: {
          actions: ["unlock", "lock"],
          card: { uid: UID, proof: "keyed", key, uidRule: "never" },
        },
      });
      await world.until("the car to confirm its list", async () => {
        const { body } = await world.backend.ask(`/vehicles/${VEHICLE}/grants`);
        const items = isJson(body) && Array.isArray(body["items"]) ? body["items"] : [];
        return items.length === 1 && items[0].state === "active";
      });
      assert.is(await tap(world, { kind: "card", uid: UID, key }), "granted");
      assert.is((await world.cockpit("/api/state"))["locked"], false);

      await world.until("what it did to be known", async () =>
        (await world.rows()).some(({ kind }) => kind === "access.used"),
      );
      const rows = await world.rows();
      assert.ok(
        rows.some(
          ({ kind, data }) => kind === "time.changed" && isJson(data) && data["source"] === "cloud",
        ),
        "the cloud told it the time",
      );
      for (const { kind, at } of rows.filter((row) => row["kind"] !== undefined)) {
        const offMs = Math.abs(Date.parse(String(at)) - Date.now());
        if (kind === "access.used" || kind === "command.completed")
          assert.ok(offMs < OFF_MS_MAX, `${String(kind)} at ${String(at)}`);
      }
    } finally {
      await agent.stop();
    }
  },
);

test.run();
