/** Several issuers side by side: the embedded one, and an operator platform's own. */
import { ProtocolError, type TokenVerifier } from "@kerbside/protocol";
import { decodeJwt } from "jose";

const TOKEN_CHARS_MAX = 8192;

/**
 * A verifier that hands each token to that of the issuer it names. The name is not believed for anything else: the
 * verifier it chooses checks it again, with the signature. Throws ProtocolError `unauthenticated` for any other issuer.
 */
export function verifierByIssuer(verifiers: ReadonlyMap<string, TokenVerifier>): TokenVerifier {
  return (token) => {
    const verify = verifiers.get(claimedIssuer(token) ?? "");
    if (verify !== undefined) return verify(token);
    return Promise.reject(
      new ProtocolError("unauthenticated", "access token: not of a trusted issuer"),
    );
  };
}

function claimedIssuer(token: string): string | undefined {
  if (token.length > TOKEN_CHARS_MAX) return undefined;
  try {
    return decodeJwt(token).iss;
  } catch {
    // No JWT at all: of no issuer.
    return undefined;
  }
}
