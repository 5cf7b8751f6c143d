/**
 * What a card asks for by being there. Pure. It says nothing but that it is there: before a rental it opens one; within
 * its rental it turns the driver's door, by what the bolts show and by what the tap just before did not bring about.
 */
import type { GrantAction } from "@kerbside/protocol";
import type { AccessFacts, OfferedGrant } from "./evaluate.ts";

type Holds = "yes" | "no" | "unknown";
/** Which bolts are seen locked. */
export type BoltsSeen = {
  /** The driver's door: the one that a person with a card stands at. */
  readonly driver: Holds;
  /** Every bolt of the car: one that is unlocked makes it `no`. */
  readonly all: Holds;
};
/** A tap whose pulse was sent, and after which the bolts were not seen where it moved them. */
export type FailedTap = {
  readonly booking: string;
  readonly action: GrantAction;
  readonly atMs: number;
};

/**
 * How long a tap that failed turns the next one round. Whoever stands at the door taps again at once; who comes back
 * later is not to unlock a car that they mean to lock, because of a bolt that was slow hours ago.
 */
export const TAP_AGAIN_MS_MAX = 120_000;

export type TapFacts = {
  readonly offered: readonly OfferedGrant[];
  readonly rental: AccessFacts["rental"];
  readonly bolts: BoltsSeen;
  readonly failed: FailedTap | undefined;
  /** On the clock of `failed`. */
  readonly nowMs: number;
};

/** Two taps within `TAP_AGAIN_MS_MAX` ask for an unlock at least once, whatever one contact says: nobody is locked out by it. */
export function tapAction({ offered, rental, bolts, failed, nowMs }: TapFacts): GrantAction {
  const booking = rental.value === "open" ? rental.booking : undefined;
  const isIn = booking !== undefined && offered.some(({ grant }) => grant.booking === booking);
  const allowed = new Set(offered.flatMap(({ grant }) => grant.actions));
  const wants = turned(bolts, isIn ? again(failed, booking, nowMs) : undefined);
  if (isIn && wants === "lock" && allowed.has("lock")) return "lock";
  if (isIn && allowed.has("unlock")) return "unlock";
  return allowed.has("unlock_and_release") ? "unlock_and_release" : "unlock";
}

function again(
  failed: FailedTap | undefined,
  booking: string,
  nowMs: number,
): GrantAction | undefined {
  const isSo = failed?.booking === booking && nowMs - failed.atMs <= TAP_AGAIN_MS_MAX;
  return isSo ? failed.action : undefined;
}

function turned({ driver, all }: BoltsSeen, failed: GrantAction | undefined): "lock" | "unlock" {
  // Its bolts were told to lock and are not all seen locked: one of them, or its contact, may say so for ever.
  if (failed === "lock") return "unlock";
  // Told to unlock, the others did and the driver's is seen locked still: its contact may say that for ever.
  if (failed === "unlock" && driver === "yes" && all === "no") return "lock";
  const seen = driver === "unknown" ? all : driver;
  // An open bolt elsewhere (a trunk, a broken contact) is no reason to keep the driver out.
  return seen === "no" ? "lock" : "unlock";
}
