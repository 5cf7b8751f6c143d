/**
 * Control units that hang, or frames that somebody plays back: their counters stand still while all else of them is
 * sound. Through real processes, what rests on them is not known then, and says so by name.
 */
import { join } from "node:path";
import { createSocketBus, readShippedProfile, serveBus, stampE2e } from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isJson, type Json } from "../../scripts/demo/api.ts";
import { act, ask, door, ignition } from "../support/operator.ts";
import { realClock, realRandom } from "../support/runtime.ts";
import { World } from "../support/world.ts";

function unmetOf(answer: Json): readonly string[] {
  const { result } = answer;
  const unmet = isJson(result) ? result["unmet"] : undefined;
  return Array.isArray(unmet) ? unmet.map(({ condition }) => String(condition)) : [];
}

test("speed and ignition whose counters stand still are unknown: no immobiliser is set on them", async () => {
  await using world = await World.cloudOnly();
  await using stack = new AsyncDisposableStack();
  const { messages } = readShippedProfile("kerbside-sim");
  const protectedOnes = new Map(
    messages.flatMap((message) =>
      message.e2e?.counter === undefined ? [] : [[message.compiled.message.id, message] as const],
    ),
  );
  const path = join(world.paths.data, "relay.sock");
  const relay = await serveBus({ path });
  stack.defer(() => relay.close());
  let stuck = false;
  let spoilt = 0;
  const bus = createSocketBus({
    path: join(world.paths.data, "sim", "can.sock"),
    clock: realClock,
    random: realRandom,
  });
  stack.defer(() => bus.stop());
  bus.start({
    frames: (frames) => {
      for (const { id, ext, data, kind, fd } of frames) {
        const message = stuck ? protectedOnes.get(id) : undefined;
        // With the checksum that belongs to it: the counter alone is wrong.
        if (message !== undefined) {
          stampE2e(message, data, 7);
          spoilt += 1;
        }
        relay.send({ id, ext, data, kind, fd });
      }
    },
    event: () => undefined,
  });
  await world.join(undefined, { bus: { driver: "socket", path } });
  assert.is((await ask(world, { action: "unlock" }))["state"], "executed");
  await act(world, door(true), { type: "driver", where: "inside" }, door(false), ignition("ON"));
  let sound: readonly string[] = [];
  await world.until("the ignition to be seen on", async () => {
    sound = unmetOf(await ask(world, { action: "immobilise" }));
    return sound.includes("ignition_off");
  });
  assert.not(
    sound.some((name) => name.endsWith("_unknown")),
    sound.join(),
  );
  stuck = true;
  let unknown: readonly string[] = [];
  await world.until("it to be unknown", async () => {
    unknown = unmetOf(await ask(world, { action: "immobilise" }));
    return unknown.includes("ignition_off_unknown") && unknown.includes("standstill_unknown");
  });
  assert.ok(spoilt > 0);
  stuck = false;
  await world.until("it to be known again", async () => {
    const again = unmetOf(await ask(world, { action: "immobilise" }));
    return !again.some((name) => name.endsWith("_unknown"));
  });
});

test.run();
