/**
 * Signed requests: HTTP Message Signatures (RFC 9421) with Content-Digest (RFC 9530), as much of them as a backend needs
 * to make a request its own. One signature, by Ed25519 or ECDSA on P-256; it covers method, target and body, and says when
 * it was made, a nonce, its key and algorithm. Everything else is refused. Pure.
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { type Caller, equalBytes, ProtocolError, sha256, utf8 } from "@kerbside/protocol";

/** A request as it came in, with what it says about its own signature. */
export type RequestProof = {
  readonly method: string;
  /** Path and query as the request line has them. */
  readonly target: string;
  /** The header `Host`. */
  readonly authority: string;
  readonly contentType?: string;
  readonly contentDigest?: string;
  readonly idempotencyKey?: string;
  readonly signatureInput: string;
  readonly signature: string;
  readonly body: Uint8Array;
};
/** Who asks, with the proof that it asked just this, where it gave one. */
export type Asker = Caller & { readonly proof?: RequestProof };

export function asker(caller: Caller, proof: RequestProof | undefined): Asker {
  return proof === undefined ? caller : { ...caller, proof };
}

type RequestAlgorithm = "ed25519" | "ecdsa-p256-sha256";
export type ReadSignature = {
  readonly components: readonly string[];
  /** Unix time in seconds. */
  readonly created: number;
  readonly nonce: string;
  readonly keyId: string;
  readonly alg: string;
  /** The value of `@signature-params`, as it is signed. */
  readonly params: string;
  readonly bytes: Uint8Array;
};
type Signed = Pick<ReadSignature, "components" | "params">;

/** The names that may be covered, and where each value is. `authorization` is none: what is covered is kept. */
const VALUES: Readonly<Record<string, (proof: RequestProof) => string | undefined>> = {
  "@method": ({ method }) => method,
  "@authority": authorityOf,
  "@path": pathOf,
  "@query": queryOf,
  "@target-uri": (proof) => `https://${authorityOf(proof)}${proof.target}`,
  "content-type": ({ contentType }) => contentType,
  "content-length": ({ body }) => String(body.length),
  "content-digest": ({ contentDigest }) => contentDigest,
  "idempotency-key": ({ idempotencyKey }) => idempotencyKey,
};
const INPUT =
  /^([a-z][a-z0-9-]{0,31})=(\(("[a-z@-]+"(?: "[a-z@-]+")*)\)((?:;[a-z]+=(?:[0-9]{1,12}|"[\x20-\x21\x23-\x5b\x5d-\x7e]{1,128}"))+))$/;
const SIGNATURE = /^([a-z][a-z0-9-]{0,31})=:([A-Za-z0-9+/]{86}==):$/;
const DIGEST = /^sha-256=:([A-Za-z0-9+/]{43}=):$/;
const PARAMETERS = ["created", "nonce", "keyid", "alg"] as const;
export const KEY_ID_PATTERN: RegExp = /^[A-Za-z0-9._-]{1,64}$/;
const NONCE_PATTERN = /^[\x21\x23-\x5b\x5d-\x7e]{8,64}$/;

/** RFC 9421 § 2.2.6. */
export function pathOf({ target }: RequestProof): string {
  const at = target.indexOf("?");
  return at < 0 ? target : target.slice(0, at);
}

/** RFC 9421 § 2.2.7: `?` alone where there is none. */
function queryOf({ target }: RequestProof): string {
  const at = target.indexOf("?");
  return at < 0 ? "?" : target.slice(at);
}

/** RFC 9421 § 2.2.3: in lower case, without the port that HTTPS has anyway. */
function authorityOf({ authority }: RequestProof): string {
  return authority.toLowerCase().replace(/:443$/, "");
}

/** Throws ProtocolError `malformed`, naming what was expected. */
export function readSignature({ signatureInput, signature }: RequestProof): ReadSignature {
  const [, label, params = "", names = "", said = ""] = INPUT.exec(signatureInput) ?? [];
  const [, signedLabel, encoded = ""] = SIGNATURE.exec(signature) ?? [];
  if (label === undefined || signedLabel !== label) throw wrong("one signature with its input");
  const components = names.split(" ").map((name) => name.slice(1, -1));
  const known =
    new Set(components).size === components.length &&
    components.every((name) => Object.hasOwn(VALUES, name));
  if (!known) throw wrong("known components, each once");
  return { components, ...readParameters(said), params, bytes: bytesOf(encoded) };
}

