/** Who is in a rental: whoever opened it or works it stays in it, whatever lists and clocks say, until it ends. */
import { cardIdOf, cryptoReady, type NewEvent } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CARD, cardGrant, ID_KEY, NOW, phoneGrant, Rig, TAPPED, UID } from "./desk-rig.ts";

await cryptoReady();

test("who works the car in a rental of their booking is held too, once it was done", async () => {
  const rig = new Rig();
  rig.rental = { value: "open", booking: "b-1" };
  await rig.apply(1, [phoneGrant(8)]);
  rig.outcome = { status: "refused", unmet: [] };
  await rig.present(TAPPED);
  assert.equal(rig.held, []);
  rig.outcome = { status: "executed", unmet: [] };
  await rig.present(TAPPED);
  assert.equal(rig.record.holders(), [{ grant: phoneGrant(8) }], "without a key of card numbers");
  rig.onOrder = () => {
    rig.rental = { value: "open", booking: "b-2" };
  };
  await rig.apply(2, [phoneGrant(9)]);
  await rig.present(TAPPED);
  assert.equal(rig.held, ["b-1 8"], "the rental has become another's");
});

test("who is in the rental is held as they came into it, not as they open it once more", async () => {
  const rig = new Rig();
  rig.rental = { value: "open", booking: "b-1" };
  const first = { grant: phoneGrant(8, { toMs: NOW + 5 }) };
  await rig.record.hold(first);
  rig.asks = "unlock_and_release";
  rig.outcome = { status: "unknown", unmet: [] };
  await rig.apply(1, [phoneGrant(8)]);
  await rig.present(TAPPED);
  assert.equal(rig.record.holders(), [first]);
  assert.is(rig.holds, 0, "nothing is written that is there");
  assert.equal(rig.shown, ["4 failed"]);
});

test("who is in a rental stays in it when the list names them no more, by phone and by card", async () => {
  for (const [presentation, grant, proof] of [
    [TAPPED, phoneGrant(8), "phone"],
    [CARD, cardGrant(7), "key"],
  ] as const) {
    const rig = new Rig();
    rig.asks = "unlock_and_release";
    rig.onOrder = () => {
      rig.rental = { value: "open", booking: "b-1" };
    };
    await rig.apply(1, [grant]);
    await rig.present(presentation);
    await rig.apply(2, []);
    rig.time = { value: "known", wallMs: NOW + 7_200_000, doubtMs: 10 };
    rig.asks = "unlock";
    const event = await rig.present(presentation);
    assert.ok(event?.kind === "access.used", presentation.kind);
    assert.equal([event.data.proof, event.data.action], [proof, "unlock"]);
    assert.equal(rig.shown.at(-1), `${presentation.id} granted`);
    rig.rental = { value: "open", booking: "b-2" };
    const refused = await rig.present(presentation);
    assert.ok(refused?.kind === "access.refused", "another's rental");
  }
});

test("who opens a rental that is another's by then is not held in it", async () => {
  const rig = new Rig();
  rig.rental = { value: "open", booking: "b-1" };
  rig.onOrder = () => {
    rig.rental = { value: "open", booking: "b-2" };
  };
  await rig.apply(1, [phoneGrant(9)]);
  const event = await rig.present(TAPPED);
  assert.ok(event?.kind === "access.used" && event.data.status === "executed");
  assert.equal(rig.held, []);
});

test("who was left behind by rentals that a cut ended takes no place from the next driver", async () => {
  const rig = new Rig();
  for (const id of [1, 2, 3, 4])
    await rig.record.hold({ grant: phoneGrant(id, { booking: "b-0" }) });
  await rig.apply(1, [cardGrant(7)]);
  rig.onOrder = () => {
    assert.equal(rig.held, ["b-1 7"], "before the bolts move");
    rig.rental = { value: "open", booking: "b-1" };
  };
  await rig.present(CARD);
  await rig.apply(2, []);
  rig.time = { value: "unknown" };
  const event = await rig.present(CARD);
  assert.ok(event?.kind === "access.used", "without list and time");
  const started = new Rig();
  await started.record.hold({ grant: phoneGrant(1) });
  await started.desk.rentalChanged();
  assert.equal(started.held, [], "at a start, where none is open");
});

test("a card of several bookings is in the rental that one of them opened", async () => {
  const rig = new Rig();
  rig.rental = { value: "open", booking: "b-1" };
  await rig.apply(1, [cardGrant(6, { booking: "b-0" }), cardGrant(7)]);
  const event = await rig.present(CARD);
  assert.ok(event?.kind === "access.used");
  assert.equal([event.data.action, event.data.booking], ["unlock", "b-1"]);
});

test("wrong PINs of who is in the open rental count on over every new list, and are forgotten after it", async () => {
  const named = `pin:${"07".repeat(16)}`;
  const rig = new Rig(new Map([[named, 9]]));
  await rig.record.hold({ grant: cardGrant(7), cardIdKey: ID_KEY });
  rig.rental = { value: "open", booking: "b-1" };
  await rig.apply(1, []);
  await rig.apply(2, []);
  assert.equal(rig.record.tries(), new Map([[named, 9]]));
  rig.rental = { value: "none" };
  await rig.desk.rentalChanged();
  await rig.apply(3, []);
  assert.is(rig.record.tries().size, 0);
});

test("strangers' numbers slow no driver, and after a restart only for what is left of their delay", async () => {
  const grant = cardGrant(7, {
    card: { cardId: cardIdOf(ID_KEY, UID), proof: "uid", uidRule: "alone" },
  });
  const bare = { id: 3, kind: "card", uid: UID, keyed: false } as const;
  const rig = new Rig();
  await rig.apply(1, [grant]);
  for (let tap = 0; tap < 10; tap += 1) {
    await rig.present({ ...bare, uid: UID.map((byte) => byte + 1) });
    rig.clock.pass(900_000);
  }
  assert.is(rig.record.tries().get("uid"), 10);
  const next = rig.restarted();
  await next.apply(1, [grant]);
  assert.equal(reasonsOf(await next.present(bare)), ["try_later"]);
  next.time = { value: "known", wallMs: NOW + 900_000 + 20, doubtMs: 10 };
  assert.equal(reasonsOf(await next.present(bare)), [], "what it waited before the restart counts");
  const driver = rig.restarted();
  driver.rental = { value: "open", booking: "b-1" };
  await driver.record.hold({ grant, cardIdKey: ID_KEY });
  assert.equal(reasonsOf(await driver.present(bare)), [], "a driver is not slowed at all");
});

const reasonsOf = (event: NewEvent | undefined): readonly string[] =>
  event?.kind === "access.refused" ? event.data.reasons : [];

test.run();
