/** What a tap of a card asks for, for each thing that the bolts may show, and with contacts that lie. */
import { type BoltsSeen, type FailedTap, TAP_AGAIN_MS_MAX, tapAction } from "@kerbside/access";
import { cryptoReady, type GrantAction } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CARD, cardGrant, Rig } from "./desk-rig.ts";

await cryptoReady();
const MINE = { value: "open", booking: "b-1" } as const;
const NOW_MS = 1_000_000;
const ask = (bolts: BoltsSeen, failed?: FailedTap): GrantAction =>
  tapAction({
    offered: [{ grant: cardGrant(7), from: "held" }],
    ...{ rental: MINE, bolts, failed, nowMs: NOW_MS },
  });

const SEEN: readonly (BoltsSeen & { readonly why: string; readonly wants: GrantAction })[] = [
  { why: "a trunk or passenger's bolt says unlocked", driver: "yes", all: "no", wants: "unlock" },
  { why: "all locked", driver: "yes", all: "yes", wants: "unlock" },
  { why: "another bolt says nothing", driver: "yes", all: "unknown", wants: "unlock" },
  { why: "unlocked", driver: "no", all: "no", wants: "lock" },
  {
    why: "the driver's says nothing, others unlocked",
    driver: "unknown",
    all: "no",
    wants: "lock",
  },
  { why: "nothing is known", driver: "unknown", all: "unknown", wants: "unlock" },
];
for (const { why, wants, ...bolts } of SEEN)
  test(`within its rental the driver's bolt decides: ${why}`, () => {
    assert.is(ask(bolts), wants);
  });

test("a lock that was not seen to end locked turns the next tap round, for two minutes and in that rental", () => {
  const open = { driver: "no", all: "no" } as const;
  const failed = { booking: "b-1", action: "lock", atMs: NOW_MS } as const;
  assert.is(ask(open, failed), "unlock");
  assert.is(TAP_AGAIN_MS_MAX, 120_000);
  assert.is(ask(open, { ...failed, atMs: NOW_MS - TAP_AGAIN_MS_MAX }), "unlock");
  const later = { ...failed, atMs: NOW_MS - TAP_AGAIN_MS_MAX - 1 };
  assert.is(ask(open, later), "lock", "who comes back later means to lock what is unlocked");
  assert.is(ask(open, { ...failed, booking: "b-0" }), "lock", "another's tap");
});

test("an unlock after which the driver's bolt alone says locked is followed by a lock, else tried again", () => {
  const failed = { booking: "b-1", action: "unlock", atMs: NOW_MS } as const;
  assert.is(ask({ driver: "yes", all: "no" }, failed), "lock");
  assert.is(ask({ driver: "yes", all: "yes" }, failed), "unlock", "nothing has opened");
  const opening = { ...failed, action: "unlock_and_release" } as const;
  assert.is(ask({ driver: "yes", all: "no" }, opening), "unlock", "who opens a rental is outside");
});

/** A car one of whose contacts says the same for ever. */
function broken(rig: Rig, contact: "driver" | "trunk", says: "locked" | "unlocked"): void {
  const stuck = says === "locked" ? "yes" : "no";
  const see = (is: "yes" | "no"): void => {
    const driver = contact === "driver" ? stuck : is;
    rig.bolts = { driver, all: is === "yes" && stuck === "yes" ? "yes" : "no" };
    if (contact === "trunk" && is === "no") rig.bolts = { driver, all: "no" };
  };
  see("yes");
  rig.onOrder = ({ action }) => {
    const is = action === "lock" ? "yes" : "no";
    see(is);
    const isSeen = contact === "trunk" && action !== "lock" ? true : stuck === is;
    rig.outcome = { status: isSeen ? "executed" : "refused", unmet: [] };
  };
}

test("no one contact that lies locks a card's driver out, nor leaves the car unlockable", async () => {
  for (const contact of ["driver", "trunk"] as const)
    for (const says of ["locked", "unlocked"] as const) {
      const rig = new Rig();
      await rig.apply(1, [cardGrant(7)]);
      rig.rental = MINE;
      broken(rig, contact, says);
      for (let tap = 0; tap < 6; tap += 1) await rig.present(CARD);
      const actions = rig.orders.map(({ action }) => action);
      const why = `${contact} ${says}: ${actions.join(" ")}`;
      assert.ok(actions.slice(0, 2).includes("unlock"), why);
      assert.ok(actions.slice(2, 4).includes("unlock"), why);
      assert.ok(actions.slice(0, 4).includes("lock"), why);
    }
});

test("what the interlocks refused turns nothing round", async () => {
  const rig = new Rig();
  await rig.apply(1, [cardGrant(7)]);
  rig.rental = MINE;
  rig.locked = "no";
  rig.outcome = { status: "refused", unmet: ["doors_closed"] };
  await rig.present(CARD);
  await rig.present(CARD);
  assert.equal(
    rig.orders.map(({ action }) => action),
    ["lock", "lock"],
    "the door that was open has been closed: the car is to be locked",
  );
});

test.run();
