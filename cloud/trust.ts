/** Whose access tokens are believed: the embedded issuer's, and those of one that the platform has configured. */
import { readFileSync } from "node:fs";
import {
  livingAccounts,
  rememberTokens,
  type TokenVerifierOptions,
  tokenVerifier,
  verifierByIssuer,
} from "@kerbside/identity";
import {
  type AccountRecord,
  type Clock,
  ProtocolError,
  type TenantId,
  type TokenVerifier,
} from "@kerbside/protocol";
import { TOKEN_AUDIENCE } from "./ports.ts";

/** An OAuth2 issuer besides the embedded one. Its tokens must carry `tenant` and `scope` (RFC 9068). */
export type TrustedIssuer = {
  readonly issuer: string;
  readonly jwks: URL;
  /** PEM; the platform's own trust where there is none. */
  readonly ca?: string;
};

/** Reads the words of the command line. Throws ProtocolError `malformed` where one is missing or no HTTPS address. */
export function trustedIssuer(
  issuer: string | undefined,
  jwks: string | undefined,
  caFile: string | undefined,
): TrustedIssuer | undefined {
  if (issuer === undefined && jwks === undefined && caFile === undefined) return undefined;
  if (issuer === undefined || jwks === undefined) {
    throw new ProtocolError("malformed", "--trust-issuer and --trust-jwks: expected both");
  }
  const url = URL.canParse(jwks) ? new URL(jwks) : undefined;
  if (url?.protocol !== "https:") {
    throw new ProtocolError(
      "malformed",
      "--trust-jwks: expected an address that begins with https://",
    );
  }
  return {
    issuer,
    jwks: url,
    ...(caFile === undefined ? {} : { ca: readFileSync(caFile, "utf8") }),
  };
}

export type EmbeddedIssuer = {
  readonly issuer: string;
  readonly keys: TokenVerifierOptions["keys"];
};

/** Who the embedded issuer's callers are, as of now. */
export type Callers = {
  readonly account: (tenant: TenantId, person: string) => Promise<AccountRecord | undefined>;
  readonly hasClient: (tenant: TenantId, client: string) => boolean;
};

/**
 * The verifier of a service. Without either issuer it believes nobody. Tokens by the embedded issuer are good
 * while the person's account or the client is; whoever is locked out of another issuer is that one's to say.
 */
export function serviceVerifier(
  embedded: EmbeddedIssuer | undefined,
  trusted: TrustedIssuer | undefined,
  clock: Clock,
  { account, hasClient }: Callers,
): TokenVerifier {
  const verifiers = new Map<string, TokenVerifier>();
  const verifierOf = (of: Pick<TokenVerifierOptions, "issuer" | "keys">): TokenVerifier =>
    rememberTokens(tokenVerifier({ ...of, audience: TOKEN_AUDIENCE, clock }), clock);
  if (trusted !== undefined) {
    const { issuer, jwks: url, ca } = trusted;
    const keys = { url, ...(ca === undefined ? {} : { ca }) };
    verifiers.set(issuer, verifierOf({ issuer, keys }));
  }
  if (embedded !== undefined) {
    const verify = livingAccounts(verifierOf(embedded), account, hasClient, clock);
    verifiers.set(embedded.issuer, verify);
  }
  const [only, ...others] = verifiers.values();
  return only !== undefined && others.length === 0 ? only : verifierByIssuer(verifiers);
}
