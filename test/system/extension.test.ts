/**
 * A rental that outlasts its booking while the car reaches nobody and has lost its buffer: the phone that opened it works
 * on, the extension that came late reaches the car with the network, and the end that the car saw ends the booking in the cloud.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { signingKey } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isJson, type Json } from "../../scripts/demo/api.ts";
import { startAgent, VEHICLE } from "../../scripts/demo/parts.ts";
import { World } from "../support/world.ts";

/** What is left of the booking once the rental has begun. */
const LEFT_MS = 5000;

async function grants(world: World): Promise<readonly Json[]> {
  const { body } = await world.backend.ask(`/vehicles/${VEHICLE}/grants`);
  const items = isJson(body) ? body["items"] : undefined;
  return Array.isArray(items) ? items.filter(isJson) : [];
}

/** Holds a phone to the reader until the car has answered it. */
async function tap(world: World, phone: Json): Promise<string> {
  let shown = "";
  await world.until("the reader to be served", async () => {
    shown = String((await world.cockpit("/api/tap", phone))["shown"]);
    return shown !== "no_car" && shown !== "wait" && shown !== "silent";
  });
  return shown;
}

test("a late extension of a booking, with the car away past its end and its buffer gone", async () => {
  await using world = await World.whole();
  const headers = (): Record<string, string> => ({ "idempotency-key": randomUUID() });
  const booking = await world.booking();
  const endsIn = async (ms: number): Promise<number> => {
    const endMs = Date.now() + ms;
    const body = { to: new Date(endMs).toISOString() };
    await world.backend.must(`/bookings/${booking}`, { method: "PATCH", headers: headers(), body });
    return endMs;
  };
  const [seed, otherSeed] = [randomBytes(32), randomBytes(32)];
  const give = async (secret: Uint8Array): Promise<void> => {
    const phone = Buffer.from(signingKey(secret).publicKey).toString("base64url");
    await world.backend.must(`/bookings/${booking}/grants`, {
      method: "POST",
      headers: headers(),
      body: { actions: ["unlock_and_release", "unlock", "lock"], phone },
    });
  };
  await give(seed);
  await give(otherSeed);
  const known = (): Promise<void> =>
    world.until("the car to have both grants", async () => {
      const items = await grants(world);
      return items.length === 2 && items.every(({ state }) => state === "active");
    });
  await known();
  const mine = { kind: "phone", seed: seed.toString("hex") };
  const other = { kind: "phone", seed: otherSeed.toString("hex") };
  assert.is(await tap(world, mine), "granted");
  await world.until("the rental to be known", async () =>
    (await world.rows()).some(({ kind }) => kind === "rental.started"),
  );

  const endMs = await endsIn(LEFT_MS);
  await known();

  // The car loses its network and its buffer; what it knows of the time it keeps over a restart of the agent.
  const { https } = world.ports;
  await world.agent.kill();
  await world.online(false);
  const buffer = join(world.paths.data, "agent", "state", "buffer");
  assert.ok(readdirSync(buffer).length > 0, "there is one to lose");
  rmSync(buffer, { recursive: true });
  const away = startAgent(world.paths, { https, broker: 9 });
  try {
    await away.ready;
    await endsIn(3_600_000);
    await world.until("the booking's first end to be over", async () => Date.now() > endMs + 2000);
    assert.is(await tap(world, { ...mine, action: "lock" }), "granted", "it is in the rental");
    assert.is(
      await tap(world, { ...other, action: "unlock" }),
      "refused",
      "the car knows the old end",
    );
    assert.is(await tap(world, { ...mine, action: "unlock" }), "granted");
  } finally {
    await away.stop();
  }
  await world.startAgent();
  await world.until("the new end to reach the car", async () => {
    const items = await grants(world);
    return (
      items.every(({ state }) => state === "active") && (await tap(world, other)) === "granted"
    );
  });
  const ended = await world.command("end_rental", booking);
  assert.is(ended["state"], "executed", JSON.stringify(ended));
  await world.until("the booking to have ended with its rental", async () => {
    const { body } = await world.backend.ask(`/bookings/${booking}`);
    return isJson(body) && body["state"] === "ended";
  });
});

test.run();
