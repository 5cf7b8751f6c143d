/**
 * P-60: a read-only key to a tenant's own data, for a bounded time: a secret whose hash stands in the record of who asked
 * for it and who agreed. It is shown in place of a token, ends with its record, and can do nothing but read.
 */
import { timingSafeEqual } from "node:crypto";
import {
  type AccessRequest,
  type Clock,
  ProtocolError,
  randomBytes,
  sha256,
  type TenantId,
  type TokenVerifier,
  tenantId,
} from "@kerbside/protocol";

const SECRET_BYTES = 32;
const KEY = /^kbk1\.([a-z0-9-]{1,40})\.([0-9a-f-]{36})\.([\w-]{43})$/;
const PREFIX = "kbk1.";
export const TENANT_KEY_SCOPES: readonly string[] = [
  "vehicles:read",
  "events:read",
  "bookings:read",
  "commands:read",
  "feed:read",
];

/** The key, which is kept nowhere, and what its record keeps of it. */
export function newTenantKey(
  tenant: TenantId,
  request: string,
): { readonly key: string; readonly hash: Uint8Array } {
  const secret = Buffer.from(randomBytes(SECRET_BYTES)).toString("base64url");
  return { key: `${PREFIX}${tenant}.${request}.${secret}`, hash: hashOf(secret) };
}

/** A verifier that takes such keys as well as what `verify` takes. */
export function tenantKeys(
  verify: TokenVerifier,
  record: (tenant: TenantId, id: string) => Promise<AccessRequest | undefined>,
  clock: Pick<Clock, "wallMs">,
): TokenVerifier {
  return async (token) => {
    if (!token.startsWith(PREFIX)) return verify(token);
    const [, name = "", id = "", secret = ""] = KEY.exec(token) ?? [];
    const request = name === "" ? undefined : await record(tenantId(name), id);
    const { kind, state, secretHash } = request ?? {};
    const isOwn = secretHash !== undefined && timingSafeEqual(hashOf(secret), secretHash);
    const isGood =
      kind === "tenant-key" && state?.at === "approved" && clock.wallMs() < state.untilMs;
    if (!isOwn || !isGood)
      throw new ProtocolError("unauthenticated", "tenant key: not valid, or not any more");
    return {
      subject: `key:${id}`,
      tenant: tenantId(name),
      scopes: new Set(TENANT_KEY_SCOPES),
      token,
      expiresAtMs: state.untilMs,
    };
  };
}

function hashOf(secret: string): Uint8Array {
  return sha256(new TextEncoder().encode(secret));
}
