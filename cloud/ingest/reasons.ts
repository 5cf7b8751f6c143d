import { type ErrorCode, ProtocolError } from "@kerbside/protocol";

/** Failures of the message itself; whatever else goes wrong is ours, and the message is to come again. */
const OWN_FAILURES: ReadonlySet<ErrorCode> = new Set([
  "malformed",
  "unauthenticated",
  "conflict",
  "limit_reached",
]);

/** Why a message is put aside. Throws the error again where that is no reason to. */
export function reasonOf(error: unknown): string {
  if (error instanceof ProtocolError && OWN_FAILURES.has(error.code)) return error.message;
  throw error;
}
