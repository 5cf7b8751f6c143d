/**
 * Whether a credential may do what it asks. Pure. Every grant that names the credential is judged on its own; one that
 * holds is enough, and where none does, all that stands against the likeliest one is told at once. No grant, no access.
 */
import { equalBytes, type Grant, type GrantAction } from "@kerbside/protocol";

/** Why not, with words for a person. Names are only ever appended: they are in events. */
export const REASONS = {
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
} as const satisfies Record<string, string>;
export type Reason = keyof typeof REASONS;

/** What a card showed: its key, or only its number, with or without the right PIN. */
export type CardShown = "key" | "uid" | "uid_and_pin";

/** What is offered at the reader, after whatever could be proven has been. */
export type Offer = {
  readonly action: GrantAction;
  /** Grants that name this credential, of the list and of the rental under way, and one that a phone brought. */
  readonly grants: readonly OfferedGrant[];
  readonly shown: "phone" | CardShown;
};
export type OfferedGrant = {
  readonly grant: Grant;
  /**
   * `listed`: in the list in force. `held`: was used in the rental that is open. `carried`: brought along, newer than
   * the list.
   */
  readonly from: "listed" | "held" | "carried";
};

export type AccessFacts = {
  readonly time:
    | { readonly value: "known"; readonly wallMs: number; readonly doubtMs: number }
    | { readonly value: "unknown" };
  /** The rental that is open by the car's own record. `unknown`: the record is lost. */
  readonly rental:
    | { readonly value: "open"; readonly booking: string }
    | { readonly value: "none" }
    | { readonly value: "unknown" };
};

export type AccessVerdict =
  | { readonly allowed: true; readonly grant: Grant; readonly from: OfferedGrant["from"] }
  | { readonly allowed: false; readonly reasons: readonly Reason[]; readonly booking?: string };

/** Certainly in force, or why not. */
function timeAgainst({ fromMs, toMs }: Grant, { time }: AccessFacts): readonly Reason[] {
  if (time.value === "unknown") return ["time_unknown"];
  const { wallMs, doubtMs } = time;
  if (wallMs + doubtMs < fromMs) return ["not_yet"];
  if (wallMs - doubtMs >= toMs) return ["over"];
  const certain = wallMs - doubtMs >= fromMs && wallMs + doubtMs < toMs;
  return certain ? [] : ["time_doubtful"];
}

function proofAgainst({ card }: Grant, shown: Offer["shown"]): readonly Reason[] {
  if (card === undefined) return shown === "phone" ? [] : ["not_listed"];
  if (shown === "phone") return ["not_listed"];
  if (shown === "key") return card.proof === "keyed" ? [] : ["wrong_key"];
  // A number that anyone can copy opens only where the tenant chose that for this class of cars.
  if (card.uidRule === "alone") return [];
  if (card.uidRule === "with_pin") return shown === "uid_and_pin" ? [] : ["pin_wanted"];
  return ["uid_not_accepted"];
}

/** Whether it was used in the rental that is open, or, where the car's record is lost, may have been. */
export function isInRental({ from, grant }: OfferedGrant, rental: AccessFacts["rental"]): boolean {
  if (from !== "held" || rental.value === "none") return false;
  return rental.value === "unknown" || rental.booking === grant.booking;
}

function against(offered: OfferedGrant, offer: Offer, facts: AccessFacts): readonly Reason[] {
  const { grant, from } = offered;
  const { rental } = facts;
  const reasons: Reason[] = [...proofAgainst(grant, offer.shown)];
  if (!grant.actions.includes(offer.action)) reasons.push("action_not_granted");
  // Whatever the clocks and lists say meanwhile: who is in a rental stays in it until it ends.
  if (isInRental(offered, rental)) return reasons;
  if (from === "held") return [...reasons, "not_listed"];
  reasons.push(...timeAgainst(grant, facts));
  if (rental.value === "open" && rental.booking !== grant.booking) reasons.push("other_rental");
  return reasons;
}

export function evaluate(offer: Offer, facts: AccessFacts): AccessVerdict {
  let best: { readonly offered: OfferedGrant; readonly reasons: readonly Reason[] } | undefined;
  for (const offered of offer.grants) {
    const reasons = against(offered, offer, facts);
    if (reasons.length === 0) return { allowed: true, grant: offered.grant, from: offered.from };
    if (best === undefined || reasons.length < best.reasons.length) best = { offered, reasons };
  }
  if (best === undefined) return { allowed: false, reasons: ["not_listed"] };
  const { reasons, offered } = best;
  return { allowed: false, reasons, booking: offered.grant.booking };
}

/** Grants that name a phone by its key. */
export function grantsOfPhone(grants: readonly Grant[], publicKey: Uint8Array): readonly Grant[] {
  return grants.filter(
    ({ phone }) => phone !== undefined && equalBytes(phone.publicKey, publicKey),
  );
}

/** Grants that name a card by what stands for its number. */
export function grantsOfCard(grants: readonly Grant[], cardId: Uint8Array): readonly Grant[] {
  return grants.filter(({ card }) => card !== undefined && equalBytes(card.cardId, cardId));
}
