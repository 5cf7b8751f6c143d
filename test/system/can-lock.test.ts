/**
 * A car that its body computer locks, through real processes: commands become frames of the profile's list and nothing
 * else, what the bolts' own signals show is what is answered, and what this car has not is refused by that reason.
 */
import { join } from "node:path";
import { type BusFrame, createSocketBus } from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Json } from "../../scripts/demo/api.ts";
import { act, ask, door } from "../support/operator.ts";
import { realClock, realRandom } from "../support/runtime.ts";
import { World } from "../support/world.ts";

/** Of the requests in the shipped profile of the simulated car. */
const REQUEST_ID = 944;
const REPEATS = 4;
/** ISO 15765-4: what the agent asks the car's diagnosis, on 11-bit addresses. */
const DIAGNOSIS = new Set([0x7df, 0x7e0]);

const reasons = (answer: Json): string => JSON.stringify(answer["result"] ?? answer);

test("commands become frames of the list; what is seen is what is answered; nothing else is ever sent", async () => {
  await using world = await World.whole(undefined, { lock: { driver: "can" } });
  const sent: BusFrame[] = [];
  const own = new Set<number>();
  const bus = createSocketBus({
    path: join(world.paths.data, "sim", "can.sock"),
    clock: realClock,
    random: realRandom,
  });
  // All that the car says itself has an id of its own DBC; what is left comes from the agent.
  bus.start({
    frames: (frames) => {
      for (const frame of frames) {
        if (frame.id === REQUEST_ID || DIAGNOSIS.has(frame.id)) sent.push(frame);
        else own.add(frame.id);
      }
    },
    event: () => undefined,
  });
  const requests = (): readonly number[] =>
    sent.filter(({ id }) => id === REQUEST_ID).map(({ data }) => data[0] ?? 0);
  const held = await world.booking();
  try {
    assert.is((await world.command("unlock_and_release", held))["state"], "executed");
    assert.equal(
      requests(),
      Array.from({ length: REPEATS }, () => 2),
      "four times unlock",
    );
    assert.is((await world.cockpit("/api/state"))["locked"], false);

    for (const action of ["immobilise", "release", "trunk", "find"]) {
      const refused = await ask(world, { action });
      assert.is(refused["state"], "refused", `${action}: ${JSON.stringify(refused)}`);
      assert.match(reasons(refused), "not_available");
    }
    await act(world, door(true));
    await world.until("the open door to be known", async () => {
      const answer = await world.command("lock", held);
      return answer["state"] === "refused" && reasons(answer).includes("doors_closed");
    });
    await act(world, door(false), { type: "fault", fault: "lockJam", on: true });
    await world.until("the closed door to be known", async () => {
      const answer = await world.command("lock", held);
      return reasons(answer).includes("no_travel");
    });
    await act(world, { type: "fault", fault: "lockJam", on: false });
    const before = requests().length;
    const ended = await world.command("end_rental", held);
    assert.is(ended["state"], "executed", reasons(ended));
    assert.is((await world.cockpit("/api/state"))["locked"], true);
    assert.equal(
      requests().slice(before),
      Array.from({ length: REPEATS }, () => 1),
    );
    assert.is(await world.pulses(), 0, "the lock controller did nothing");
    for (const code of [1, 2]) {
      const mine = sent.filter(({ id, data }) => id === REQUEST_ID && data[0] === code);
      const counts = mine.map(({ data }) => (data[1] ?? 0) >> 4);
      assert.equal(
        counts,
        counts.map((_, at) => at % 16),
        "each frame the next of the one before",
      );
    }
    assert.not(own.has(REQUEST_ID));
    const strange = [...own].filter((id) => !OF_THE_CAR.has(id));
    assert.equal(strange, [], "no frame but the car's own, the list's and diagnosis");
  } finally {
    await bus.stop();
  }
});

/** The DBC of the simulated car, and what its engine answers to diagnosis. */
const OF_THE_CAR: ReadonlySet<number> = new Set([
  ...[256, 257, 272, 288, 512, 528, 768, 784, 800, 1776, 0x7e8],
  ...[419_361_564, 419_385_628],
]);

test.run();
