/**
 * The public keys that callers sign their requests with (RFC 9421), as the signer has them: who may see them, and take
 * one back. A key is given at the command line only. The API asks the signer, which checks all of it itself.
 */
import { toHex } from "@kerbside/protocol";
import { type TSchema, Type } from "typebox";
import type { RequestKeyListed } from "../signer/request-keys.ts";
import { SUBJECT_CHARS_MAX } from "../signer/request-keys.ts";
import { KEY_ID_PATTERN } from "../signer/request-signature.ts";
import type { Answer, Call, Route } from "./route.ts";

const strict = { additionalProperties: false } as const;
const client = Type.String({
  minLength: 1,
  maxLength: SUBJECT_CHARS_MAX,
  description: "whose it is, as its tokens name it",
  examples: ["demo-backend"],
});
const keyId = Type.String({
  pattern: KEY_ID_PATTERN.source,
  description: "what its signatures call it (`keyid`)",
  examples: ["k1"],
});
const KeySchema: TSchema = Type.Object({
  client,
  keyId,
  state: Type.Unsafe<string>({ type: "string", enum: ["in_force", "revoked"] }),
  sha256: Type.Optional(
    Type.String({
      description: "of the public key (SPKI, DER), in hexadecimal",
      examples: ["5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"],
    }),
  ),
});
const KeysSchema: TSchema = Type.Object({
  demanded: Type.Boolean({ description: "whether what opens cars has to be signed" }),
  items: Type.Array(KeySchema),
});
const RevokeSchema: TSchema = Type.Object({ client, keyId }, strict);

function keyView({ subject, keyId: id, revoked, sha256 }: RequestKeyListed): object {
  return {
    client: subject,
    keyId: id,
    state: revoked ? "revoked" : "in_force",
    ...(sha256 === undefined ? {} : { sha256: toHex(sha256) }),
  };
}

async function list({ parts, caller }: Call): Promise<Answer> {
  const { keys, demanded } = await parts.signer.requestKeys(caller.token);
  return { status: 200, body: { demanded, items: keys.map(keyView) } };
}

async function revoke({ parts, caller, store, body, from }: Call): Promise<Answer> {
  // By the row's schema.
  const asked = body as { readonly client: string; readonly keyId: string };
  const of = { subject: asked.client, keyId: asked.keyId };
  const key = await parts.signer.revokeRequestKey(caller.token, of, caller.proof);
  // The signer has audited it before it did it; only here is known where the call came from.
  await store.audit({
    actor: caller.subject,
    action: "request_key.revoke",
    subject: `client:${of.subject}`,
    outcome: "done",
    reason: of.keyId,
    from,
  });
  return { status: 200, body: keyView(key) };
}

export const REQUEST_KEY_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/request-keys",
    operation: "listRequestKeys",
    summary: "The public keys that callers sign with, those that were taken back too",
    scopes: ["request-keys:read"],
    tag: "keys",
    answers: { 200: KeysSchema },
    handle: list,
  },
  {
    method: "POST",
    path: "/request-keys/revoke",
    operation: "revokeRequestKey",
    summary: "Take a caller's key back: at once and for good, so that it signs nothing any more",
    scopes: ["request-keys:revoke"],
    tag: "keys",
    body: RevokeSchema,
    answers: { 200: KeySchema },
    handle: revoke,
  },
];
