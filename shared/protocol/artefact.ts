/**
 * Signed artefacts pushed to cars (profiles, schemes, flows, rental policies): one envelope for all. The version
 * rises for each kind and name; an older one is refused, the last good one is kept.
 */

import { equalBytes } from "./bytes.ts";
import { encodeCbor } from "./cbor.ts";
import { openSign1, sign1 } from "./cose.ts";
import { type SigningKey, sha256, type VerifyKey } from "./crypto.ts";
import { ProtocolError } from "./errors.ts";
import { hash256, tenantCodec } from "./ids.ts";
import { KEY_PURPOSES } from "./keys.ts";
import { choice, decode, encode, field, struct, type TypeOf, text, uint } from "./schema.ts";

export const ARTEFACT_KINDS = ["profile", "scheme", "flow", "rental"] as const;
export const ARTEFACT_NAME: RegExp = /^[a-z0-9][a-z0-9.-]{0,63}$/;
export type ArtefactKind = (typeof ARTEFACT_KINDS)[number];

const internal = { class: "Internal" } as const;
export const artefactCodec = struct("signed artefact", {
  tenant: field(0, tenantCodec, { ...internal, doc: "whose cars it is for" }),
  kind: field(1, choice(ARTEFACT_KINDS), { ...internal, doc: "what it is" }),
  name: field(2, text(64, ARTEFACT_NAME), { ...internal, doc: "which one of its kind" }),
  version: field(3, uint(), { ...internal, doc: "rises with each change" }),
  contentHash: field(4, hash256, { ...internal, doc: "SHA-256 of the content" }),
});
export type SignedArtefact = TypeOf<typeof artefactCodec>;

/** How many bytes name an artefact in a receipt. */
export const ARTEFACT_ID_BYTES = 8;
/** Receipts in one announcement: what a car keeps of all kinds, with room to spare. */
export const RECEIPTS_MAX = 64;

/** What a car calls an artefact in its receipts: the same whichever key has signed it. */
export function artefactId(artefact: SignedArtefact): Uint8Array {
  return new Uint8Array(sha256(encode(artefactCodec, artefact)).subarray(0, ARTEFACT_ID_BYTES));
}

/** The content of a profile: a CBOR list of the document, then a list with each DBC's file name and bytes in turn. */
export function packProfile(json: Uint8Array, dbcs: ReadonlyMap<string, Uint8Array>): Uint8Array {
  return encodeCbor([json, [...dbcs].flat()]);
}

export function signArtefact(key: SigningKey, artefact: SignedArtefact): Uint8Array {
  return sign1(key, KEY_PURPOSES.artefact.domain, encode(artefactCodec, artefact));
}

/** Opens the manifest and checks the content against it. Throws ProtocolError `malformed` or `unauthenticated`. */
export function openArtefact(
  key: VerifyKey,
  envelope: Uint8Array,
  content: Uint8Array,
): SignedArtefact {
  const artefact = decode(artefactCodec, openSign1(key, KEY_PURPOSES.artefact.domain, envelope));
  if (!equalBytes(sha256(content), artefact.contentHash)) {
    throw new ProtocolError(
      "unauthenticated",
      `artefact ${artefact.name}: content does not match its signature`,
    );
  }
  return artefact;
}
