/** The desk at its edges: who else stands there, taps that follow one another, and when the last failure was. */
import { cryptoReady, type Grant } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { cardGrant, NOW, phoneGrant, Rig, TAPPED, UID } from "./desk-rig.ts";

await cryptoReady();
const MINE = { value: "open", booking: "b-1" } as const;
const CARD = { id: 3, kind: "card", uid: UID, keyed: true } as const;
const STRANGER = { id: 9, kind: "card", uid: Uint8Array.of(9, 9, 9, 9), keyed: false } as const;
const kinds = (rig: Rig): readonly string[] =>
  rig.events.map((event) => (event.kind === "access.used" ? event.data.kind : event.kind));
/** What is said to a card that nobody listed: it waits where too many were tried. */
async function stranger(rig: Rig): Promise<readonly string[]> {
  const event = await rig.present(STRANGER);
  assert.equal(
    rig.logged.filter((line) => line.startsWith("access.bug")),
    [],
  );
  assert.ok(event?.kind === "access.refused");
  return event.data.reasons;
}

test("who goes away while nobody waits leaves nothing undone", async () => {
  const rig = new Rig();
  await rig.apply(1, [cardGrant(7)]);
  rig.desk.gone(CARD.id);
  assert.ok(await rig.present(CARD));
  rig.desk.gone(CARD.id);
  assert.equal(rig.shown, ["3 granted"]);
});

test("a card that comes while a phone is served is served after it, and so is another card", async () => {
  const rig = new Rig();
  await rig.apply(1, [cardGrant(7), phoneGrant(8)]);
  rig.desk.present(TAPPED);
  rig.desk.present(CARD);
  await rig.desk.settled();
  assert.equal(kinds(rig), ["phone", "card"], "settled is when both were answered");
  rig.desk.present(CARD);
  rig.desk.present(STRANGER);
  await rig.desk.settled();
  assert.equal(kinds(rig).slice(2), ["card", "access.refused"]);
  rig.desk.present(CARD);
  rig.desk.present({ ...CARD, id: 5, uid: UID.slice() });
  await rig.desk.settled();
  assert.is(rig.events.length, 5, "a card that flickers is one tap");
});

test("when the last failure can have been is kept by the latest that it may be, or as not known", async () => {
  const rig = new Rig();
  assert.equal(await stranger(rig), ["not_listed"]);
  assert.is(rig.record.triedAtMs(), NOW + 10);
  rig.time = { value: "unknown" };
  assert.equal(await stranger(rig), ["not_listed"]);
  assert.is(rig.record.triedAtMs(), undefined);
});

test("after a restart a delay of 20 s is over once that is certain, and not for want of a clock", async () => {
  const before = new Rig();
  for (let tries = 0; tries < 3; tries += 1) await stranger(before);
  before.clock.pass(10_000);
  await stranger(before);
  const latest = NOW + 10;
  const rows = [
    { time: { value: "unknown" }, waits: true },
    { time: { value: "known", wallMs: latest + 5 + 19_999, doubtMs: 5 }, waits: true },
    { time: { value: "known", wallMs: latest + 5 + 20_000, doubtMs: 5 }, waits: false },
    { time: { value: "known", wallMs: latest - 3_600_000, doubtMs: 5 }, waits: true },
  ] as const;
  for (const { time, waits } of rows) {
    const rig = before.restarted();
    rig.time = time;
    const expected = waits ? ["not_listed", "try_later"] : ["not_listed"];
    assert.equal(await stranger(rig), expected, JSON.stringify(time));
  }
});

test("strangers do not slow who is in the rental, whatever else names that card", async () => {
  const bare = (id: number, booking: string): Grant => {
    const { card, ...rest } = cardGrant(id, { booking });
    assert.ok(card !== undefined);
    return { ...rest, card: { cardId: card.cardId, proof: "uid", uidRule: "alone" } };
  };
  const rig = new Rig();
  await rig.apply(1, [bare(7, "b-1"), bare(8, "b-2")]);
  rig.rental = MINE;
  await rig.present({ ...CARD, keyed: false });
  assert.equal(rig.held, ["b-1 7"]);
  for (let tries = 0; tries < 4; tries += 1) await stranger(rig);
  assert.equal(await stranger(rig), ["not_listed", "try_later"]);
  const event = await rig.present({ ...CARD, keyed: false });
  assert.is(event?.kind, "access.used");
});

test("a phone's lock that failed turns no card's tap round", async () => {
  const rig = new Rig();
  await rig.apply(1, [cardGrant(7), phoneGrant(8)]);
  rig.rental = MINE;
  rig.locked = "no";
  rig.asks = "lock";
  rig.outcome = { status: "refused", unmet: [] };
  await rig.present(TAPPED);
  await rig.present(CARD);
  assert.equal(
    rig.orders.map(({ action, by }) => `${by} ${action}`),
    ["phone lock", "card lock"],
  );
});

test("a lock that was done turns nothing round: who opens from inside may lock again at once", async () => {
  const rig = new Rig();
  await rig.apply(1, [cardGrant(7)]);
  rig.rental = MINE;
  rig.locked = "no";
  await rig.present(CARD);
  await rig.present(CARD);
  assert.equal(
    rig.orders.map(({ action }) => action),
    ["lock", "lock"],
  );
});

test.run();
