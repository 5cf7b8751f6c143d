/**
 * What becomes of an account, as pure functions: failed sign-ins, locks, resets, changes of the password, the end (P-71
 * to P-73). Times are Unix milliseconds.
 */
import {
  type AccountRecord,
  type AccountSecret,
  concatBytes,
  equalBytes,
  ProtocolError,
} from "@kerbside/protocol";
import { PASSWORDS_KEPT, splitHashes } from "./passwords.ts";

/** P-71: more failures in a row lock the account, for so long. */
export const FAILURES_MAX = 5;
export const LOCK_MS = 300_000;
/** P-72: how long a reset may take; a configuration must lie within. */
export const RESET_MS = { min: 900_000, default: 1_800_000, max: 3_600_000 } as const;
/** P-72: after so many wrong answers the account is locked for good. */
export const RESET_FAILURES_MAX = 4;

/** An account with its secret opened. */
export type Account = Omit<AccountRecord, "secret" | "version"> & {
  readonly secret: AccountSecret;
};
export type Standing = "open" | "locked" | "locked-for-good" | "closed";

/** A lock that is over is none; who was suspended is out as after the end of the account (P-81). */
export function standingOf(
  { state, isPersonGone }: Pick<AccountRecord, "state" | "isPersonGone">,
  nowMs: number,
): Standing {
  if (isPersonGone === true) return "closed";
  return state.at === "locked" && nowMs >= state.untilMs ? "open" : state.at;
}

/** Whether a token or session that began then is still good. Tokens count whole seconds, so a doubtful one is not. */
export function isAlive(
  account: Pick<AccountRecord, "state" | "isPersonGone" | "tokensAfterMs">,
  beganAtMs: number,
  nowMs: number,
): boolean {
  return standingOf(account, nowMs) === "open" && beganAtMs > account.tokensAfterMs;
}

/**
 * A wrong password. The lock ends live tokens and sessions too. Undefined where the account is not open: it may have been
 * locked or closed while the password was looked at, and stays so.
 */
export function afterFailure(account: Account, nowMs: number): Account | undefined {
  if (standingOf(account, nowMs) !== "open") return undefined;
  const fresh = account.state.at === "locked" ? 0 : account.secret.failures;
  const failures = fresh + 1;
  const secret = { ...account.secret, failures };
  if (failures <= FAILURES_MAX) return { ...account, state: { at: "open" }, secret };
  const state = { at: "locked", untilMs: nowMs + LOCK_MS } as const;
  return { ...account, state, tokensAfterMs: nowMs, secret };
}

/** Of an account that is open: what a right password changes that must be kept, if anything. */
export function afterSuccess(account: Account): Account | undefined {
  if (account.secret.failures === 0 && account.state.at === "open") return undefined;
  return { ...account, state: { at: "open" }, secret: { ...account.secret, failures: 0 } };
}

export function lockedForGood(account: Account, nowMs: number): Account {
  refuseClosed(account);
  return {
    ...account,
    state: { at: "locked-for-good" },
    tokensAfterMs: nowMs,
    secret: withoutReset(account.secret),
  };
}

/** By an operator, of a lock of either kind. */
export function unlocked(account: Account): Account {
  refuseClosed(account);
  return { ...account, state: { at: "open" }, secret: { ...account.secret, failures: 0 } };
}

/** P-73: at once and for good. */
export function closed(account: Account, nowMs: number): Account {
  const secret = { user: "", passwords: new Uint8Array(), failures: 0 };
  return { ...account, state: { at: "closed" }, tokensAfterMs: nowMs, secret };
}

/** Sessions and tokens of the password before are over. */
export function withPassword(account: Account, hash: Uint8Array, nowMs: number): Account {
  refuseClosed(account);
  const kept = [hash, ...splitHashes(account.secret.passwords)].slice(0, PASSWORDS_KEPT);
  const secret = { ...withoutReset(account.secret), passwords: concatBytes(...kept), failures: 0 };
  return { ...account, tokensAfterMs: nowMs, secret };
}

/** Wrong answers to the resets before count on: only a new password or an operator ends that. */
export function withReset(account: Account, resetHash: Uint8Array, untilMs: number): Account {
  const secret = { ...account.secret, resetHash, resetUntilMs: untilMs };
  return { ...account, secret };
}

/** Whether this is the secret of the reset that is under way, within its time. */
export function isReset(account: Account, hash: Uint8Array, nowMs: number): boolean {
  const { resetHash, resetUntilMs = 0 } = account.secret;
  const standing = standingOf(account, nowMs);
  const usable = standing === "open" || standing === "locked";
  return usable && resetHash !== undefined && equalBytes(resetHash, hash) && nowMs < resetUntilMs;
}

/** A wrong answer; the last one locks the account for good. */
export function afterWrongAnswer(account: Account, nowMs: number): Account {
  const resetFailures = (account.secret.resetFailures ?? 0) + 1;
  if (resetFailures >= RESET_FAILURES_MAX) return lockedForGood(account, nowMs);
  return { ...account, secret: { ...account.secret, resetFailures } };
}

function withoutReset(secret: AccountSecret): AccountSecret {
  const { resetHash, resetUntilMs, resetFailures, ...kept } = secret;
  return kept;
}

function refuseClosed({ state }: Account): void {
  if (state.at === "closed") throw new ProtocolError("conflict", "account: is closed, for good");
}
