/** PKCS #10 requests for the car's TLS certificate. */
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { type Address, clientIdOf } from "@kerbside/protocol";

const SUBJECT_ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** A fresh key for TLS, PEM. */
export function newTlsKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ format: "pem", type: "pkcs8" }).toString();
}

/** PEM, signed by the TLS key. The library is loaded for this alone: a running agent does not carry it. */
export async function certificateRequest(address: Address, tlsKeyPem: string): Promise<string> {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const key = createPrivateKey(tlsKeyPem);
  const { subtle } = globalThis.crypto;
  const pkcs8 = key.export({ format: "der", type: "pkcs8" });
  const privateKey = await subtle.importKey("pkcs8", pkcs8, SUBJECT_ALGORITHM, true, ["sign"]);
  const { d: _, key_ops: __, ...publicPart } = await subtle.exportKey("jwk", privateKey);
  const publicKey = await subtle.importKey("jwk", publicPart, SUBJECT_ALGORITHM, true, ["verify"]);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: `CN=${clientIdOf(address)}, O=${address.tenant}`,
    keys: { privateKey, publicKey },
    signingAlgorithm: SUBJECT_ALGORITHM,
  });
  return request.toString("pem");
}
