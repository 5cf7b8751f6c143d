/** A command key is replaced without a visit to the car: it takes the new certificate and believes the old key no more. */
import { existsSync, readdirSync } from "node:fs";
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

test("key rotate: the car takes the new command key while it drives on", async () => {
  await using world = await World.whole();
  const held = await world.booking();
  assert.is((await world.command("unlock", held))["state"], "executed");
  assert.is(keyFile(world.paths.data), undefined, "nothing but what was pinned at enrolment");
  const secrets = join(world.paths.cloud, "secrets");
  const rotate = (authority: string) =>
    runCloud([
      ...["key", "rotate", "--data", world.paths.cloud, "--json", "--tenant", "demo"],
      ...["--purpose", "command", "--authority", join(secrets, authority)],
    ]);
  const wrong = await rotate("authority-spare-demo");
  assert.is(wrong.code, 1, "the spare certifies no command key");
  assert.match(wrong.err, "not this tenant's authority");
  const made = await rotate("authority-demo");
  assert.is(made.code, 0, made.err);
  assert.match(made.out, '"version":2');
  await world.until("the car has the new key", async () => {
    const file = keyFile(world.paths.data);
    return file !== undefined && existsSync(file);
  });
  // The car believes the new key alone by now, so an answer shows that the signer uses it for this car.
  await world.until("a command by the new key", async () => {
    const { state } = await world.command("lock", held);
    return state === "executed";
  });
});

test.run();
