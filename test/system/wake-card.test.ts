/** A phone that brings its own grant to a car that sleeps and was never told of it: the car wakes, opens, and tells. */
import { randomBytes, randomUUID } from "node:crypto";
import { signingKey } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isJson, type Json } from "../../scripts/demo/api.ts";
import { World } from "../support/world.ts";

const WAKE_MS_MAX = 20_000;

test("a phone wakes a sleeping car, which opens within 20 s by the grant that the phone brought", async () => {
  await using world = await World.whole(undefined, { power: { parkedS: 2, wokenS: 2 } });
  await world.online(false);
  const headers = (): Record<string, string> => ({ "idempotency-key": randomUUID() });
  const booking = await world.booking();
  const seed = randomBytes(32);
  const { grant } = await world.backend.must(`/bookings/${booking}/grants`, {
    method: "POST",
    headers: headers(),
    body: {
      actions: ["unlock_and_release", "unlock", "lock"],
      phone: Buffer.from(signingKey(seed).publicKey).toString("base64url"),
    },
  });
  const { carried } = await world.backend.must(`/grants/${String(grant)}/carry`, {
    method: "POST",
    headers: headers(),
    body: {},
  });
  const phone: Json = { kind: "phone", seed: seed.toString("hex"), carried };
  const began = performance.now();
  const { shown } = await world.cockpit("/api/tap", phone);
  const tookMs = performance.now() - began;
  assert.is(shown, "granted");
  assert.ok(tookMs < WAKE_MS_MAX, `${tookMs} ms`);
  assert.is((await world.cockpit("/api/state"))["locked"], false);
  process.stdout.write(`# opened ${Math.round(tookMs)} ms after the phone was held there\n`);
  await world.until("its wake and its rental to be told", async () => {
    const rows = await world.rows();
    const woke = rows.some(
      ({ kind, data }) =>
        kind === "power.changed" && isJson(data) && data["reason"] === "wake_card",
    );
    return woke && rows.some(({ kind }) => kind === "rental.started");
  });
});

test.run();
