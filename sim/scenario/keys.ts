/** The public half of a phone's key, as the API takes it. */
import { fromHex, signingKey } from "@kerbside/protocol";

/** base64url of an Ed25519 key, by its seed in hexadecimal. */
export function publicSigningKey(seed: string): string {
  return Buffer.from(signingKey(fromHex(seed)).publicKey).toString("base64url");
}
