/**
 * What a card can show of itself: that it knows its key, or else its number, with or without a PIN. The dearest proof
 * that its grants speak of is tried, and tries are bounded.
 */
import {
  askCard,
  type CardGrant,
  type CardStep,
  type Grant,
  heardCard,
  pinHash,
  type Random,
  sameMac,
  toHex,
} from "@kerbside/protocol";
import type { CardShown, OfferedGrant, Reason } from "./evaluate.ts";
import type { Presentation, ReaderDriver } from "./reader-driver.ts";
import { PIN_FAILURES_MAX, type Tries, type TryLimits } from "./tries.ts";

export type CardProofOptions = {
  readonly presentation: Extract<Presentation, { kind: "card" }>;
  /** The grants that name it. */
  readonly offered: readonly OfferedGrant[];
  readonly reader: Pick<ReaderDriver, "exchange" | "askPin">;
  readonly random: Pick<Random, "bytes">;
  readonly limits: TryLimits;
  readonly nowMs: () => number;
  /** It is in the rental that is open: what strangers try does not slow it. */
  readonly inRental: boolean;
  /** Resolves with whether it is on the disk. */
  readonly keepTries: (tries: Tries) => Promise<boolean>;
};

type CardProof =
  | { readonly proven: true; readonly shown: CardShown }
  | { readonly proven: false; readonly reasons: readonly Reason[] };

const RND_BYTES = 16;
/** Bare numbers are guessed together, whichever is tried. */
const NUMBERS = "uid";

export async function proveCard(options: CardProofOptions): Promise<CardProof> {
  const { offered, presentation } = options;
  const cards = offered.flatMap(({ grant }) =>
    grant.card === undefined ? [] : [{ grant, card: grant.card }],
  );
  if (cards.length === 0) return unlisted(options);
  const keyed = cards.find(({ card }) => card.key !== undefined);
  if (keyed?.card.key !== undefined && presentation.keyed)
    return proveKey(options, keyed.card, keyed.card.key);
  if (!options.inRental && isSlowed(options, NUMBERS)) return refused("try_later");
  if (cards.some(({ card }) => card.uidRule === "alone")) return { proven: true, shown: "uid" };
  const withPin = cards.find(({ card }) => card.uidRule === "with_pin");
  if (withPin?.card.pin !== undefined) return provePin(options, withPin.grant, withPin.card.pin);
  // What its number alone is worth is for the evaluation to say.
  return { proven: true, shown: "uid" };
}

function refused(...reasons: readonly Reason[]): CardProof {
  return { proven: false, reasons };
}

function isSlowed({ limits, nowMs }: CardProofOptions, what: string): boolean {
  return limits.waitMs(what, nowMs()) > 0;
}

/** Somebody tries numbers: the next ones wait, the keyed cards and phones of others do not. */
async function unlisted(options: CardProofOptions): Promise<CardProof> {
  const { limits, nowMs, keepTries } = options;
  if (isSlowed(options, NUMBERS)) return refused("not_listed", "try_later");
  await keepTries(limits.count(NUMBERS, nowMs()));
  return refused("not_listed");
}

async function proveKey(
  options: CardProofOptions,
  card: CardGrant,
  key: Uint8Array,
): Promise<CardProof> {
  const { limits, nowMs, keepTries, reader, random, presentation } = options;
  const what = `card:${toHex(card.cardId)}`;
  if (isSlowed(options, what)) return refused("try_later");
  let step: CardStep = askCard(key, random.bytes(RND_BYTES));
  while (step.value === "say") {
    const answer = await reader.exchange(presentation.id, step.data);
    if (answer === undefined) return refused("no_answer");
    step = heardCard(step.next, answer);
  }
  if (step.value === "authentic") {
    const cleared = limits.clear(what, nowMs());
    if (cleared !== undefined) await keepTries(cleared);
    return { proven: true, shown: "key" };
  }
  await keepTries(limits.count(what, nowMs()));
  return refused(step.reason === "wrong_key" ? "wrong_key" : "not_understood");
}

async function provePin(
  options: CardProofOptions,
  grant: Grant,
  pin: NonNullable<CardGrant["pin"]>,
): Promise<CardProof> {
  const { limits, nowMs, keepTries, reader, presentation } = options;
  const what = `pin:${toHex(grant.id)}`;
  if (limits.failures(what, nowMs()) >= PIN_FAILURES_MAX) return refused("pin_blocked");
  if (isSlowed(options, what)) return refused("try_later");
  const entered = await reader.askPin(presentation.id);
  if (entered === undefined) return refused("pin_wanted");
  // Counted first: pulling the fuse before the answer wins no try. What cannot be counted is not tried.
  if (!(await keepTries(limits.count(what, nowMs())))) return refused("storage");
  if (!sameMac(pinHash(entered, pin.salt), pin.hash)) return refused("pin_wrong");
  await keepTries(limits.retain((one) => one !== what, nowMs()));
  return { proven: true, shown: "uid_and_pin" };
}
