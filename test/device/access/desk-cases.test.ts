/** The desk at the reader in memory: each case is one presentation with what the car knows, and all that comes of it. */
import {
  type CarriedGrant,
  cardIdOf,
  cryptoReady,
  type Grant,
  randomBytes,
  signCarriedGrant,
  toHex,
  vehicleId,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  ADDRESS,
  ALL,
  CARD,
  CARD_NAME,
  cardGrant,
  GRANT_KEY,
  ID_KEY,
  NOW,
  PHONE_NAME,
  phoneGrant,
  Rig,
  TAPPED,
  UID,
} from "./desk-rig.ts";

await cryptoReady();

test("a card opens its rental: what is ordered, shown, written down and remembered", async () => {
  const rig = new Rig();
  await rig.apply(1, [cardGrant(7)]);
  rig.onOrder = () => {
    assert.equal(rig.held, ["b-1 7"], "held before the bolts move");
    rig.rental = { value: "open", booking: "b-1" };
  };
  const event = await rig.present(CARD);
  assert.equal(rig.orders, [
    { action: "unlock_and_release", booking: "b-1", by: "card", credential: CARD_NAME },
  ]);
  assert.equal(event, {
    kind: "access.used",
    data: {
      kind: "card",
      credential: CARD_NAME,
      proof: "key",
      action: "unlock_and_release",
      booking: "b-1",
      grant: new Uint8Array(16).fill(7),
      status: "executed",
      unmet: [],
    },
  });
  assert.equal(rig.shown, ["3 granted"]);
  assert.equal(rig.record.holders(), [{ grant: cardGrant(7), cardIdKey: ID_KEY }]);
  assert.equal(rig.logged, []);
});

test("what the bolts did not do is shown and written down as that, and holds nobody", async () => {
  const rig = new Rig();
  await rig.apply(1, [cardGrant(7)]);
  rig.outcome = { status: "refused", unmet: ["standstill"] };
  const event = await rig.present(CARD);
  assert.ok(event?.kind === "access.used");
  assert.is(event.data.status, "refused");
  assert.equal(event.data.unmet, ["standstill"]);
  assert.equal(rig.shown, ["3 failed"]);
  assert.equal(rig.held, [], "there is no rental to be in");
});

test("where the record is lost meanwhile, whoever opened stays held", async () => {
  const rig = new Rig();
  await rig.apply(1, [cardGrant(7)]);
  rig.outcome = { status: "unknown", unmet: [] };
  rig.onOrder = () => {
    rig.rental = { value: "unknown" };
  };
  await rig.present(CARD);
  assert.equal(rig.shown, ["3 failed"]);
  assert.equal(rig.held, ["b-1 7"]);
});

test("what a card asks for by being there: to open a rental, then what the bolts are not", async () => {
  const rows = [
    { why: "no rental", rental: undefined, locked: "yes", wants: "unlock_and_release" },
    { why: "in its rental, locked", rental: "b-1", locked: "yes", wants: "unlock" },
    { why: "in its rental, unlocked", rental: "b-1", locked: "no", wants: "lock" },
    { why: "in its rental, nobody knows", rental: "b-1", locked: "unknown", wants: "unlock" },
    { why: "another's rental", rental: "b-2", locked: "no", wants: "unlock_and_release" },
    { why: "may not lock", rental: "b-1", locked: "no", may: ["unlock"], wants: "unlock" },
    {
      why: "may only open",
      rental: "b-1",
      locked: "yes",
      may: ["unlock_and_release"],
      wants: "unlock_and_release",
    },
    { why: "may only lock, locked", rental: "b-1", locked: "yes", may: ["lock"], wants: "unlock" },
    { why: "may not open one", rental: undefined, locked: "yes", may: ["lock"], wants: "unlock" },
  ] as const;
  for (const { why, rental, locked, wants, ...row } of rows) {
    const rig = new Rig();
    rig.locked = locked;
    if (rental !== undefined) rig.rental = { value: "open", booking: rental };
    await rig.apply(1, [cardGrant(7, { actions: "may" in row ? row.may : ALL })]);
    const event = await rig.present(CARD);
    const said =
      event?.kind === "access.used" || event?.kind === "access.refused" ? event.data.action : "";
    assert.is(said, wants, why);
  }
});

