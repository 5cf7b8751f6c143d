/**
 * The tenant's rental policy on the car: the last good one, kept in a two-copy file with its version. A push applies
 * whole or not at all; an older version, another tenant's or one that does not verify changes nothing.
 */

import {
  type Address,
  bytes,
  DEFAULT_RENTAL_POLICY,
  decode,
  encode,
  equalBytes,
  field,
  openArtefact,
  ProtocolError,
  type RentalPolicy,
  rentalPolicyCodec,
  struct,
  uint,
  type VerifyKey,
} from "@kerbside/protocol";
import { openTwoCopyFile } from "./two-copy-file.ts";

const CONTENT_BYTES_MAX = 60 * 1024;
const internal = { class: "Internal" } as const;
const keptCodec = struct("rental policy in force", {
  version: field(0, uint(), { ...internal, doc: "of the artefact" }),
  content: field(1, bytes(0, CONTENT_BYTES_MAX), { ...internal, doc: "as it was signed" }),
});

export type PolicyStore = {
  readonly policy: () => RentalPolicy;
  /** 0: the one that the agent is shipped with. */
  readonly version: () => number;
  /**
   * Takes a pushed artefact of kind `rental` over; resolves once it is on the disk and in force. Rejects with
   * ProtocolError `malformed`, `unauthenticated`, `forbidden` (another tenant or kind) or `conflict` (not newer).
   */
  readonly apply: (key: VerifyKey, envelope: Uint8Array, content: Uint8Array) => Promise<void>;
  readonly close: () => Promise<void>;
};

function readKept(
  content: Uint8Array,
): { readonly version: number; readonly policy: RentalPolicy } | undefined {
  try {
    const kept = decode(keptCodec, content);
    return { version: kept.version, policy: decode(rentalPolicyCodec, kept.content) };
  } catch {
    // Whatever is wrong with it, it is no policy; the shipped one is.
    return undefined;
  }
}

/** Opens the store at `path` (two files). Throws what the file system throws. */
export async function openPolicyStore(
  path: string,
  { tenant }: Pick<Address, "tenant">,
): Promise<PolicyStore> {
  const file = await openTwoCopyFile(path);
  let current = readKept(file.content ?? new Uint8Array()) ?? {
    version: 0,
    policy: DEFAULT_RENTAL_POLICY,
  };
  return {
    policy: () => current.policy,
    version: () => current.version,
    apply: async (key, envelope, content) => {
      const artefact = openArtefact(key, envelope, content);
      if (artefact.tenant !== tenant || artefact.kind !== "rental") {
        throw new ProtocolError("forbidden", "rental policy: expected one of this tenant");
      }
      // The same again, to a car whose receipt was lost.
      if (
        artefact.version === current.version &&
        equalBytes(encode(rentalPolicyCodec, current.policy), content)
      ) {
        return;
      }
      if (artefact.version <= current.version) {
        const words = `rental policy: version ${artefact.version} is not above ${current.version}`;
        throw new ProtocolError("conflict", words);
      }
      const next = { version: artefact.version, policy: decode(rentalPolicyCodec, content) };
      await file.write(encode(keptCodec, { version: next.version, content }));
      current = next;
    },
    close: file.close,
  };
}
