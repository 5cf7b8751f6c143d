/** Keys of commands and of requests. A command key is replaced without a visit to the car: it takes the new certificate and believes the old key no more. */
import { generateKeyPairSync } from "node:crypto";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { VEHICLE } from "../../scripts/demo/parts.ts";
import { runCloud } from "../support/cloud-process.ts";
import { World } from "../support/world.ts";

/** The file in which the agent keeps what it trusts, wherever its data directory has it. */
function keyFile(dir: string): string | undefined {
  const found = readdirSync(dir, { recursive: true, encoding: "utf8" }).find((name) =>
    name.endsWith("trusted-keys"),
  );
  return found === undefined ? undefined : join(dir, found);
}

let world: World;
test.before(async () => {
  world = await World.whole();
});
test.after(() => world[Symbol.asyncDispose]());

test("key rotate: the car takes the new command key while it drives on", async () => {
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

test("P-51 command send signs what it asks, where the tenant demands it", async () => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const of = (name: string): string => join(world.paths.data, name);
  writeFileSync(of("public.pem"), publicKey.export({ format: "pem", type: "spki" }));
  writeFileSync(of("private.pem"), privateKey.export({ format: "pem", type: "pkcs8" }));
  const common = ["--data", world.paths.cloud, "--json", "--tenant", "demo"];
  const must = async (...words: readonly string[]): Promise<void> => {
    const { code, err } = await runCloud(words);
    assert.is(code, 0, err);
  };
  const key = ["--client", "demo-operator", "--key-id", "k1"];
  await must("request-key", "add", ...common, ...key, "--public-key", of("public.pem"));
  await must("request-key", "require", ...common, "--signed", "yes");
  const url = `https://localhost:${world.ports.https}`;
  const find = ["--vehicle", VEHICLE, "--action", "find", "--url", url];
  const send = (...more: readonly string[]) =>
    runCloud(["command", "send", ...common, ...find, ...more]);
  const signs = ["--request-key", of("private.pem"), "--key-id", "k1"];
  let bare = await send();
  await world.until("the signer to demand it", async () => {
    if (bare.code === 0) bare = await send();
    return bare.code !== 0;
  });
  assert.match(bare.err, /demands that callers sign \(RFC 9421\), and this one did not/);
  const signed = await send(...signs);
  assert.is(signed.code, 0, signed.err);
  assert.match(signed.out, '"state":"executed"');
  await must("request-key", "revoke", ...common, ...key);
  await world.until(
    "the revoked key to count no more",
    async () => (await send(...signs)).code === 1,
  );
  assert.is((await send("--key-id", "k1")).code, 2, "a key without its file");
  const wrong = await send("--request-key", of("public.pem"), "--key-id", "k1");
  assert.match(wrong.err, /public\.pem: expected a private key/);
});

test.run();
