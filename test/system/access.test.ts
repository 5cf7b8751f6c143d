/** Cards and phones at a car that has no coverage: real agent, real reader link, the cloud switched off. */
import { randomBytes, randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { signingKey } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Json } from "../../scripts/demo/api.ts";
import { startAgent, VEHICLE } from "../../scripts/demo/parts.ts";
import { World } from "../support/world.ts";

const UID = "04a1b2c3d4e5f6";

type Key = { readonly seed: string; readonly publicKey: string };

function phone(): Key {
  const seed = randomBytes(32);
  return {
    seed: seed.toString("hex"),
    publicKey: Buffer.from(signingKey(seed).publicKey).toString("base64url"),
  };
}

function grant(world: World, booking: string, body: Json): Promise<Json> {
  return world.backend.must(`/bookings/${booking}/grants`, {
    method: "POST",
    headers: { "idempotency-key": randomUUID() },
    body: { actions: ["unlock_and_release", "unlock", "lock"], ...body },
  });
}

/** Holds something to the reader until it is let do something, as one does while a car is still waking. */
async function tap(world: World, body: Json): Promise<string> {
  let shown = "";
  await world.until("the reader to be served", async () => {
    ({ shown } = (await world.cockpit("/api/tap", body)) as { shown: string });
    return shown !== "no_car" && shown !== "wait";
  });
  return shown;
}

async function locked(world: World): Promise<boolean> {
  return (await world.cockpit("/api/state"))["locked"] === true;
}

/** Every file below a folder that holds the bytes. */
function filesWith(folder: string, what: Buffer): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file).includes(what));
}

test("P-20 a phone and a card open a car that has been offline since before the grant", async () => {
  await using world = await World.whole();
  const booking = await world.booking();
  const [listed, late, stranger] = [phone(), phone(), phone()];
  const key = randomBytes(16).toString("hex");
  await grant(world, booking, { phone: listed.publicKey });
  await grant(world, booking, { card: { uid: UID, proof: "keyed", key, uidRule: "never" } });
  await world.until("the car to confirm its list", async () => {
    const { body } = await world.backend.ask(`/vehicles/${VEHICLE}/grants`);
    const { items } = body as { items: readonly Json[] };
    return items.length === 2 && items.every(({ state }) => state === "active");
  });
  await world.agent.kill();
  await world.online(false);
  const { grant: lateId } = await grant(world, booking, { phone: late.publicKey });
  const { carried } = await world.backend.must(`/grants/${String(lateId)}/carry`, {
    method: "POST",
    headers: { "idempotency-key": randomUUID() },
    body: {},
  });
  await world.cloud.program.stop();

  let agent = startAgent(world.paths, world.ports);
  try {
    await agent.ready;
    const card = { kind: "card", uid: UID, key };
    assert.is(await tap(world, { kind: "phone", seed: stranger.seed }), "refused");
    assert.is(await tap(world, { ...card, key: "00".repeat(16) }), "refused", "a copied number");
    assert.is(await tap(world, { kind: "phone", seed: late.seed }), "refused", "without its grant");
    assert.is(await tap(world, { kind: "phone", seed: late.seed, carried }), "granted");
    assert.is(await locked(world), false);
    assert.is(await tap(world, card), "granted", "the card of the same booking locks");
    assert.is(await locked(world), true);
    await agent.kill();
    agent = startAgent(world.paths, world.ports);
    await agent.ready;
    const back = { kind: "phone", seed: listed.seed, action: "unlock" };
    assert.is(await tap(world, back), "granted", "after a restart without a network");
    assert.is(await locked(world), false);
    assert.equal(filesWith(join(world.paths.data, "agent"), Buffer.from(UID, "hex")), []);
    assert.equal(filesWith(join(world.paths.data, "agent"), Buffer.from(UID)), []);

    await world.startCloud();
    await world.online(true);
    await world.until("what was done without coverage to be known", async () => {
      const kinds = (await world.rows()).map(({ kind }) => kind);
      const count = (kind: string): number => kinds.filter((one) => one === kind).length;
      return count("access.used") === 3 && count("access.refused") === 3;
    });
    const opened = (await world.rows()).find(({ kind }) => kind === "rental.started");
    assert.is((opened?.["data"] as Json | undefined)?.["openedBy"], "phone");
  } finally {
    await agent.stop();
  }
});

test.run();
