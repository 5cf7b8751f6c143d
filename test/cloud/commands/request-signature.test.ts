/** Signatures of requests, against the test vectors of RFC 9421 and against every byte of what is signed. */
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import {
  isSignedBy,
  type RequestProof,
  readSignature,
  requestKey,
  signatureBase,
} from "@kerbside/commands";
import { ProtocolError } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { signedRequest } from "./request-signing.ts";

/** RFC 9421 appendix B.1.4, `test-key-ed25519`. */
const RFC_KEY =
  "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----\n";
/** Appendix B.2, `test-request`. */
const RFC_REQUEST: RequestProof = {
  method: "POST",
  target: "/foo?param=Value&Pet=dog",
  authority: "example.com",
  contentType: "application/json",
  signatureInput: "",
  signature: "",
  body: new Uint8Array(Buffer.from('{"hello": "world"}')),
};
/** Appendix B.2.6. */
const RFC_PARAMS =
  '("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"';
const RFC_SIGNATURE =
  "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==";

test("the base and the signature of RFC 9421 B.2.6 (Ed25519)", () => {
  // The house has no use for `Date`, which this vector covers first; all other lines are made here.
  const components = ["@method", "@path", "@authority", "content-type", "content-length"];
  const base = `"date": Tue, 20 Apr 2021 02:07:55 GMT\n${signatureBase(RFC_REQUEST, {
    components,
    params: RFC_PARAMS,
  })}`;
  const expected = [
    '"date": Tue, 20 Apr 2021 02:07:55 GMT',
    '"@method": POST',
    '"@path": /foo',
    '"@authority": example.com',
    '"content-type": application/json',
    '"content-length": 18',
    `"@signature-params": ${RFC_PARAMS}`,
  ];
  assert.is(base, expected.join("\n"));
  const spki = createPublicKey(RFC_KEY).export({ format: "der", type: "spki" });
  const key = requestKey(new Uint8Array(spki));
  const bytes = new Uint8Array(Buffer.from(RFC_SIGNATURE, "base64"));
  assert.ok(isSignedBy(key, base, { alg: "ed25519", bytes }));
  assert.not(isSignedBy(key, base, { alg: "ecdsa-p256-sha256", bytes }));
});

test("P-51 each byte of the base and of the signature, altered, is found, for both algorithms", () => {
  const pairs = [
    generateKeyPairSync("ed25519"),
    generateKeyPairSync("ec", { namedCurve: "P-256" }),
  ];
  for (const { publicKey, privateKey } of pairs) {
    const target = "/v1/tenants/demo/vehicles/car-1/commands?wait=1000";
    const body = '{"action":"unlock"}';
    const asked = { target, authority: "api.test", body, idempotencyKey: "i-1" };
    const proof = signedRequest({ ...asked, key: privateKey });
    const read = readSignature(proof);
    const base = signatureBase(proof, read);
    assert.ok(isSignedBy(publicKey, base, read));
    const altered = (at: number): string =>
      base.slice(0, at) + String.fromCharCode(base.charCodeAt(at) ^ 1) + base.slice(at + 1);
    for (let at = 0; at < base.length; at += 1) {
      assert.not(isSignedBy(publicKey, altered(at), read), `byte ${at} of the base`);
    }
    for (let at = 0; at < read.bytes.length; at += 1) {
      const bytes = read.bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
      assert.not(isSignedBy(publicKey, base, { ...read, bytes }), `byte ${at} of the signature`);
    }
  }
});

test("what is not just the house's part of RFC 9421 is refused", () => {
  const { privateKey } = generateKeyPairSync("ed25519");
  const good = signedRequest({ key: privateKey, target: "/a", authority: "api.test", body: "{}" });
  const { signatureInput: input, signature } = good;
  const inputs: Readonly<Record<string, string>> = {
    "two signatures": `${input}, ${input.replace("sig1", "sig2")}`,
    "another label": input.replace("sig1", "sig2"),
    "an unknown component": input.replace('"@method"', '"x-mine"'),
    "the token": input.replace('"@method"', '"authorization"'),
    "a component twice": input.replace('"@method"', '"@method" "@method"'),
    "a parameter of a component": input.replace('"@method"', '"@method";req'),
    "no nonce": input.replace(/;nonce="[^"]*"/, ""),
    "a short nonce": input.replace(/;nonce="[^"]*"/, ';nonce="1234567"'),
    "no algorithm": input.replace(/;alg="[^"]*"/, ""),
    "no time": input.replace(/;created=[0-9]*/, ""),
    "a time as text": input.replace(/;created=([0-9]*)/, ';created="$1"'),
    "two times": input.replace(/;created=([0-9]*)/, ";created=$1;created=1"),
    "an expiry": `${input};expires=1`,
    nothing: "",
  };
  assert.is(readSignature(good).keyId, "k1");
  for (const [name, signatureInput] of Object.entries(inputs)) {
    assert.throws(() => readSignature({ ...good, signatureInput }), isMalformed, name);
  }
  const signatures = [
    signature.replace("==:", "=:"),
    signature.slice(0, -1),
    `${signature}, a=:x:`,
  ];
  for (const changed of ["", ...signatures]) {
    assert.throws(() => readSignature({ ...good, signature: changed }), isMalformed, changed);
  }
});

test("keys of another kind are refused", () => {
  const pairs = [
    generateKeyPairSync("rsa", { modulusLength: 2048 }),
    generateKeyPairSync("ec", { namedCurve: "P-384" }),
    generateKeyPairSync("x25519"),
  ];
  for (const { publicKey } of pairs) {
    const spki = publicKey.export({ format: "der", type: "spki" });
    assert.throws(() => requestKey(new Uint8Array(spki)), isMalformed);
  }
  assert.throws(() => requestKey(new Uint8Array(44)), isMalformed);
});

function isMalformed(error: unknown): boolean {
  return error instanceof ProtocolError && error.code === "malformed";
}

test.run();
