/** Who may open what, when: each row says why. */
import { type AccessFacts, evaluate, type Offer, type Reason } from "@kerbside/access";
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
    why: "one grant that holds is enough",
    grants: [{ grant: { ...PHONE, toMs: FROM + 1 }, from: "listed" }, ...listed],
  },
];

for (const row of ROWS) {
  test(row.why, () => {
    const { grants, shown = "phone", action = "unlock", time = IN, rental = NONE } = row;
    const verdict = evaluate({ grants, shown, action }, { time, rental });
    assert.is(verdict.allowed, row.against === undefined);
    if (!verdict.allowed) assert.equal(verdict.reasons, row.against);
  });
}

test.run();
