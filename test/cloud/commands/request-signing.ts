/** Signs requests as a backend does (RFC 9421), for the tests: by hand, so that nothing is shared with what verifies. */
import { createHash, type KeyObject, randomUUID, sign } from "node:crypto";
import type { RequestProof } from "@kerbside/commands";

export type ToSign = {
  readonly key: KeyObject;
  readonly keyId?: string;
  readonly method?: string;
  readonly target: string;
  readonly authority: string;
  readonly body?: string;
  readonly idempotencyKey?: string | undefined;
  readonly nonce?: string;
  /** Unix time in seconds. */
  readonly created?: number;
  readonly alg?: string;
  readonly components?: readonly string[];
};

export function signedRequest(asked: ToSign): RequestProof {
  const { key, keyId = "k1", method = "POST", target, authority, body = "" } = asked;
  const { nonce = randomUUID(), created = Math.floor(Date.now() / 1000) } = asked;
  const isEd = key.asymmetricKeyType === "ed25519";
  const { idempotencyKey, alg = isEd ? "ed25519" : "ecdsa-p256-sha256" } = asked;
  const digest = `sha-256=:${createHash("sha256").update(body).digest("base64")}:`;
  const [path = "", query = ""] = target.split("?");
  const values = new Map([
    ["@method", method],
    ["@target-uri", `https://${authority}${target}`],
    ["@authority", authority],
    ["@path", path],
    ["@query", `?${query}`],
    ...(body === "" ? [] : [["content-digest", digest] as const]),
    ...(body === "" ? [] : [["content-type", "application/json"] as const]),
    ...(idempotencyKey === undefined ? [] : [["idempotency-key", idempotencyKey] as const]),
  ]);
  const without = new Set(["@authority", "@path", "@query"]);
  const { components = [...values.keys()].filter((name) => !without.has(name)) } = asked;
  const names = components.map((name) => `"${name}"`).join(" ");
  const params = `(${names});created=${created};nonce="${nonce}";keyid="${keyId}";alg="${alg}"`;
  const lines = components.map((name) => `"${name}": ${values.get(name)}`);
  const base = [...lines, `"@signature-params": ${params}`].join("\n");
  const bytes = sign(isEd ? null : "sha256", Buffer.from(base), { key, dsaEncoding: "ieee-p1363" });
  return {
    method,
    target,
    authority,
    ...(body === "" ? {} : { contentType: "application/json", contentDigest: digest }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    signatureInput: `sig1=${params}`,
    signature: `sig1=:${bytes.toString("base64")}:`,
    body: new Uint8Array(Buffer.from(body)),
  };
}

/** As it goes over HTTPS. */
export function headersOf(proof: RequestProof): Readonly<Record<string, string>> {
  const { contentDigest, idempotencyKey, signatureInput, signature } = proof;
  return {
    ...(contentDigest === undefined ? {} : { "content-digest": contentDigest }),
    ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
    "signature-input": signatureInput,
    signature,
  };
}
