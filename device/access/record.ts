/**
 * What the car remembers of access besides the list: which credentials are in the rental that is open, and failed
 * tries. In a two-copy file of its own; where the disk fails it goes on in memory and says so.
 */
import {
  bytes,
  decode,
  encode,
  field,
  type Grant,
  grantCodec,
  KEY_BYTES,
  list,
  optional,
  ProtocolError,
  struct,
  type TypeOf,
  text,
  uint,
} from "@kerbside/protocol";
import type { KeptFile } from "./kept-file.ts";
import type { Tries } from "./tries.ts";

/** Credentials that one rental remembers; more may open it, but do not outlive their grants. */
export const HOLDERS_MAX = 4;
const TRIES_MAX = 1024;

const internal = { class: "Internal" } as const;
const person = { class: "Confidential", tag: "SPI" } as const;
const secret = { class: "Restricted" } as const;
const holderCodec = struct("credential in the open rental", {
  grant: field(0, grantCodec, { ...person, doc: "its grant as it was used" }),
  cardIdKey: optional(1, bytes(KEY_BYTES), {
    ...secret,
    doc: "by which its number was hashed then; a later list may have another",
  }),
});
const tryCodec = struct("failed tries", {
  what: field(0, text(64), { ...person, doc: "what was tried" }),
  failures: field(1, uint(), { ...internal, doc: "how often it failed" }),
});
const recordCodec = struct("record of access", {
  holders: field(0, list(holderCodec, HOLDERS_MAX), { ...person, doc: "oldest first" }),
  tries: field(1, list(tryCodec, TRIES_MAX), { ...person, doc: "without those at none" }),
  triedAtMs: optional(2, uint(), {
    ...internal,
    doc: "Unix time: no failure is later; missing where the time was unknown, and before it was kept",
  }),
});
export type Holder = TypeOf<typeof holderCodec>;

export type AccessRecord = {
  readonly holders: () => readonly Holder[];
  readonly tries: () => Tries;
  /** The latest that the last failure can have been, Unix time; undefined: nobody knows. */
  readonly triedAtMs: () => number | undefined;
  /** Each resolves with whether it reached the disk; it counts from now on either way. */
  readonly hold: (holder: Holder) => Promise<boolean>;
  /** Forgets the holders of all bookings but this one; of all where it is undefined. */
  readonly release: (except: string | undefined) => Promise<boolean>;
  /** `atMs`: the latest that it may be now, Unix time. */
  readonly keepTries: (tries: Tries, atMs?: number) => Promise<boolean>;
  readonly damaged: boolean;
};

type Content = {
  readonly holders: readonly Holder[];
  readonly tries: Tries;
  readonly triedAtMs: number | undefined;
};

export function readRecord(content: Uint8Array): Content | undefined {
  try {
    const { holders, tries, triedAtMs } = decode(recordCodec, content);
    const counted = new Map(tries.map(({ what, failures }) => [what, failures]));
    return { holders, tries: counted, triedAtMs };
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

export function openAccessRecord(file: KeptFile): AccessRecord {
  const stored = file.content === undefined ? undefined : readRecord(file.content);
  let content: Content = stored ?? { holders: [], tries: new Map(), triedAtMs: undefined };
  const keep = async (next: Content): Promise<boolean> => {
    content = next;
    // The oldest tries give way: beyond the bound only what was tried longest ago is forgotten.
    const tries = [...next.tries].slice(-TRIES_MAX).map(([what, failures]) => ({ what, failures }));
    const { holders, triedAtMs } = next;
    const at = triedAtMs === undefined ? {} : { triedAtMs };
    return file.write(encode(recordCodec, { holders, tries, ...at })).then(
      () => true,
      () => false,
    );
  };
  return {
    damaged: file.damaged || (file.content !== undefined && stored === undefined),
    holders: () => content.holders,
    tries: () => content.tries,
    triedAtMs: () => content.triedAtMs,
    hold: (holder) => {
      const others = content.holders.filter(({ grant }) => !sameGrant(grant, holder.grant));
      if (others.length >= HOLDERS_MAX) return Promise.resolve(false);
      return keep({ ...content, holders: [...others, holder] });
    },
    release: async (except) => {
      const holders = content.holders.filter(({ grant }) => grant.booking === except);
      if (holders.length === content.holders.length) return true;
      return keep({ ...content, holders });
    },
    keepTries: (tries, atMs) =>
      keep({ ...content, tries, triedAtMs: atMs === undefined ? undefined : Math.ceil(atMs) }),
  };
}

function sameGrant(a: Grant, b: Grant): boolean {
  return Buffer.compare(a.id, b.id) === 0;
}
