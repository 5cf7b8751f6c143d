/**
 * Tokens whose signature verified a moment ago: a backend shows the same one with every call, and the same bytes verify
 * again under the same key. What time changes is looked at on each call all the same: expiry here, accounts by whoever
 * stands behind this. Kept by hash, never the token itself.
 */
import {
  type Caller,
  type Clock,
  sha256,
  type TokenVerifier,
  toHex,
  utf8,
} from "@kerbside/protocol";

/** An issuer that takes a key back is heeded after this, in ms: sooner than its key set is read anew. */
const REMEMBERED_MS_MAX = 30_000;
/** The one that came first is forgotten first, and verified again when it comes. */
const TOKENS_MAX = 10_000;

type Remembered = {
  readonly caller: Omit<Caller, "token">;
  readonly fromMs: number;
  readonly untilMs: number;
};

/** Answers as `verify` does. What it rejects is not remembered. */
export function rememberTokens(verify: TokenVerifier, clock: Pick<Clock, "wallMs">): TokenVerifier {
  const known = new Map<string, Remembered>();
  return async (token) => {
    const name = toHex(sha256(utf8(token)));
    const nowMs = clock.wallMs();
    const found = known.get(name);
    // A clock that was set back is no reason to believe anything longer.
    if (found !== undefined && nowMs >= found.fromMs && nowMs < found.untilMs) {
      return { ...found.caller, token };
    }
    known.delete(name);
    const { token: _token, ...caller } = await verify(token);
    const untilMs = Math.min(caller.expiresAtMs, nowMs + REMEMBERED_MS_MAX);
    known.set(name, { caller, fromMs: nowMs, untilMs });
    // What is not believed any more names somebody for nothing (P-22).
    for (const [oldest, { untilMs: endMs }] of known) {
      if (known.size <= TOKENS_MAX && nowMs < endMs) break;
      known.delete(oldest);
    }
    return { ...caller, token };
  };
}
