/** How this package seals: XChaCha20-Poly1305 with a random nonce before the ciphertext. */
import {
  AEAD_NONCE_BYTES,
  AEAD_TAG_BYTES,
  aeadOpen,
  aeadSeal,
  ProtocolError,
  randomBytes,
} from "@kerbside/protocol";

/** Nonces are drawn many at a time: one by one they would cost as much as the sealing. They are no secret. */
const NONCES_AT_ONCE = 512;
let nonces = new Uint8Array();
let noncesUsed = 0;

function nextNonce(): Uint8Array {
  if (noncesUsed === nonces.length) {
    nonces = new Uint8Array(randomBytes(AEAD_NONCE_BYTES * NONCES_AT_ONCE));
    noncesUsed = 0;
  }
  const at = noncesUsed;
  noncesUsed += AEAD_NONCE_BYTES;
  return nonces.subarray(at, noncesUsed);
}

/** A random nonce, then ciphertext and tag. At 192 bits random nonces do not meet under one key. */
export function sealWith(key: Uint8Array, plain: Uint8Array, bound: Uint8Array): Uint8Array {
  const nonce = nextNonce();
  const sealed = aeadSeal(key, nonce, plain, bound);
  const out = new Uint8Array(nonce.length + sealed.length);
  out.set(nonce);
  out.set(sealed, nonce.length);
  return out;
}

/** Throws ProtocolError `unauthenticated`. */
export function openWith(key: Uint8Array, sealed: Uint8Array, bound: Uint8Array): Uint8Array {
  if (sealed.length < AEAD_NONCE_BYTES + AEAD_TAG_BYTES)
    throw new ProtocolError("unauthenticated", "ciphertext: is too short");
  const nonce = sealed.subarray(0, AEAD_NONCE_BYTES);
  return aeadOpen(key, nonce, sealed.subarray(AEAD_NONCE_BYTES), bound);
}