test("a card is known by its number under the key of the list, or of the rental that it is in", async () => {
  const other = randomBytes(32);
  const rig = new Rig();
  rig.rental = { value: "open", booking: "b-1" };
  await rig.record.hold({ grant: cardGrant(7), cardIdKey: ID_KEY });
  await rig.apply(1, [], other);
  const used = await rig.present(CARD);
  assert.ok(used?.kind === "access.used");
  assert.is(used.data.credential, toHex(cardIdOf(other, UID)), "named by the list in force");
  assert.equal(rig.record.holders(), [{ grant: cardGrant(7), cardIdKey: ID_KEY }]);
  const bare = new Rig();
  bare.rental = { value: "open", booking: "b-1" };
  await bare.record.hold({ grant: cardGrant(7), cardIdKey: ID_KEY });
  await bare.record.hold({ grant: phoneGrant(8) });
  const nameless = await bare.present(CARD);
  assert.ok(nameless?.kind === "access.used");
  assert.is(nameless.data.credential, "", "no list, no name");
  const stranger = new Rig();
  await stranger.record.hold({ grant: cardGrant(7, {}, other), cardIdKey: ID_KEY });
  await stranger.record.hold({ grant: cardGrant(6) });
  stranger.rental = { value: "open", booking: "b-1" };
  const refused = await stranger.present(CARD);
  assert.equal(refused, {
    kind: "access.refused",
    data: { kind: "card", reasons: ["not_listed"] },
  });
});

test("a refusal names who asked for what, and all that stands against it", async () => {
  const rig = new Rig();
  await rig.apply(1, [cardGrant(7)]);
  rig.time = { value: "unknown" };
  rig.rental = { value: "open", booking: "b-2" };
  assert.equal(await rig.present(CARD), {
    kind: "access.refused",
    data: {
      kind: "card",
      reasons: ["time_unknown", "other_rental"],
      credential: CARD_NAME,
      action: "unlock_and_release",
      booking: "b-1",
    },
  });
  assert.equal(rig.shown, ["3 refused"]);
  assert.equal(rig.orders, []);
  assert.equal(rig.logged, [
    'access.refused {"kind":"card","reasons":"time_unknown other_rental"}',
  ]);
});

test("a phone is named by its key; held and listed grants count, and what it brought", async () => {
  const rig = new Rig();
  rig.asks = "lock";
  await rig.apply(1, [
    phoneGrant(8),
    cardGrant(7),
    phoneGrant(9, { phone: { publicKey: ID_KEY } }),
  ]);
  const used = await rig.present(TAPPED);
  assert.ok(used?.kind === "access.used");
  assert.equal(
    [used.data.credential, used.data.proof, used.data.grant[0], used.data.kind, used.data.action],
    [PHONE_NAME, "phone", 8, "phone", "lock"],
  );
  assert.equal(rig.orders[0]?.by, "phone");
  await rig.apply(2, []);
  assert.equal(await rig.present(TAPPED), {
    kind: "access.refused",
    data: {
      kind: "phone",
      reasons: ["not_listed"],
      credential: PHONE_NAME,
      action: "lock",
    },
  });
});

test("before there is any list a phone opens by what it brings, and by nothing else", async () => {
  const rig = new Rig();
  const refused = await rig.present(TAPPED);
  assert.ok(refused?.kind === "access.refused");
  assert.equal(refused.data.reasons, ["not_listed"]);
  rig.carried = carried(0);
  const used = await rig.present(TAPPED);
  assert.ok(used?.kind === "access.used");
  assert.is(used.data.proof, "carried");
});

function carried(listVersion: number, grant = phoneGrant(5), change: Partial<CarriedGrant> = {}) {
  return signCarriedGrant(GRANT_KEY, {
    ...ADDRESS,
    listVersion,
    issuedAtMs: NOW,
    grant,
    ...change,
  });
}

test("a carried grant counts from the list in force on; before it the list decides", async () => {
  type Row = {
    readonly why: string;
    readonly listVersion: number;
    readonly list?: readonly Grant[];
    readonly proof?: string;
    readonly reasons?: readonly string[];
    readonly car?: string;
  };
  const rows: readonly Row[] = [
    { why: "made after this list", listVersion: 2, proof: "carried" },
    { why: "made after a later list", listVersion: 9, proof: "carried" },
    { why: "older, and not listed", listVersion: 1, reasons: ["carried_superseded"] },
    { why: "older, and listed", listVersion: 1, list: [phoneGrant(5)], proof: "phone" },
    { why: "newer, and listed too", listVersion: 2, list: [phoneGrant(5)], proof: "phone" },
    { why: "older, another is listed", listVersion: 1, list: [phoneGrant(6)], proof: "phone" },
    { why: "another car's", listVersion: 2, car: "car-2", reasons: ["carried_other_car"] },
    {
      why: "another car's, and one is listed",
      listVersion: 2,
      car: "car-2",
      list: [phoneGrant(6)],
      proof: "phone",
    },
  ];
  for (const { why, listVersion, list = [], proof, reasons, car } of rows) {
    const rig = new Rig();
    await rig.apply(1, []);
    await rig.apply(2, list);
    const change = car === undefined ? {} : { vehicle: vehicleId(car) };
    rig.carried = carried(listVersion, phoneGrant(5), change);
    const event = await rig.present(TAPPED);
    if (event?.kind === "access.used") assert.is(event.data.proof, proof, why);
    else {
      assert.ok(event?.kind === "access.refused", why);
      assert.equal(event.data, { kind: "phone", reasons, credential: PHONE_NAME }, why);
    }
  }
});

