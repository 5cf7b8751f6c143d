/**
 * Checks an access token on every call (P-02): signature by a key of the issuer, algorithm from a list, issuer,
 * audience, time and claims. It works with the embedded issuer and with any other whose tokens carry `tenant` and
 * `scope`; whoever must not depend on a running issuer (the signer) is given its public keys instead of an address.
 */
import { get } from "node:https";
import {
  type Caller,
  type Clock,
  isRole,
  ProtocolError,
  type TokenVerifier,
  tenantId,
} from "@kerbside/protocol";
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from "jose";

export type TokenVerifierOptions = {
  readonly issuer: string;
  readonly audience: string;
  /** The issuer's public keys, or where they are read: over HTTPS, trusting `ca` (PEM) where it is given. */
  readonly keys: JSONWebKeySet | { readonly url: URL; readonly ca?: string };
  /** Asymmetric ones; default ES256. */
  readonly algorithms?: readonly TokenAlgorithm[];
  /** The header's `typ`; default `at+jwt` (RFC 9068 § 2.1), so that no other JWT of the issuer passes for a token. */
  readonly type?: string;
  readonly clock: Pick<Clock, "wallMs">;
};
export type TokenAlgorithm = "ES256" | "ES384" | "EdDSA" | "PS256" | "RS256";

const CLOCK_TOLERANCE_S = 5;
const TOKEN_CHARS_MAX = 8192;
const SCOPES_MAX = 64;
const JWKS_BYTES_MAX = 65_536;
const JWKS_TIMEOUT_MS = 5_000;

export function tokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const { issuer, audience, clock, algorithms = ["ES256"], type = "at+jwt" } = options;
  const keys = keySource(options.keys);
  return async (token) => {
    if (token.length > TOKEN_CHARS_MAX) throw refused("longer than a token may be");
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience,
      algorithms: [...algorithms],
      typ: type,
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(clock.wallMs()),
      requiredClaims: ["exp", "iat", "sub", "tenant"],
    }).catch((cause: unknown) => {
      throw refused("does not verify", cause);
    });
    return callerOf(payload, token);
  };
}

function refused(why: string, cause?: unknown): ProtocolError {
  return new ProtocolError("unauthenticated", `access token: ${why}`, { cause });
}

function callerOf(payload: JWTPayload, token: string): Caller {
  const { sub, exp, iat, tenant, role, scope = "" } = payload;
  if (sub === undefined || exp === undefined || iat === undefined || typeof scope !== "string") {
    throw refused("expected the claims sub, exp and scope");
  }
  const scopes = scope.split(" ").filter((word) => word.length > 0);
  if (scopes.length > SCOPES_MAX) throw refused("more scopes than a token may have");
  try {
    return {
      subject: sub,
      tenant: tenantId(tenant),
      scopes: new Set(scopes),
      token,
      issuedAtMs: iat * 1000,
      expiresAtMs: exp * 1000,
      ...(isRole(role) ? { role } : {}),
    };
  } catch (cause) {
    throw refused("expected the claim tenant", cause);
  }
}

function keySource(keys: TokenVerifierOptions["keys"]): JWTVerifyGetKey {
  if (!("url" in keys)) return createLocalJWKSet(keys);
  if (keys.url.protocol !== "https:") {
    throw new ProtocolError("malformed", "address of the issuer's keys: expected https");
  }
  const { url, ca } = keys;
  return createRemoteJWKSet(url, {
    timeoutDuration: JWKS_TIMEOUT_MS,
    [customFetch]: (address, { signal }) => fetchKeys(address, ca, signal),
  });
}

/** A fetch that trusts one authority only, which the platform's own cannot be told, and reads a bounded answer. */
function fetchKeys(url: string, ca: string | undefined, signal: AbortSignal): Promise<Response> {
  return new Promise((resolve, reject) => {
    const tls = { minVersion: "TLSv1.3" as const, ...(ca === undefined ? {} : { ca }) };
    const request = get(
      url,
      { ...tls, signal, headers: { accept: "application/json" } },
      (answer) => {
        const parts: Buffer[] = [];
        let length = 0;
        answer.on("data", (part: Buffer) => {
          length += part.length;
          if (length > JWKS_BYTES_MAX) request.destroy(new Error("the issuer's keys are too long"));
          else parts.push(part);
        });
        answer.on("end", () => {
          resolve(new Response(Buffer.concat(parts), { status: answer.statusCode ?? 502 }));
        });
        answer.on("error", reject);
      },
    );
    request.on("error", reject);
  });
}
