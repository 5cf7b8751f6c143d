/** How segments that wait for the store are put into transactions: every car in turn, none of them too large. */
import type { Ingest } from "@kerbside/ingest";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CarLog, makeWorld, note, type World } from "./harness.ts";

let world: World;
test.before.each(async () => {
  world = await makeWorld();
});
test.after.each(() => world.close());

/** What each transaction took, by car and number, while the first of them was held up. */
async function batchesOf(
  limits: { readonly batchSegmentsMax?: number; readonly batchEventsMax?: number },
  hand: (ingest: Ingest) => Promise<unknown>,
): Promise<readonly (readonly string[])[]> {
  const batches: string[][] = [];
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const ingest = await world.worker({
    limits,
    hook: async (_count, segments) => {
      batches.push(segments.map(({ header: { vehicle, number } }) => `${vehicle} ${number}`));
      if (batches.length === 1) await held;
    },
  });
  const done = hand(ingest);
  await new Promise((resolve) => setImmediate(resolve));
  while (batches.length === 0) await new Promise((resolve) => setImmediate(resolve));
  release();
  await done;
  return batches;
}

function backlog(log: CarLog, segments: number, events = 1) {
  return Array.from({ length: segments }, (_, i) =>
    log.segment(
      "state",
      Array.from({ length: events }, (_, e) => note(`${e}`, i)),
    ),
  );
}

test("a car with a backlog does not keep the others waiting", async () => {
  const [greedy, modest] = [await world.car("car-1"), await world.car("car-2")];
  const messages = [...backlog(greedy.newLog(), 40), ...backlog(modest.newLog(), 2)];
  const batches = await batchesOf({ batchSegmentsMax: 4 }, (ingest) =>
    Promise.all(messages.map(ingest.handle)),
  );
  const all = batches.flat();
  assert.is(all.length, 42);
  assert.ok(batches.every((batch) => batch.length <= 4));
  const places = [1, 2].map((number) => all.indexOf(`car-2 ${number}`));
  assert.ok(Math.max(...places) < 12, `its two were number ${places.join(" and ")} of 42`);
  const mine = all.filter((one) => one.startsWith("car-1"));
  assert.equal(
    mine,
    Array.from({ length: 40 }, (_, i) => `car-1 ${i + 1}`),
    "each car's own stay in order",
  );
});

test("a transaction holds a bounded number of events, and a larger segment goes alone", async () => {
  const car = await world.car("car-1");
  const log = car.newLog();
  const messages = [...backlog(log, 6, 10), ...backlog(log, 1, 60), ...backlog(log, 1, 10)];
  const batches = await batchesOf({ batchEventsMax: 25 }, (ingest) =>
    Promise.all(messages.map(ingest.handle)),
  );
  assert.is(batches.flat().length, 8);
  for (const batch of batches)
    assert.ok(batch.length <= 2 && (batch.length === 1 || !batch.includes("car-1 7")), `${batch}`);
});

test.run();
