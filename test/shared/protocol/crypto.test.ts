/** Signatures, MACs, sealed boxes and envelopes: against published vectors, and against all that is not quite one. */
import { createHmac } from "node:crypto";
import {
  AEAD_NONCE_BYTES,
  AEAD_TAG_BYTES,
  aeadOpen,
  aeadSeal,
  cryptoReady,
  deriveKey,
  encodeCbor,
  envelopeOf,
  equalBytes,
  fromHex,
  hmac,
  KEY_BYTES,
  keyIdOf,
  MAC_BYTES,
  openSign1,
  openSign1Aside,
  parseSign1,
  randomBytes,
  SIGNATURE_BYTES,
  sameMac,
  seal,
  sealKeyOfSeed,
  sealKeyOfSigner,
  sealKeyPair,
  sha256,
  sign1,
  signingKey,
  toHex,
  unseal,
  utf8,
  verifyKey,
  verifySignature,
  verifySignatureAside,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

await cryptoReady();
const failsAs =
  (code: string, words = "") =>
  (error: { code?: string; message: string }): boolean =>
    error.code === code && error.message.includes(words);
/** With what the library said of it. */
const causedAs =
  (code: string, words: string) =>
  (error: { code?: string; message: string; cause?: unknown }): boolean =>
    failsAs(code, words)(error) && error.cause instanceof Error;

/** RFC 8032 § 7.1, TEST 2. */
const RFC8032 = {
  seed: fromHex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
  publicKey: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
  message: Uint8Array.of(0x72),
  signature: fromHex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  ),
};

test("Ed25519 as RFC 8032 has it, here and on another thread", async () => {
  const key = signingKey(RFC8032.seed);
  assert.is(toHex(key.publicKey), RFC8032.publicKey);
  assert.is(toHex(key.sign(RFC8032.message)), toHex(RFC8032.signature));
  const verify = verifyKey(key.publicKey);
  const rows = [
    { why: "as it is", data: RFC8032.message, signature: RFC8032.signature, holds: true },
    { why: "other data", data: Uint8Array.of(0x73), signature: RFC8032.signature, holds: false },
    {
      why: "a byte short",
      data: RFC8032.message,
      signature: RFC8032.signature.subarray(1),
      holds: false,
    },
    { why: "nothing", data: RFC8032.message, signature: new Uint8Array(), holds: false },
    { why: "zeros", data: RFC8032.message, signature: new Uint8Array(64), holds: false },
  ];
  for (const { why, data, signature, holds } of rows) {
    assert.is(verifySignature(verify, data, signature), holds, why);
    assert.is(await verifySignatureAside(verify, data, signature), holds, why);
  }
});

test("lengths are those of the algorithms", () => {
  assert.equal(
    [KEY_BYTES, SIGNATURE_BYTES, MAC_BYTES, AEAD_NONCE_BYTES, AEAD_TAG_BYTES],
    [32, 64, 32, 24, 16],
  );
});

test("a public key of another length is none, and one without a form to seal to is told", () => {
  for (const length of [0, 31, 33])
    assert.throws(() => verifyKey(new Uint8Array(length)), failsAs("malformed"));
  assert.throws(
    () => sealKeyOfSigner(new Uint8Array(32).fill(0xff)),
    causedAs("malformed", "no form"),
  );
});

