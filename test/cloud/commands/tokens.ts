/** Tokens for the tests: a key pair, tokens made with it, and a verifier as an issuer's would be. */
import {
  isRole,
  ProtocolError,
  ROLES,
  type Role,
  type TokenVerifier,
  tenantId,
} from "@kerbside/protocol";
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";

export const ISSUER = "https://issuer.test";
export const AUDIENCE = "kerbside";
const CHECKS = { issuer: ISSUER, audience: AUDIENCE, algorithms: ["ES256"] };

type Verify = (token: string, checks: typeof CHECKS) => Promise<{ readonly payload: JWTPayload }>;

export function tokenVerifierOf(verify: Verify): TokenVerifier {
  return async (token) => {
    try {
      const { sub, exp, scope, tenant, role } = (await verify(token, CHECKS)).payload;
      return {
        subject: String(sub),
        tenant: tenantId(tenant),
        scopes: new Set(String(scope).split(" ")),
        token,
        expiresAtMs: Number(exp) * 1000,
        ...(isRole(role) ? { role } : {}),
      };
    } catch (cause) {
      throw new ProtocolError("unauthenticated", "token: does not verify", { cause });
    }
  };
}

export const ALL_SCOPES = [
  "vehicles:read",
  "events:read",
  "bookings:read",
  "bookings:write",
  "commands:read",
  "commands:write",
  "feed:read",
].join(" ");

export type Minted = {
  readonly tenant?: string;
  readonly scope?: string;
  readonly subject?: string;
  /** Of a person's account. */
  readonly role?: Role;
  readonly audience?: string;
  readonly issuer?: string;
  /** Seconds from now; negative: expired. */
  readonly lifeS?: number;
};
export type Issuer = {
  readonly jwk: JWK;
  readonly mint: (claims?: Minted) => Promise<string>;
};

export async function issuer(): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const jwk = { ...(await exportJWK(publicKey)), alg: "ES256" };
  const mint = (claims: Minted = {}): Promise<string> =>
    new SignJWT({
      tenant: claims.tenant ?? "demo",
      scope: claims.scope ?? (claims.role && ROLES[claims.role].scopes.join(" ")) ?? ALL_SCOPES,
      ...(claims.role === undefined ? {} : { role: claims.role }),
    })
      .setProtectedHeader({ alg: "ES256" })
      .setSubject(claims.subject ?? "backend")
      .setIssuer(claims.issuer ?? ISSUER)
      .setAudience(claims.audience ?? AUDIENCE)
      .setIssuedAt()
      .setExpirationTime(Math.floor(Date.now() / 1000) + (claims.lifeS ?? 600))
      .sign(privateKey);
  return { jwk, mint };
}
