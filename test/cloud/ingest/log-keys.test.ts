/** The keys of a log: the right one at any place, in any order, and none of them costs the whole way again. */
import { logKeys } from "@kerbside/ingest";
import {
  LANES,
  type LogOpening,
  ProtocolError,
  ratchetNext,
  ratchetStart,
  rowKeyOf,
  segmentKeyOf,
  tenantId,
  vehicleId,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

const ROOT = new Uint8Array(32).fill(7);
const OPENING: LogOpening = {
  tenant: tenantId("demo"),
  vehicle: vehicleId("car-1"),
  log: new Uint8Array(16).fill(1),
  previousEndedCleanly: true,
  ingestKeyVersion: 1,
  sealedRoot: new Uint8Array(80),
  agentVersion: "1",
};
const MAX = 3000;
/** Each place of the ratchet, gone to plainly. */
const WAY: Uint8Array[] = [ratchetStart(ROOT, OPENING, "track")];
for (let i = 0; i < MAX; i += 1) WAY.push(ratchetNext(WAY.at(-1) ?? new Uint8Array()));
const at = (index: number): Uint8Array => WAY[index] ?? new Uint8Array();

test("any place, in any order, is the one that the way there leads to; steps are counted", async () => {
  let steps = 0;
  const keys = logKeys(OPENING, ROOT, MAX, (ratchet) => {
    steps += 1;
    return ratchetNext(ratchet);
  });
  const rows: readonly (readonly [index: number, steps: number, why: string])[] = [
    [0, 0, "the start"],
    [3, 3, "the first way"],
    [4, 1, "the next one"],
    [4, 0, "the same again"],
    [2, 2, "back, from the start"],
    [2500, 2498, "far on, from where it was"],
    [2501, 1, "the next one"],
    [1024, 0, "a place that was kept"],
    [1030, 6, "on from there"],
    [2047, 1017, "on from where it was"],
    [2048, 0, "another place that was kept"],
    [1023, 1023, "before the first place"],
    [2049, 1, "from a place, not from where it was"],
    [1100, 76, "back, from a place"],
    [3000, 952, "the last there is, from the last place"],
    [2500, 452, "back once more"],
  ];
  for (const [index, cost, why] of rows) {
    const before = steps;
    assert.equal(await keys.rowKey("track", index), rowKeyOf(at(index)), why);
    assert.is(steps - before, cost, why);
    assert.equal(await keys.segmentKey("track", index), segmentKeyOf(at(index)), why);
    assert.is(steps - before, cost, "asked for once more it costs nothing");
  }
});

test("beyond its bound there is no key; lanes have ways of their own", async () => {
  const keys = logKeys(OPENING, ROOT, MAX);
  try {
    await keys.rowKey("track", MAX + 1);
    assert.unreachable();
  } catch (error) {
    assert.ok(error instanceof ProtocolError && error.code === "limit_reached");
    assert.is(error.message, "ratchet: expected an index up to 3000");
  }
  for (const lane of LANES)
    assert.equal(await keys.rowKey(lane, 0), rowKeyOf(ratchetStart(ROOT, OPENING, lane)));
});

test("on a long way others get their turn, every 256 steps", async () => {
  const keys = logKeys(OPENING, ROOT, MAX);
  let turns = 0;
  let isThere = false;
  const count = (): void => {
    turns += 1;
    if (!isThere) setImmediate(count);
  };
  setImmediate(count);
  await keys.rowKey("track", 255);
  assert.is(turns, 0, "a short way is gone at once");
  await keys.rowKey("track", MAX);
  isThere = true;
  assert.ok(turns >= 10 && turns <= 12, `${turns} turns on ${MAX} steps`);
});

test.run();
