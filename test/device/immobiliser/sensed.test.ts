/** What the contacts are seen to say: of each action, each actuation, each bolt and each door. */
import { seenDone, seenMoved, sensedState } from "@kerbside/immobiliser";
import type { Action, LockSensed } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { LOCKED as locked, UNLOCKED as unlocked } from "../../support/lock-rig.ts";

const SEEN: readonly {
  readonly action: Action;
  readonly sensed: LockSensed;
  readonly seen: string;
}[] = [
  { action: "find", sensed: locked, seen: "yes" },
  { action: "find", sensed: unlocked, seen: "yes" },
  { action: "trunk", sensed: locked, seen: "no" },
  { action: "trunk", sensed: { ...locked, boltTrunk: "unlocked" }, seen: "yes" },
  { action: "immobilise", sensed: locked, seen: "no" },
  { action: "immobilise", sensed: { ...locked, immobiliser: "inhibited" }, seen: "yes" },
  { action: "release", sensed: locked, seen: "yes" },
  { action: "release", sensed: { ...locked, immobiliser: "unknown" }, seen: "unknown" },
  { action: "release", sensed: { ...locked, immobiliser: "inhibited" }, seen: "no" },
  { action: "unlock_and_release", sensed: unlocked, seen: "yes" },
  { action: "unlock_and_release", sensed: { ...unlocked, immobiliser: "inhibited" }, seen: "no" },
  { action: "lock_and_immobilise", sensed: { ...locked, immobiliser: "inhibited" }, seen: "yes" },
  { action: "lock_and_immobilise", sensed: locked, seen: "no" },
  { action: "end_rental", sensed: locked, seen: "yes" },
  { action: "end_rental", sensed: unlocked, seen: "no" },
  { action: "terminate", sensed: unlocked, seen: "yes" },
  { action: "cancel", sensed: unlocked, seen: "yes" },
];
for (const { action, sensed, seen } of SEEN)
  test(`${action} is seen: ${seen}`, () => assert.is(seenDone(action, sensed), seen));

test("each actuation is seen as the action that it is for", () => {
  for (const sensed of [locked, unlocked, { ...locked, immobiliser: "inhibited" as const }]) {
    assert.is(seenMoved("lock", sensed), seenDone("lock", sensed));
    assert.is(seenMoved("unlock", sensed), seenDone("unlock", sensed));
    assert.is(seenMoved("trunk", sensed), seenDone("trunk", sensed));
    assert.is(seenMoved("inhibit_start", sensed), seenDone("immobilise", sensed));
    assert.is(seenMoved("allow_start", sensed), seenDone("release", sensed));
    assert.is(seenMoved("horn_lights", sensed), "yes");
  }
});

test("each bolt and each leaf counts by itself: one that is open decides, one that is silent leaves it open", () => {
  const bolts = ["boltDriver", "boltPassengers", "boltTrunk"] as const;
  for (const bolt of bolts) {
    assert.is(sensedState({ ...locked, [bolt]: "unlocked" }).locked, "no", bolt);
    assert.is(sensedState({ ...locked, [bolt]: "unknown" }).locked, "unknown", bolt);
  }
  const leaves = ["doorFrontLeft", "doorFrontRight", "doorRearLeft", "doorRearRight", "trunk"];
  for (const leaf of leaves) {
    assert.is(sensedState({ ...locked, [leaf]: "open" }).doorsClosed, "no", leaf);
    assert.is(sensedState({ ...locked, [leaf]: "unknown" }).doorsClosed, "unknown", leaf);
  }
  const all = { locked: "yes", immobilised: "no", doorsClosed: "yes" };
  assert.equal(sensedState(locked), all);
});

test.run();
