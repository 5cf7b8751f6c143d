/** The authority itself is replaced without a visit to the car: its spare names the next one, which certifies all keys anew. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runCloud } from "../support/cloud-process.ts";
import { World } from "../support/world.ts";

/** The file in which the agent keeps what it trusts, wherever its data directory has it. */
function keyFile(dir: string): string | undefined {
  const found = readdirSync(dir, { recursive: true, encoding: "utf8" }).find((name) =>
    name.endsWith("trusted-keys"),
  );
  return found === undefined ? undefined : join(dir, found);
}

test("key succeed: the spare names another authority, the car takes it, and the one before is nothing any more", async () => {
  await using world = await World.whole();
  const held = await world.booking();
  assert.is((await world.command("unlock", held))["state"], "executed");
  const secrets = join(world.paths.cloud, "secrets");
  const key = (words: readonly string[]) =>
    runCloud(["key", ...words, "--data", world.paths.cloud, "--json", "--tenant", "demo"]);
  const wrong = await key(["succeed", "--spare", join(secrets, "authority-demo")]);
  assert.is(wrong.code, 1, "the authority cannot name the next one");
  assert.match(wrong.err, "not this tenant's spare");
  const made = await key(["succeed", "--spare", join(secrets, "authority-spare-demo")]);
  assert.is(made.code, 0, made.err);
  assert.match(made.out, '"version":2');
  await world.until("the car has taken it", async () => keyFile(world.paths.data) !== undefined);
  assert.is((await world.command("lock", held))["state"], "executed", "by the same command key");
  const old = ["rotate", "--purpose", "command", "--authority", join(secrets, "authority-demo")];
  assert.match((await key(old)).err, "not this tenant's authority");
  const next = join(secrets, "authority-demo-2");
  const rotated = await key(["rotate", "--purpose", "command", "--authority", next]);
  assert.is(rotated.code, 0, rotated.err);
  await world.until("a command by a key that the next authority certified", async () => {
    const { state } = await world.command("unlock", held);
    return state === "executed";
  });
  const again = await key(["succeed", "--spare", join(secrets, "authority-spare-demo")]);
  assert.is(again.code, 1, "a spare names one authority");
  const spare = join(secrets, "authority-spare-demo-2");
  assert.is((await key(["succeed", "--spare", spare])).code, 0, "the next spare the one after");
});

test.run();