function readParameters(said: string): Pick<ReadSignature, "created" | "nonce" | "keyId" | "alg"> {
  // A text may hold `;` and `=`, so the parts are looked for and not split.
  const parts = [...said.matchAll(/;([a-z]+)=(?:([0-9]+)|"([^"]*)")/g)];
  const number = (name: string): string => parts.find(([, n]) => n === name)?.[2] ?? "";
  const text = (name: string): string => parts.find(([, n]) => n === name)?.[3] ?? "";
  const each = PARAMETERS.every((name) => parts.filter(([, n]) => n === name).length === 1);
  const [created, nonce, keyId] = [number("created"), text("nonce"), text("keyid")];
  const sound =
    each &&
    parts.length === PARAMETERS.length &&
    created !== "" &&
    NONCE_PATTERN.test(nonce) &&
    KEY_ID_PATTERN.test(keyId);
  if (!sound) throw wrong("created, nonce, keyid and alg, each once, and no other parameter");
  return { created: Number(created), nonce, keyId, alg: text("alg") };
}

/** RFC 9421 § 2.5. Throws ProtocolError `malformed` where what is covered is not there. */
export function signatureBase(proof: RequestProof, { components, params }: Signed): string {
  const lines = components.map((name) => {
    const value = VALUES[name]?.(proof);
    if (value === undefined) throw wrong(`a value of ${name}`);
    return `"${name}": ${value.trim()}`;
  });
  return [...lines, `"@signature-params": ${params}`].join("\n");
}

/** Throws ProtocolError `malformed` unless all that makes the request is covered, the body by its digest. */
export function checkCovered(proof: RequestProof, { components }: Signed): void {
  const must = ["@method"];
  if (!components.includes("@target-uri")) must.push("@authority", "@path");
  if (!components.includes("@target-uri") && queryOf(proof) !== "?") must.push("@query");
  if (proof.body.length > 0) must.push("content-digest");
  if (proof.idempotencyKey !== undefined) must.push("idempotency-key");
  const missing = must.find((name) => !components.includes(name));
  if (missing !== undefined) throw wrong(`${missing} to be covered`);
  if (proof.body.length === 0) return;
  const digest = DIGEST.exec(proof.contentDigest ?? "")?.[1];
  if (digest === undefined || !equalBytes(bytesOf(digest), sha256(proof.body))) {
    throw wrong("the content's SHA-256 in Content-Digest");
  }
}

/** A caller's public key, as it is kept: SPKI, DER. Throws ProtocolError `malformed` for any other kind of key. */
export function requestKey(spki: Uint8Array): KeyObject {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
    algorithmOf(key);
    return key;
  } catch (cause) {
    throw new ProtocolError("malformed", "request key: expected Ed25519 or ECDSA on P-256", {
      cause,
    });
  }
}

/** RFC 9421 § 3.3. Throws ProtocolError `malformed`. */
export function algorithmOf(key: KeyObject): RequestAlgorithm {
  if (key.asymmetricKeyType === "ed25519") return "ed25519";
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (key.asymmetricKeyType === "ec" && curve === "prime256v1") return "ecdsa-p256-sha256";
  throw new ProtocolError("malformed", "request key: expected Ed25519 or ECDSA on P-256");
}

/** Whether `key` signed this base (RFC 9421 § 3.2), by the algorithm that is its own. */
export function isSignedBy(
  key: KeyObject,
  base: string,
  { alg, bytes }: Pick<ReadSignature, "alg" | "bytes">,
): boolean {
  const algorithm = algorithmOf(key);
  if (alg !== algorithm) return false;
  const hash = algorithm === "ed25519" ? null : "sha256";
  return verify(hash, utf8(base), { key, dsaEncoding: "ieee-p1363" }, bytes);
}

/** Of base64 that is written in the one way it has: other texts for the same bytes are none. */
function bytesOf(base64: string): Uint8Array {
  const read = Buffer.from(base64, "base64");
  if (read.toString("base64") !== base64) throw wrong("base64");
  return new Uint8Array(read);
}

function wrong(expected: string): ProtocolError {
  return new ProtocolError("malformed", `signed request: expected ${expected}`);
}
