/**
 * COSE_Sign1 (RFC 9052 §4.2) with EdDSA (RFC 9053 §2.2), untagged, in the one shape used here: the protected
 * header holds the algorithm and the key id, the unprotected header is empty, and the domain string of the
 * purpose is the external authenticated data, so that a signature made for one purpose never serves another.
 */

import { equalBytes, utf8 } from "./bytes.ts";
import { type CborValue, decodeCbor, encodeCbor } from "./cbor.ts";
import {
  SIGNATURE_BYTES,
  type SigningKey,
  sha256,
  type VerifyKey,
  verifySignature,
  verifySignatureAside,
} from "./crypto.ts";
import { ProtocolError } from "./errors.ts";

/** COSE header parameters (RFC 9052 §3.1) and the EdDSA algorithm identifier (RFC 9053). */
const HEADER_ALGORITHM = 1;
const HEADER_KEY_ID = 4;
const ALGORITHM_EDDSA = -8;
export const KEY_ID_BYTES = 8;

/** What was signed, before anything of it may be believed. */
export type Sign1 = {
  readonly keyId: Uint8Array;
  readonly payload: Uint8Array;
  readonly protectedHeader: Uint8Array;
  readonly signature: Uint8Array;
};

/** The id of a public key: the first 8 bytes of its SHA-256. */
export function keyIdOf(publicKey: Uint8Array): Uint8Array {
  return sha256(publicKey).slice(0, KEY_ID_BYTES);
}

function signedBytes(protectedHeader: Uint8Array, domain: string, payload: Uint8Array): Uint8Array {
  return encodeCbor(["Signature1", protectedHeader, utf8(domain), payload]);
}

/** Signs `payload` for the purpose that `domain` names. */
export function sign1(key: SigningKey, domain: string, payload: Uint8Array): Uint8Array {
  const keyId = keyIdOf(key.publicKey);
  const signature = key.sign(signedBytes(protectedHeaderOf(keyId), domain, payload));
  return envelopeOf(keyId, payload, signature);
}

function protectedHeaderOf(keyId: Uint8Array): Uint8Array {
  const header = new Map<number, CborValue>([
    [HEADER_ALGORITHM, ALGORITHM_EDDSA],
    [HEADER_KEY_ID, keyId],
  ]);
  return encodeCbor(header);
}

/** An envelope put together of its parts; whether the signature is one over them is for `openSign1` to say. */
export function envelopeOf(
  keyId: Uint8Array,
  payload: Uint8Array,
  signature: Uint8Array,
): Uint8Array {
  return encodeCbor([protectedHeaderOf(keyId), new Map(), payload, signature]);
}

/** Reads the envelope without believing it. Throws ProtocolError `malformed`. */
export function parseSign1(envelope: Uint8Array): Sign1 {
  const parts = decodeCbor(envelope);
  const [protectedHeader, unprotected, payload, signature, ...rest] = Array.isArray(parts)
    ? parts
    : [];
  const wellFormed =
    protectedHeader instanceof Uint8Array &&
    unprotected instanceof Map &&
    unprotected.size === 0 &&
    payload instanceof Uint8Array &&
    signature instanceof Uint8Array &&
    signature.length === SIGNATURE_BYTES &&
    rest.length === 0;
  if (!wellFormed)
    throw new ProtocolError("malformed", "COSE_Sign1: expected [bstr, {}, bstr, 64 bytes]");
  const header = decodeCbor(protectedHeader);
  const keyId = header instanceof Map && header.size === 2 ? header.get(HEADER_KEY_ID) : undefined;
  const algorithm = header instanceof Map ? header.get(HEADER_ALGORITHM) : undefined;
  if (
    !(keyId instanceof Uint8Array) ||
    keyId.length !== KEY_ID_BYTES ||
    algorithm !== ALGORITHM_EDDSA
  ) {
    throw new ProtocolError("malformed", "COSE_Sign1: expected EdDSA and an 8-byte key id");
  }
  return { keyId, payload, protectedHeader, signature };
}

/** Returns the payload if `key` signed it for `domain`. Throws ProtocolError `malformed` or `unauthenticated`. */
export function openSign1(key: VerifyKey, domain: string, envelope: Uint8Array): Uint8Array {
  const { keyId, payload, protectedHeader, signature } = parseSign1(envelope);
  const mine = equalBytes(keyId, keyIdOf(key.publicKey));
  if (!mine || !verifySignature(key, signedBytes(protectedHeader, domain, payload), signature))
    throw unverified(domain);
  return payload;
}

/** As `openSign1`, with the signature checked on another thread. Rejects with what `openSign1` throws. */
export async function openSign1Aside(
  key: VerifyKey,
  domain: string,
  envelope: Uint8Array,
): Promise<Uint8Array> {
  const { keyId, payload, protectedHeader, signature } = parseSign1(envelope);
  const signed = signedBytes(protectedHeader, domain, payload);
  const mine = equalBytes(keyId, keyIdOf(key.publicKey));
  if (!mine || !(await verifySignatureAside(key, signed, signature))) throw unverified(domain);
  return payload;
}

function unverified(domain: string): ProtocolError {
  return new ProtocolError("unauthenticated", `signature of ${domain}: does not verify`);
}
