/** Who may open what, when: each row says why. */
import {
  type AccessFacts,
  evaluate,
  grantsOfCard,
  grantsOfPhone,
  type Offer,
  REASONS,
  type Reason,
} from "@kerbside/access";
import type { Grant, GrantAction } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

const FROM = Date.UTC(2026, 10, 1, 10);
const TO = FROM + 3_600_000;
const ACTIONS: readonly GrantAction[] = ["unlock_and_release", "unlock", "lock"];

const base = { id: new Uint8Array(16), booking: "b-1", actions: ACTIONS, fromMs: FROM, toMs: TO };
const PHONE: Grant = { ...base, phone: { publicKey: new Uint8Array(32) } };
function card(uidRule: "never" | "with_pin" | "alone", keyed: boolean): Grant {
  const key = keyed ? { key: new Uint8Array(16) } : {};
  const proof = keyed ? "keyed" : "uid";
  return { ...base, card: { cardId: new Uint8Array(16), proof, uidRule, ...key } };
}

const at = (wallMs: number, doubtMs = 1000): AccessFacts["time"] => ({
  value: "known",
  wallMs,
  doubtMs,
});
const IN = at(FROM + 1_800_000);
const UNKNOWN: AccessFacts["time"] = { value: "unknown" };
const NONE: AccessFacts["rental"] = { value: "none" };
const open = (booking: string): AccessFacts["rental"] => ({ value: "open", booking });
const LOST: AccessFacts["rental"] = { value: "unknown" };

type Row = {
  readonly why: string;
  readonly grants: Offer["grants"];
  readonly shown?: Offer["shown"];
  readonly action?: GrantAction;
  readonly time?: AccessFacts["time"];
  readonly rental?: AccessFacts["rental"];
  readonly against?: readonly Reason[];
  readonly booking?: string;
};
const listed = [{ grant: PHONE, from: "listed" }] as const;
const held = [{ grant: PHONE, from: "held" }] as const;
const withCard = (grant: Grant): Offer["grants"] => [{ grant, from: "listed" }];

const ROWS: readonly Row[] = [
  { why: "no grant, no access", grants: [], against: ["not_listed"] },
  { why: "listed, in its time", grants: listed },
  { why: "brought along, in its time", grants: [{ grant: PHONE, from: "carried" }] },
  { why: "a minute early", grants: listed, time: at(FROM - 60_000), against: ["not_yet"] },
  { why: "at its end", grants: listed, time: at(TO + 1000), against: ["over"] },
  {
    why: "the doubt reaches before its beginning",
    grants: listed,
    time: at(FROM + 500),
    against: ["time_doubtful"],
  },
  {
    why: "the doubt reaches its end",
    grants: listed,
    time: at(TO - 1000),
    against: ["time_doubtful"],
  },
  {
    why: "a doubt wider than the grant",
    grants: listed,
    time: at(FROM + 1_800_000, 7_200_000),
    against: ["time_doubtful"],
  },
  {
    why: "unknown time opens nothing new",
    grants: listed,
    time: UNKNOWN,
    against: ["time_unknown"],
  },
  {
    why: "all reasons at once",
    grants: listed,
    time: UNKNOWN,
    rental: open("b-2"),
    action: "trunk",
    against: ["action_not_granted", "time_unknown", "other_rental"],
  },
  { why: "in its rental with unknown time", grants: held, time: UNKNOWN, rental: open("b-1") },
  {
    why: "in its rental long after its end",
    grants: held,
    time: at(TO + 1e10),
    rental: open("b-1"),
  },
  { why: "in its rental and the car's record lost", grants: held, time: UNKNOWN, rental: LOST },
  { why: "its rental has ended", grants: held, rental: NONE, against: ["not_listed"] },
  {
    why: "its rental has ended and another's is open",
    grants: held,
    rental: open("b-2"),
    against: ["not_listed"],
  },
  {
    why: "in its rental, but never allowed that",
    grants: held,
    rental: open("b-1"),
    action: "trunk",
    against: ["action_not_granted"],
  },
  {
    why: "somebody else's rental",
    grants: listed,
    rental: open("b-2"),
    against: ["other_rental"],
  },
  { why: "a card by its key", grants: withCard(card("never", true)), shown: "key" },
  {
    why: "a keyed card's bare number",
    grants: withCard(card("never", true)),
    shown: "uid",
    against: ["uid_not_accepted"],
  },
  {
    why: "a bare number where the class allows it",
    grants: withCard(card("alone", false)),
    shown: "uid",
  },
  {
    why: "a bare number where a PIN is asked for",
    grants: withCard(card("with_pin", false)),
    shown: "uid",
    against: ["pin_wanted"],
  },
  { why: "with its PIN", grants: withCard(card("with_pin", false)), shown: "uid_and_pin" },
  {
    why: "a PIN does not make up for a class that wants a key",
    grants: withCard(card("never", false)),
    shown: "uid_and_pin",
    against: ["uid_not_accepted"],
  },
  {
    why: "a key that the grant does not speak of",
    grants: withCard(card("alone", false)),
    shown: "key",
    against: ["wrong_key"],
  },
  {
    why: "a card is no phone",
    grants: withCard(card("alone", false)),
    shown: "phone",
    against: ["not_listed"],
  },
  {
    why: "a phone is no card",
    grants: listed,
    shown: "key",
    against: ["not_listed"],
  },
  {
    why: "the doubt ends where it begins: it may be the very moment",
    grants: listed,
    time: at(FROM - 1000),
    against: ["time_doubtful"],
  },
  { why: "certain from its beginning on", grants: listed, time: at(FROM + 1000) },
  {
    why: "certain no more as the doubt touches its end",
    grants: listed,
    time: at(TO - 1000),
    against: ["time_doubtful"],
  },
  { why: "certain to the moment before", grants: listed, time: at(TO - 1001) },
  { why: "brought along, in no rental that is lost", grants: listed, rental: LOST },
  {
    why: "listed is not held: the time counts in its own rental too",
    grants: listed,
    time: UNKNOWN,
    rental: open("b-1"),
    against: ["time_unknown"],
  },
  {
    why: "its rental has ended: all that stands against it is told",
    grants: held,
    action: "trunk",
    against: ["action_not_granted", "not_listed"],
  },
  {
    why: "of two the likelier one is told of, the first first",
    grants: [
      { grant: { ...PHONE, booking: "b-9", toMs: FROM + 1 }, from: "listed" },
      { grant: { ...PHONE, booking: "b-8", fromMs: TO }, from: "listed" },
    ],
    rental: open("b-8"),
    against: ["not_yet"],
    booking: "b-8",
  },
  {
    why: "of two alike the first is told of",
    grants: [
      { grant: { ...PHONE, booking: "b-9", toMs: FROM + 1 }, from: "listed" },
      { grant: { ...PHONE, booking: "b-8", fromMs: TO }, from: "listed" },
    ],
    against: ["over"],
    booking: "b-9",
  },
  {
    why: "of two the likelier one is told of, the second too",
    grants: [
      { grant: { ...PHONE, booking: "b-9", toMs: FROM + 1 }, from: "listed" },
      { grant: { ...PHONE, booking: "b-8", fromMs: TO }, from: "listed" },
    ],
    rental: open("b-9"),
    against: ["over"],
    booking: "b-9",
  },
  {
    why: "one grant that holds is enough",
    grants: [{ grant: { ...PHONE, toMs: FROM + 1 }, from: "listed" }, ...listed],
  },
];

