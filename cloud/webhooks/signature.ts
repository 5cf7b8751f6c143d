/** Signatures as Standard Webhooks has them (github.com/standard-webhooks, spec 1.0.0, "Signature scheme"). */
import { hmac, utf8 } from "@kerbside/protocol";

/** The value of `webhook-signature`: one by each secret, with spaces between them. */
export function signatures(
  secrets: readonly Uint8Array[],
  message: { readonly id: string; readonly timestampS: number; readonly body: string },
): string {
  const signed = utf8(`${message.id}.${message.timestampS}.${message.body}`);
  return secrets
    .map((secret) => `v1,${Buffer.from(hmac(secret, signed)).toString("base64")}`)
    .join(" ");
}
