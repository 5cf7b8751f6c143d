/** What a technician may see of the grants: which there are and what they allow; no number, no key, no PIN. */
import { type Grant, type GrantList, sha256, toHex } from "@kerbside/protocol";
import { readStored } from "./grant-store.ts";
import { readRecord } from "./record.ts";

export type AccessListing = {
  readonly list:
    | { readonly version: number; readonly issuedAt: string; readonly grants: number }
    | "none"
    | "damaged";
  readonly grants: readonly {
    readonly grant: string;
    readonly booking: string;
    readonly credential: string;
    readonly proof: string;
    readonly actions: string;
    readonly from: string;
    readonly to: string;
    /** It is in the open rental, and works until that ends. */
    readonly inRental: boolean;
  }[];
  readonly failedTries: number;
};

/** From what the two files hold; undefined where there is none. */
export function listAccess(
  grants: Uint8Array | undefined,
  record: Uint8Array | undefined,
): AccessListing {
  const list = grants === undefined ? undefined : readStored(grants);
  const { holders = [], tries = new Map<string, number>() } =
    (record === undefined ? undefined : readRecord(record)) ?? {};
  const held = new Set(holders.map(({ grant }) => toHex(grant.id)));
  const known = new Set(list?.grants.map(({ id }) => toHex(id)));
  const others = holders.map(({ grant }) => grant).filter(({ id }) => !known.has(toHex(id)));
  const all = [...(list?.grants ?? []), ...others];
  return {
    list: grants === undefined ? "none" : list === undefined ? "damaged" : headOf(list),
    grants: all.map((grant) => ({ ...rowOf(grant), inRental: held.has(toHex(grant.id)) })),
    failedTries: [...tries.values()].reduce((sum, failures) => sum + failures, 0),
  };
}

function headOf({
  version,
  issuedAtMs,
  grants,
}: GrantList): Exclude<AccessListing["list"], string> {
  return { version, issuedAt: new Date(issuedAtMs).toISOString(), grants: grants.length };
}

const NAME_CHARS = 12;

function rowOf(grant: Grant): Omit<AccessListing["grants"][number], "inRental"> {
  const { id, booking, phone, card, actions, fromMs, toMs } = grant;
  const name = toHex(phone === undefined ? (card?.cardId ?? id) : sha256(phone.publicKey));
  const cardProof = card === undefined ? "none" : `${card.proof}, uid ${card.uidRule}`;
  return {
    grant: toHex(id).slice(0, NAME_CHARS),
    booking,
    credential: `${phone === undefined ? "card" : "phone"} ${name.slice(0, NAME_CHARS)}`,
    proof: phone === undefined ? cardProof : "signature",
    actions: actions.join(" "),
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
  };
}