test("the hash and the keyed hash are those of the platform, for keys of every length", () => {
  assert.is(
    toHex(sha256(utf8("abc"))),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
  for (const length of [0, 1, 32, 63, 64, 65, 200]) {
    const [key, data] = [randomBytes(length), randomBytes(length)];
    const known = createHmac("sha256", key).update(data).digest("hex");
    assert.is(toHex(hmac(key, data)), known, `${length} bytes`);
  }
});

test("MACs are the same when all of both is", () => {
  assert.is(sameMac(Uint8Array.of(1, 2), Uint8Array.of(1, 2)), true);
  assert.is(sameMac(Uint8Array.of(1, 2), Uint8Array.of(1, 3)), false);
  assert.is(sameMac(Uint8Array.of(1, 2), Uint8Array.of(1)), false);
});

test("keys are derived by purpose and context (RFC 5869)", () => {
  const key = new Uint8Array(32);
  const plain = deriveKey(key, "one");
  assert.is(plain.length, 32);
  assert.is(toHex(plain), toHex(deriveKey(key, "one", new Uint8Array())));
  assert.is(
    toHex(plain),
    toHex(hmac(hmac(new Uint8Array(), key), Uint8Array.of(...utf8("one"), 1))),
    "extract, then expand once",
  );
  for (const other of [deriveKey(key, "two"), deriveKey(key, "one", Uint8Array.of(1))])
    assert.is.not(toHex(other), toHex(plain));
});

test("what is sealed opens with the key it is for, whole or not at all", () => {
  const pair = sealKeyPair();
  assert.equal([pair.publicKey.length, pair.privateKey.length], [32, 32]);
  const sealed = seal(utf8("secret"), pair.publicKey);
  assert.is(toHex(unseal(sealed, pair.publicKey, pair.privateKey)), toHex(utf8("secret")));
  const other = sealKeyPair();
  assert.throws(
    () => unseal(sealed, other.publicKey, other.privateKey),
    causedAs("unauthenticated", "sealed box"),
  );
  const seed = randomBytes(32);
  const own = sealKeyOfSeed(seed);
  assert.is(toHex(own.publicKey), toHex(sealKeyOfSigner(signingKey(seed).publicKey)));
  assert.is(toHex(unseal(seal(utf8("x"), own.publicKey), own.publicKey, own.privateKey)), "78");
});

test("a ciphertext opens under its key, its nonce and what it is bound to", () => {
  const [key, nonce, bound] = [randomBytes(32), randomBytes(24), utf8("here")];
  const sealed = aeadSeal(key, nonce, utf8("row"), bound);
  assert.is(sealed.length, 3 + 16);
  assert.is(toHex(aeadOpen(key, nonce, sealed, bound)), toHex(utf8("row")));
  for (const wrong of [
    () => aeadOpen(randomBytes(32), nonce, sealed, bound),
    () => aeadOpen(key, randomBytes(24), sealed, bound),
    () => aeadOpen(key, nonce, sealed, utf8("there")),
    () =>
      aeadOpen(
        key,
        nonce,
        sealed.map((byte, i) => (i === 0 ? byte ^ 1 : byte)),
        bound,
      ),
  ])
    assert.throws(wrong, causedAs("unauthenticated", "ciphertext"));
});

const KEY = signingKey(new Uint8Array(32).fill(7));
const VERIFY = verifyKey(KEY.publicKey);

test("an envelope names its key by the first 8 bytes of its hash, and holds to its domain", async () => {
  const id = keyIdOf(KEY.publicKey);
  assert.is(toHex(id), toHex(sha256(KEY.publicKey).subarray(0, 8)));
  const envelope = sign1(KEY, "a/domain", utf8("said"));
  const parts = parseSign1(envelope);
  assert.is(toHex(parts.keyId), toHex(id));
  assert.is(toHex(parts.payload), toHex(utf8("said")));
  assert.is(toHex(envelopeOf(id, parts.payload, parts.signature)), toHex(envelope));
  assert.is(toHex(parts.protectedHeader), `a20127${"04"}48${toHex(id)}`);
  const signed = encodeCbor(["Signature1", parts.protectedHeader, utf8("a/domain"), utf8("said")]);
  assert.ok(verifySignature(VERIFY, signed, parts.signature), "RFC 9052 § 4.4");
  assert.ok(equalBytes(openSign1(VERIFY, "a/domain", envelope), utf8("said")));
  assert.ok(equalBytes(await openSign1Aside(VERIFY, "a/domain", envelope), utf8("said")));
  const other = verifyKey(signingKey(new Uint8Array(32)).publicKey);
  const renamed = envelopeOf(keyIdOf(other.publicKey), parts.payload, parts.signature);
  const rows = [
    { why: "another domain", key: VERIFY, domain: "another/domain", bytes: envelope },
    { why: "another key", key: other, domain: "a/domain", bytes: envelope },
    { why: "the name of another key", key: VERIFY, domain: "a/domain", bytes: renamed },
    { why: "signed by one, named as another", key: other, domain: "a/domain", bytes: renamed },
    {
      why: "another payload",
      key: VERIFY,
      domain: "a/domain",
      bytes: envelopeOf(id, utf8("sain"), parts.signature),
    },
  ];
  for (const { why, key, domain, bytes } of rows) {
    assert.throws(() => openSign1(key, domain, bytes), failsAs("unauthenticated", domain), why);
    await openSign1Aside(key, domain, bytes).then(
      () => assert.unreachable(why),
      (error) => assert.ok(failsAs("unauthenticated", domain)(error), why),
    );
  }
});

test("whoever signs the bytes of another, under the other's name, has signed nothing", () => {
  const thief = signingKey(randomBytes(32));
  const own = sign1(thief, "a/domain", utf8("said"));
  const { payload, signature } = parseSign1(own);
  assert.throws(
    () => openSign1(VERIFY, "a/domain", envelopeOf(keyIdOf(KEY.publicKey), payload, signature)),
    failsAs("unauthenticated"),
  );
});

const id = keyIdOf(KEY.publicKey);
const good = new Map<number, number | Uint8Array>([
  [1, -8],
  [4, id],
]);
const header = encodeCbor(good);
const [payload, signature] = [utf8("x"), new Uint8Array(64)];

test("an envelope has four parts of their kinds", () => {
  assert.ok(parseSign1(encodeCbor([header, new Map(), payload, signature])));
  assert.ok(parseSign1(encodeCbor([header, new Map(), new Uint8Array(), signature])));
  const bad: readonly (readonly [why: string, envelope: Uint8Array])[] = [
    ["no list", encodeCbor(1)],
    ["a map", encodeCbor(good)],
    ["nothing in it", encodeCbor([])],
    ["three parts", encodeCbor([header, new Map(), payload])],
    ["five parts", encodeCbor([header, new Map(), payload, signature, payload])],
    ["a header that is text", encodeCbor(["", new Map(), payload, signature])],
    ["something unprotected", encodeCbor([header, new Map([[1, 1]]), payload, signature])],
    ["a list for what is unprotected", encodeCbor([header, [], payload, signature])],
    ["a payload that is text", encodeCbor([header, new Map(), "x", signature])],
    ["a signature that is text", encodeCbor([header, new Map(), payload, "x".repeat(64)])],
    ["a short signature", encodeCbor([header, new Map(), payload, new Uint8Array(63)])],
    ["a long signature", encodeCbor([header, new Map(), payload, new Uint8Array(65)])],
  ];
  for (const [why, envelope] of bad)
    assert.throws(() => parseSign1(envelope), failsAs("malformed", "COSE_Sign1: expected ["), why);
});

test("the header of an envelope names the algorithm and the key, and nothing else", () => {
  const headers: readonly (readonly [why: string, header: Uint8Array])[] = [
    ["a list", encodeCbor([1, -8])],
    ["empty", encodeCbor(new Map())],
    [
      "another algorithm",
      encodeCbor(
        new Map<number, number | Uint8Array>([
          [1, -7],
          [4, id],
        ]),
      ),
    ],
    [
      "no key id",
      encodeCbor(
        new Map<number, number | Uint8Array>([
          [1, -8],
          [5, id],
        ]),
      ),
    ],
    [
      "a key id that is text",
      encodeCbor(
        new Map<number, number | string>([
          [1, -8],
          [4, "12345678"],
        ]),
      ),
    ],
    [
      "a short key id",
      encodeCbor(
        new Map<number, number | Uint8Array>([
          [1, -8],
          [4, id.subarray(1)],
        ]),
      ),
    ],
    [
      "a third parameter",
      encodeCbor(
        new Map<number, number | Uint8Array>([
          [1, -8],
          [2, 0],
          [4, id],
        ]),
      ),
    ],
  ];
  for (const [why, own] of headers)
    assert.throws(
      () => parseSign1(encodeCbor([own, new Map(), payload, signature])),
      failsAs("malformed", "EdDSA"),
      why,
    );
});

test.run();
