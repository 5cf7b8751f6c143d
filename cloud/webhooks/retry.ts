/** What follows from how a delivery went. Pure. */
import type { WebhookSettlement } from "@kerbside/protocol";
import type { Outcome } from "./send.ts";

export type RetryLimits = {
  /** The first pause; each next one is twice as long, to the longest. A tenth more or less by chance. */
  readonly pauseMsFirst: number;
  readonly pauseMsMax: number;
  /** An answer that says no so often makes the batch a dead letter. */
  readonly attemptsMax: number;
  /** A webhook that was not reached for so long is turned off. */
  readonly unreachedMsMax: number;
};

const GONE = 410;
const JITTER = 0.2;

/**
 * Any 2xx is taken. A receiver that answers no may choke on just this batch, so the next one gets its turn after a
 * while; of one that does not answer, nothing is given up until it is turned off as a whole.
 */
export function nextStep(
  limits: RetryLimits,
  at: {
    /** Before this one. */
    readonly attempts: number;
    readonly failingSinceMs: number | undefined;
    readonly nowMs: number;
    /** In [0, 1). */
    readonly fraction: number;
  },
  outcome: Outcome,
): WebhookSettlement {
  if (outcome.at === "answered" && outcome.status >= 200 && outcome.status < 300)
    return { at: "taken" };
  const why = outcome.at === "answered" ? `status ${outcome.status}` : outcome.why;
  if (outcome.at === "answered" && outcome.status === GONE) return { at: "off", off: "gone", why };
  if (outcome.at === "answered" && at.attempts + 1 >= limits.attemptsMax)
    return { at: "dead", why };
  if (at.nowMs - (at.failingSinceMs ?? at.nowMs) >= limits.unreachedMsMax)
    return { at: "off", off: "unreachable", why };
  const asked = outcome.at === "answered" ? (outcome.retryAfterMs ?? 0) : 0;
  const doubled = limits.pauseMsFirst * 2 ** Math.min(at.attempts, 30);
  const pauseMs = Math.min(limits.pauseMsMax, Math.max(doubled, asked));
  const dueMs = at.nowMs + Math.round(pauseMs * (1 - JITTER / 2 + JITTER * at.fraction));
  return { at: "again", dueMs, why };
}
