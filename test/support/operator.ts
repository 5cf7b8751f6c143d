/** What an operator's own people ask of a car, and what somebody does in it, for tests of whole systems. */
import { randomUUID } from "node:crypto";
import * as assert from "uvu/assert";
import { isJson, type Json } from "../../scripts/demo/api.ts";
import { VEHICLE } from "../../scripts/demo/parts.ts";
import type { World } from "./world.ts";

/** Longer than any of these tests. */
export const ARM_MS = 600_000;

export async function ask(world: World, body: Json, wait = 20_000): Promise<Json> {
  const answer = await world.operator.ask(`/vehicles/${VEHICLE}/commands?wait=${wait}`, {
    method: "POST",
    headers: { "idempotency-key": randomUUID() },
    body,
  });
  return isJson(answer.body) ? answer.body : {};
}

export async function state(world: World, id: unknown): Promise<Json> {
  return world.operator.must(`/commands/${String(id)}`);
}

/** Asks for it and waits until it shows as armed. */
export async function arm(world: World, body: Json): Promise<Json> {
  const asked = await ask(world, { armMs: ARM_MS, ...body }, 0);
  let seen: Json = asked;
  await world.until(`${String(body["action"])} to be armed`, async () => {
    seen = await state(world, asked["id"]);
    assert.not.match(
      String(seen["state"]),
      /executed|refused|failed|unknown/,
      JSON.stringify(seen),
    );
    return seen["state"] === "armed";
  });
  return seen;
}

export async function becomes(world: World, id: unknown, what: string): Promise<Json> {
  let seen: Json = {};
  await world.until(`the command to be ${what}`, async () => {
    seen = await state(world, id);
    return seen["state"] === what;
  });
  return seen;
}

export async function act(world: World, ...actions: readonly Json[]): Promise<void> {
  for (const action of actions) await world.cockpit("/api/action", action);
}

export const door = (open: boolean): Json => ({ type: "door", leaf: "driver", open });
export const ignition = (position: string): Json => ({ type: "ignition", position });
export const inhibited = async (world: World): Promise<unknown> =>
  (await world.cockpit("/api/state"))["startInhibited"];