for (const row of ROWS) {
  test(row.why, () => {
    const { grants, shown = "phone", action = "unlock", time = IN, rental = NONE } = row;
    const verdict = evaluate({ grants, shown, action }, { time, rental });
    assert.is(verdict.allowed, row.against === undefined);
    if (verdict.allowed) return;
    assert.equal(verdict.reasons, row.against);
    if (row.booking !== undefined) assert.is(verdict.booking, row.booking);
  });
}

test("who is allowed is told by which grant, and where it stands", () => {
  const offer: Offer = { grants: [...listed], shown: "phone", action: "unlock" };
  assert.equal(evaluate(offer, { time: IN, rental: NONE }), {
    allowed: true,
    grant: PHONE,
    from: "listed",
  });
});

test("a phone and a card are found by what names them, and by nothing else", () => {
  const other: Grant = { ...PHONE, phone: { publicKey: new Uint8Array(32).fill(1) } };
  const CARD = card("never", false);
  const all = [PHONE, other, CARD];
  assert.equal(grantsOfPhone(all, new Uint8Array(32)), [PHONE]);
  assert.equal(grantsOfCard(all, new Uint8Array(16)), [CARD]);
  assert.equal(grantsOfCard(all, new Uint8Array(16).fill(1)), []);
});

test("each reason has its words", () => {
  assert.equal(REASONS, {
    not_listed: "The car has no grant for this card or phone.",
    not_yet: "The grant has not begun.",
    over: "The grant is over.",
    time_unknown: "The car does not know the time, and opens no new rental until it does.",
    time_doubtful: "The car cannot tell for certain that the grant is in force.",
    action_not_granted: "The grant does not allow that.",
    other_rental: "Somebody else is renting the car.",
    uid_not_accepted: "The number alone of a card does not open this car.",
    pin_wanted: "This card needs its PIN.",
    pin_wrong: "The PIN is wrong.",
    pin_blocked: "Too many wrong PINs: this grant takes none any more.",
    wrong_key: "The card could not show that it is itself.",
    try_later: "Too many failed tries: wait before the next.",
    not_understood: "The card or phone did not say anything that could be understood.",
    no_answer: "The card or phone was taken away too soon.",
    not_this_challenge: "The phone did not answer the question that it was asked.",
    carried_not_authentic: "The grant that the phone brought is not genuine.",
    carried_other_car: "The grant that the phone brought is for another car or phone.",
    carried_superseded:
      "The car has a newer list, and the grant that the phone brought is not on it.",
    storage: "The car could not record the try, and takes no PIN without that.",
  });
});

test.run();