test("a phone that says nothing we understand is nobody", async () => {
  const rig = new Rig();
  rig.garbled = new Uint8Array(9);
  const event = await rig.present({ ...TAPPED, id: 9 });
  assert.equal(event, {
    kind: "access.refused",
    data: { kind: "phone", reasons: ["not_understood"] },
  });
  assert.equal(rig.shown, ["9 refused"]);
});

test("one at a time: who comes meanwhile is told to wait, and after that served", async () => {
  const rig = new Rig();
  await rig.apply(1, [cardGrant(7)]);
  rig.desk.present(CARD);
  rig.desk.present({ ...CARD, id: 4 });
  assert.equal(rig.shown, ["4 wait"]);
  await rig.desk.settled();
  assert.equal(rig.shown, ["4 wait", "3 granted"]);
  await rig.present({ ...CARD, id: 5 });
  assert.is(rig.shown.at(-1), "5 granted");
});

test("who waits is served after that where they are there still; a card that flickers is one tap", async () => {
  const rows = [
    { why: "a phone", next: { ...TAPPED, id: 4 }, orders: 2 },
    { why: "a phone that was taken away", next: { ...TAPPED, id: 4 }, gone: 4, orders: 1 },
    {
      why: "a phone; something else was taken away",
      next: { ...TAPPED, id: 4 },
      gone: 3,
      orders: 2,
    },
    { why: "the same card", next: { ...CARD, id: 4 }, orders: 1 },
  ] as const;
  for (const { why, next, orders, ...row } of rows) {
    const rig = new Rig();
    await rig.apply(1, [cardGrant(7), phoneGrant(8)]);
    rig.desk.present(CARD);
    rig.desk.present(next);
    if ("gone" in row) rig.desk.gone(row.gone);
    await rig.desk.settled();
    assert.is(rig.orders.length, orders, why);
    assert.is(rig.shown[0], "4 wait");
  }
  const twice = new Rig();
  await twice.apply(1, [cardGrant(7), phoneGrant(8)]);
  twice.desk.present(CARD);
  twice.desk.present({ ...TAPPED, id: 4 });
  twice.desk.present({ ...TAPPED, id: 5 });
  await twice.desk.settled();
  assert.equal(
    twice.shown,
    ["4 wait", "5 wait", "3 granted", "5 granted"],
    "the last one is there",
  );
});

test("a bug is logged and shown as a failure, and the next one is served", async () => {
  const rig = new Rig();
  await rig.apply(1, [cardGrant(7)]);
  rig.onOrder = () => {
    throw new TypeError("a bug");
  };
  await rig.present(CARD);
  assert.equal(rig.logged, ['access.bug {"what":"a bug"}']);
  assert.equal(rig.shown, ["3 failed"]);
  rig.onOrder = () => {
    // Whatever is thrown is told, an error or not.
    const odd: unknown = "odd";
    throw odd;
  };
  await rig.present(CARD);
  assert.is(rig.logged.at(-1), 'access.bug {"what":"odd"}');
  rig.onOrder = () => undefined;
  await rig.present(CARD);
  assert.is(rig.shown.at(-1), "3 granted");
});

test("as a rental ends all others are let go; where the record is lost, nobody is", async () => {
  const rig = new Rig();
  await rig.record.hold({ grant: phoneGrant(1) });
  await rig.record.hold({ grant: phoneGrant(2, { booking: "b-2" }) });
  rig.rental = { value: "unknown" };
  await rig.desk.rentalChanged();
  assert.equal(rig.held, ["b-1 1", "b-2 2"]);
  rig.rental = { value: "open", booking: "b-2" };
  await rig.desk.rentalChanged();
  assert.equal(rig.held, ["b-2 2"]);
  rig.rental = { value: "none" };
  await rig.desk.rentalChanged();
  assert.equal(rig.held, []);
});

test("with a new list, wrong PINs of grants that it does not name are forgotten, and only those", async () => {
  const named = `pin:${"07".repeat(16)}`;
  const kept = Object.entries({ [named]: 4, uid: 1, "card:ff": 2 });
  const rig = new Rig(new Map([...kept, ["pin:ff", 5]]));
  await rig.apply(1, [cardGrant(7)]);
  assert.equal(rig.record.tries(), new Map(kept));
  assert.is(rig.keptTries, 1);
  await rig.apply(2, [cardGrant(7)]);
  assert.is(rig.keptTries, 1, "nothing to forget, nothing to write");
});

test("before there is a list no PIN of one is known", async () => {
  const rig = new Rig(new Map([["pin:ff", 5]]));
  await rig.desk.listApplied();
  assert.is(rig.record.tries().size, 0);
});

test.run();
