/** Signatures of requests, against the test vectors of RFC 9421 and against every byte of what is signed. */
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import {
  asker,
  checkCovered,
  isSignedBy,
  type RequestProof,
  readSignature,
  requestKey,
  signatureBase,
} from "@kerbside/commands";
import { ProtocolError, tenantId } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { signedRequest, type ToSign } from "./request-signing.ts";

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

const KEYS = generateKeyPairSync("ed25519");
const signed = (more: Partial<ToSign> = {}): RequestProof =>
  signedRequest({ key: KEYS.privateKey, target: "/a?b=c", authority: "api.test", ...more });

const COVERED: readonly {
  readonly why: string;
  readonly ask: Partial<ToSign>;
  readonly missing?: string;
}[] = [
  { why: "all, by the whole target", ask: { components: ["@method", "@target-uri"] } },
  { why: "no method", ask: { components: ["@target-uri"] }, missing: "@method" },
  { why: "all, in parts", ask: { components: ["@method", "@authority", "@path", "@query"] } },
  {
    why: "no authority",
    ask: { components: ["@method", "@path", "@query"] },
    missing: "@authority",
  },
  { why: "no path", ask: { components: ["@method", "@authority", "@query"] }, missing: "@path" },
  { why: "no query", ask: { components: ["@method", "@authority", "@path"] }, missing: "@query" },
  {
    why: "no query where there is none",
    ask: { target: "/a", components: ["@method", "@authority", "@path"] },
  },
  {
    why: "a body without its digest",
    ask: { body: "x", components: ["@method", "@target-uri"] },
    missing: "content-digest",
  },
  {
    why: "a body with it",
    ask: { body: "x", components: ["@method", "@target-uri", "content-digest"] },
  },
  {
    why: "a key that is not covered",
    ask: { idempotencyKey: "i", components: ["@method", "@target-uri"] },
    missing: "idempotency-key",
  },
  {
    why: "a key that is",
    ask: { idempotencyKey: "i", components: ["@method", "@target-uri", "idempotency-key"] },
  },
];
for (const { why, ask, missing } of COVERED) {
  test(`what has to be covered: ${why}`, () => {
    const proof = signed(ask);
    const check = () => checkCovered(proof, readSignature(proof));
    if (missing === undefined) check();
    else assert.throws(check, expected(`${missing} to be covered`));
  });
}

test("the digest is the body's SHA-256 in the one form that it has", () => {
  const proof = signed({ body: "x" });
  const read = readSignature(proof);
  checkCovered(proof, read);
  const { contentDigest = "" } = proof;
  const wrong = [
    undefined,
    ` ${contentDigest}`,
    `${contentDigest} `,
    contentDigest.replace("=:", ":"),
    signed({ body: "y" }).contentDigest,
  ];
  for (const digest of wrong) {
    const { contentDigest: _, ...rest } = proof;
    const changed = digest === undefined ? rest : { ...rest, contentDigest: digest };
    assert.throws(() => checkCovered(changed, read), expected("SHA-256 in Content-Digest"), digest);
  }
});

test("the values of target and authority are those of RFC 9421", () => {
  const lineOf = (name: string, more: Partial<ToSign>): string =>
    signatureBase(signed(more), { components: [name], params: "()" }).split("\n")[0] ?? "";
  assert.is(lineOf("@query", { target: "/a?b=c?d" }), '"@query": ?b=c?d');
  assert.is(lineOf("@query", { target: "/a" }), '"@query": ?');
  assert.is(lineOf("@query", { target: "?a" }), '"@query": ?a');
  assert.is(lineOf("@path", { target: "/a?b=c?d" }), '"@path": /a');
  assert.is(lineOf("@path", { target: "/a" }), '"@path": /a');
  assert.is(lineOf("@path", { target: "?a" }), '"@path": ');
  assert.is(lineOf("@authority", { authority: "API.test:443" }), '"@authority": api.test');
  assert.is(lineOf("@authority", { authority: "api.test:4430" }), '"@authority": api.test:4430');
  const of = { authority: "API.test", target: "/a?b" };
  assert.is(lineOf("@target-uri", of), '"@target-uri": https://api.test/a?b');
  assert.is(lineOf("idempotency-key", { idempotencyKey: " i " }), '"idempotency-key": i');
  assert.throws(() => lineOf("content-type", {}), expected("a value of content-type"));
  assert.throws(() => lineOf("x-mine", {}), expected("a value of x-mine"));
});

test("parameters may come in any order, each once, and within their alphabets", () => {
  const proof = signed();
  const of = (params: string): RequestProof => ({
    ...proof,
    signatureInput: `sig1=("@method");${params}`,
  });
  const good = 'nonce="12345678";alg="ed25519";keyid="k";created=12';
  const { nonce, alg, keyId, created, components } = readSignature(of(good));
  assert.equal(
    { nonce, alg, keyId, created, components },
    { nonce: "12345678", alg: "ed25519", keyId: "k", created: 12, components: ["@method"] },
  );
  const bad = [
    'nonce="12345678";created=1;keyid="k";created=12',
    good.replace('"k"', '"k k"'),
    good.replace('"k"', `"${"k".repeat(65)}"`),
    good.replace('"12345678"', '"12345678 x"'),
    good.replace('"12345678"', '"x 12345678"'),
    good.replace('"12345678"', `"${"1".repeat(65)}"`),
  ];
  for (const params of bad)
    assert.throws(() => readSignature(of(params)), expected("each once, and no other"), params);
  const labels = [` ${proof.signatureInput}`, `${proof.signatureInput} `];
  for (const signatureInput of labels)
    assert.throws(
      () => readSignature({ ...proof, signatureInput }),
      expected("one signature with its input"),
    );
  assert.throws(
    () => readSignature({ ...proof, signature: ` ${proof.signature}` }),
    expected("one signature with its input"),
  );
  const twice = { ...proof, signatureInput: proof.signatureInput.replace("(", '("@method" ') };
  assert.throws(() => readSignature(twice), expected("known components, each once"));
});

test("whoever asks is who the token names, with the proof where one was given", () => {
  const scopes = new Set(["self"]);
  const who = { tenant: tenantId("demo"), subject: "backend", scopes };
  const caller = { ...who, token: "t", expiresAtMs: 1 };
  const proof = signed();
  assert.equal(asker(caller, undefined), caller);
  assert.equal(asker(caller, proof), { ...caller, proof });
});

test("a signature has one text: other ends of its base64 for the same bytes are none", () => {
  const proof = signed();
  const ends = /.==:$/.exec(proof.signature)?.[0] ?? "";
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const other = alphabet[alphabet.indexOf(ends.slice(0, 1)) ^ 1];
  const signature = proof.signature.replace(/.==:$/, `${other}==:`);
  assert.throws(() => readSignature({ ...proof, signature }), expected("base64"));
});

test("a key of another kind verifies nothing, and says why it is none", () => {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const read = { alg: "rsa", bytes: new Uint8Array(256) };
  assert.throws(() => isSignedBy(publicKey, "", read), isMalformed);
  try {
    requestKey(new Uint8Array(44));
    assert.unreachable();
  } catch (error) {
    assert.ok(error instanceof ProtocolError && error.cause instanceof Error);
  }
});

function expected(words: string): (error: unknown) => boolean {
  return (error) => isMalformed(error) && error instanceof Error && error.message.includes(words);
}

function isMalformed(error: unknown): boolean {
  return error instanceof ProtocolError && error.code === "malformed";
}

test.run();
