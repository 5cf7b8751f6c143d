/**
 * Signs what the command line asks of the API (RFC 9421 with the Content-Digest of RFC 9530), for tenants that demand it.
 * The private key is read from a file of the caller's own and goes nowhere.
 */
import { createHash, createPrivateKey, type KeyObject, randomUUID, sign } from "node:crypto";
import { ProtocolError } from "@kerbside/protocol";

export type RequestKey = { readonly key: KeyObject; readonly id: string };
export type SignedPart = {
  readonly method: string;
  readonly url: URL;
  readonly body?: string | undefined;
  readonly idempotencyKey?: string | undefined;
};

/** The private key in this text. Throws ProtocolError `malformed` unless it is Ed25519 or ECDSA on P-256, as PEM. */
export function requestKeyIn(pem: string, file: string): KeyObject {
  const expected = `${file}: expected a private key, Ed25519 or ECDSA on P-256, as PEM`;
  try {
    const key = createPrivateKey(pem);
    const isP256 = key.asymmetricKeyDetails?.namedCurve === "prime256v1";
    if (key.asymmetricKeyType === "ed25519" || isP256) return key;
  } catch (cause) {
    throw new ProtocolError("malformed", expected, { cause });
  }
  throw new ProtocolError("malformed", expected);
}

/** The headers that make a request the caller's own: of this method, target and body, now, once. */
export function signatureHeaders(
  { key, id }: RequestKey,
  { method, url, body, idempotencyKey }: SignedPart,
  nowMs: number = Date.now(),
): Readonly<Record<string, string>> {
  const digest =
    body === undefined
      ? undefined
      : `sha-256=:${createHash("sha256").update(body).digest("base64")}:`;
  const covered: readonly (readonly [name: string, value: string])[] = [
    ["@method", method],
    ["@target-uri", url.href],
    ...(digest === undefined ? [] : [["content-digest", digest] as const]),
    ...(idempotencyKey === undefined ? [] : [["idempotency-key", idempotencyKey] as const]),
  ];
  const isEd = key.asymmetricKeyType === "ed25519";
  const alg = isEd ? "ed25519" : "ecdsa-p256-sha256";
  const names = covered.map(([name]) => `"${name}"`).join(" ");
  const created = Math.floor(nowMs / 1000);
  const params = `(${names});created=${created};nonce="${randomUUID()}";keyid="${id}";alg="${alg}"`;
  const lines = covered.map(([name, value]) => `"${name}": ${value}`);
  const base = [...lines, `"@signature-params": ${params}`].join("\n");
  const bytes = sign(isEd ? null : "sha256", Buffer.from(base), { key, dsaEncoding: "ieee-p1363" });
  return {
    ...(digest === undefined ? {} : { "content-digest": digest }),
    "signature-input": `sig1=${params}`,
    signature: `sig1=:${bytes.toString("base64")}:`,
  };
}
