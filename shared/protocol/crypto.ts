/**
 * The cryptography both ends share, each function with one algorithm: Ed25519 (RFC 8032), SHA-256 (FIPS 180-4),
 * HMAC-SHA-256 (RFC 2104), HKDF-SHA-256 (RFC 5869), XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) and libsodium's
 * sealed boxes (X25519, XSalsa20-Poly1305). Keys are raw bytes; private Ed25519 keys are the 32-byte seed.
 */
import {
  createPrivateKey,
  createPublicKey,
  hash,
  type KeyObject,
  randomFillSync,
  sign,
  timingSafeEqual,
  verify,
} from "node:crypto";
import { promisify } from "node:util";
import sodium from "libsodium-wrappers";
import { concatBytes, utf8 } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";

export const KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;
export const MAC_BYTES = 32;
export const AEAD_NONCE_BYTES = 24;
export const AEAD_TAG_BYTES = 16;

/** Prefixes of RFC 8410 that turn raw Ed25519 keys into DER for node:crypto. */
const PKCS8_ED25519 = Uint8Array.from(Buffer.from("302e020100300506032b657004220420", "hex"));
const SPKI_ED25519 = Uint8Array.from(Buffer.from("302a300506032b6570032100", "hex"));

/** Must be awaited once before `seal`, `unseal`, `aeadSeal` or `aeadOpen`: libsodium loads its WebAssembly. */
export async function cryptoReady(): Promise<void> {
  await sodium.ready;
}

export type SigningKey = {
  readonly publicKey: Uint8Array;
  readonly sign: (data: Uint8Array) => Uint8Array;
};
export type VerifyKey = { readonly publicKey: Uint8Array; readonly handle: KeyObject };

/** An Ed25519 key from its 32-byte seed. */
export function signingKey(seed: Uint8Array): SigningKey {
  const der = Buffer.from(concatBytes(PKCS8_ED25519, seed));
  const handle = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  der.fill(0);
  const spki = createPublicKey(handle).export({ format: "der", type: "spki" });
  const publicKey = Uint8Array.from(spki.subarray(SPKI_ED25519.length));
  return { publicKey, sign: (data) => sign(null, data, handle) };
}

/** Throws ProtocolError `malformed` if it is not a 32-byte Ed25519 public key. */
export function verifyKey(publicKey: Uint8Array): VerifyKey {
  if (publicKey.length !== KEY_BYTES)
    throw new ProtocolError("malformed", "public key: expected 32 bytes");
  const key = Buffer.from(concatBytes(SPKI_ED25519, publicKey));
  return { publicKey, handle: createPublicKey({ key, format: "der", type: "spki" }) };
}

export function verifySignature(key: VerifyKey, data: Uint8Array, signature: Uint8Array): boolean {
  return signature.length === SIGNATURE_BYTES && verify(null, data, key.handle, signature);
}

const verifyAside = promisify(verify);

/** As `verifySignature`, on one of the platform's own threads, so that this one has its hands free. */
export function verifySignatureAside(
  key: VerifyKey,
  data: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  return verifyAside(null, data, key.handle, signature);
}

export function sha256(data: Uint8Array): Uint8Array {
  return hash("sha256", data, "buffer");
}

/** Of SHA-256 (FIPS 180-4). */
const HASH_BLOCK_BYTES = 64;
const HASH_BYTES = 32;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;

/**
 * RFC 2104 as its two hashes: a link's frames are short and many, and Node's own wraps each key anew, which takes seven
 * times as long.
 */
export function hmac(key: Uint8Array, data: Uint8Array): Uint8Array {
  const short = key.length > HASH_BLOCK_BYTES ? sha256(key) : key;
  const inner = new Uint8Array(HASH_BLOCK_BYTES + data.length);
  const outer = new Uint8Array(HASH_BLOCK_BYTES + HASH_BYTES);
  inner.fill(INNER_PAD, 0, HASH_BLOCK_BYTES);
  outer.fill(OUTER_PAD);
  let at = 0;
  for (const byte of short) {
    inner[at] = INNER_PAD ^ byte;
    outer[at] = OUTER_PAD ^ byte;
    at += 1;
  }
  inner.set(data, HASH_BLOCK_BYTES);
  outer.set(sha256(inner), HASH_BLOCK_BYTES);
  return sha256(outer);
}

/** Constant-time comparison of MACs. */
export function sameMac(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Of the only block of output that a key takes (RFC 5869 § 2.3). */
const FIRST_BLOCK = Uint8Array.of(1);

/**
 * A 32-byte key for one purpose, named by a domain string and what it is bound to: HKDF-SHA-256 (RFC 5869) with the
 * context as salt, as its two MACs. A car derives a key or two for each segment, and so does whoever opens it; Node's
 * own takes twice as long.
 */
export function deriveKey(
  key: Uint8Array,
  domain: string,
  context: Uint8Array = new Uint8Array(),
): Uint8Array {
  return new Uint8Array(hmac(hmac(context, key), concatBytes(utf8(domain), FIRST_BLOCK)));
}

export function randomBytes(count: number): Uint8Array {
  return randomFillSync(new Uint8Array(count));
}

/** A fresh X25519 key pair for sealed boxes. */
export function sealKeyPair(): { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array } {
  const { publicKey, privateKey } = sodium.crypto_box_keypair();
  return { publicKey, privateKey };
}

/** The X25519 form of an Ed25519 public key, for sealing to whoever signs with it. Throws ProtocolError `malformed`. */
export function sealKeyOfSigner(publicKey: Uint8Array): Uint8Array {
  try {
    return sodium.crypto_sign_ed25519_pk_to_curve25519(publicKey);
  } catch (cause) {
    throw new ProtocolError("malformed", "public key: has no form to seal to", { cause });
  }
}

/** The same of its private half, from the seed. */
export function sealKeyOfSeed(seed: Uint8Array): ReturnType<typeof sealKeyPair> {
  const pair = sodium.crypto_sign_seed_keypair(seed);
  const privateKey = sodium.crypto_sign_ed25519_sk_to_curve25519(pair.privateKey);
  return { publicKey: sealKeyOfSigner(pair.publicKey), privateKey };
}

/** Seals to a public key; only the holder of the private half can open it, the sealer cannot. */
export function seal(plain: Uint8Array, publicKey: Uint8Array): Uint8Array {
  return sodium.crypto_box_seal(plain, publicKey);
}

/** Throws ProtocolError `unauthenticated`. */
export function unseal(
  sealed: Uint8Array,
  publicKey: Uint8Array,
  privateKey: Uint8Array,
): Uint8Array {
  try {
    return sodium.crypto_box_seal_open(sealed, publicKey, privateKey);
  } catch (cause) {
    throw new ProtocolError("unauthenticated", "sealed box: does not open with this key", {
      cause,
    });
  }
}

/** Encrypts and authenticates; `nonce` is 24 bytes and must never repeat under a key. Returns ciphertext and tag. */
export function aeadSeal(
  key: Uint8Array,
  nonce: Uint8Array,
  plain: Uint8Array,
  bound: Uint8Array,
): Uint8Array {
  return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, bound, null, nonce, key);
}

/** Throws ProtocolError `unauthenticated`. */
export function aeadOpen(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  bound: Uint8Array,
): Uint8Array {
  try {
    return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, sealed, bound, nonce, key);
  } catch (cause) {
    throw new ProtocolError("unauthenticated", "ciphertext: does not open with this key", {
      cause,
    });
  }
}
