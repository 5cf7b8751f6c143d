/**
 * The life of a command as a pure core: accepted (→ waking) → signed → sent → received (→ armed) → executed | refused |
 * expired | unknown | failed | cancelled. `failed` says that nothing was done for certain, `unknown` that it may have been; only a
 * signed result, however late, takes a command out of `unknown`; or out of `failed`, where a car that was thought to be
 * out of reach has heard it all the same.
 */
import {
  type CommandRecord,
  type CommandResult,
  type CommandState,
  type ErrorCode,
  equalBytes,
} from "@kerbside/protocol";

/** How often one request may be signed: once, and once more if the car has begun a new session meanwhile. */
export const SIGNINGS_MAX = 2;

/** What the core needs to know of a command; all of it is in the store, so a restart loses nothing. */
export type Life = {
  readonly state: CommandState;
  readonly requestHash?: Uint8Array;
  readonly signings: number;
  /** Whether a signed final result is recorded. */
  readonly answered: boolean;
};

type WayEvent =
  /** The car sleeps and is being woken. */
  | { readonly kind: "waking" }
  /** The caller takes it back before it was signed. */
  | { readonly kind: "cancelled" }
  | { readonly kind: "signed"; readonly requestHash: Uint8Array }
  | { readonly kind: "sent" }
  /** It is certain that nothing reached the car, or that the car did nothing. */
  | { readonly kind: "not_done"; readonly code: ErrorCode }
  /** The way to the car broke while sending. */
  | { readonly kind: "doubtful" }
  | { readonly kind: "deadline" };
/** A result that verified under the car's key. `newerSession`: the car has announced another epoch since. */
type ResultEvent = {
  readonly kind: "result";
  readonly result: CommandResult;
  readonly newerSession: boolean;
};
export type LifeEvent = WayEvent | ResultEvent;

export type LifeChange = Pick<CommandRecord, "state"> &
  Partial<Pick<CommandRecord, "requestHash" | "result" | "error" | "deadlineMs">>;
export type LifeStep =
  | { readonly kind: "step"; readonly change: LifeChange }
  /** Sign once more with the newer session and send again; nothing is recorded yet. */
  | { readonly kind: "resign" }
  | { readonly kind: "ignore"; readonly why: string };

/** Whether nothing more will come of it but, for `unknown`, a late signed result. */
export function isFinal(state: CommandState): boolean {
  switch (state) {
    case "accepted":
    case "signed":
    case "sent":
    case "received":
    case "armed":
    case "waking":
      return false;
    case "executed":
    case "refused":
    case "expired":
    case "unknown":
    case "failed":
    case "cancelled":
      return true;
  }
}

export function lifeOf(record: CommandRecord): Life {
  const signings = record.steps.filter((step) => step.state === "signed").length;
  const life = { state: record.state, signings, answered: record.result !== undefined };
  return record.requestHash === undefined ? life : { ...life, requestHash: record.requestHash };
}

/** What was never signed was never sent. */
const neverSigned = (state: CommandState): boolean => state === "accepted" || state === "waking";
const ignore = (why: string): LifeStep => ({ kind: "ignore", why });
const step = (change: LifeChange): LifeStep => ({ kind: "step", change });

/** What an event makes of a command. */
export function next(life: Life, event: LifeEvent): LifeStep {
  return event.kind === "result" ? byResult(life, event) : onTheWay(life, event);
}

function onTheWay(life: Life, event: WayEvent): LifeStep {
  if (isFinal(life.state)) return ignore(`it is ${life.state} already`);
  switch (event.kind) {
    case "waking":
      return life.state === "accepted"
        ? step({ state: "waking" })
        : ignore(`it is ${life.state} already`);
    case "cancelled":
      return neverSigned(life.state)
        ? step({ state: "cancelled" })
        : ignore(`it is ${life.state} already`);
    case "signed":
      return life.signings < SIGNINGS_MAX
        ? step({ state: "signed", requestHash: event.requestHash })
        : ignore(`it was signed ${SIGNINGS_MAX} times`);
    case "sent":
      return life.state === "signed" ? step({ state: "sent" }) : ignore(`it is ${life.state}`);
    case "not_done":
      return step({ state: "failed", error: event.code });
    case "doubtful":
      return step({ state: "unknown", error: "unknown_outcome" });
    case "deadline":
      // What was never signed was never sent; a signed one may have been, just before a crash.
      return neverSigned(life.state)
        ? step({ state: "failed", error: "unavailable" })
        : step({ state: "unknown", error: "unknown_outcome" });
  }
}

function byResult(life: Life, { result, newerSession }: ResultEvent): LifeStep {
  if (life.requestHash === undefined || !equalBytes(life.requestHash, result.requestHash)) {
    return ignore("it answers another request");
  }
  const open = !isFinal(life.state) || life.state === "unknown";
  const unheard = life.state === "failed" && !life.answered;
  if (!open && !unheard) return ignore(`it is ${life.state} already`);
  switch (result.status) {
    case "received":
      return life.state === "signed" || life.state === "sent"
        ? step({ state: "received" })
        : ignore(`it is ${life.state} already`);
    case "armed":
      // It waits on the car until that stands; only another result of the car's ends it.
      return life.state === "unknown" || life.state === "failed" || life.state === "armed"
        ? ignore(`it is ${life.state} already`)
        : step({ state: "armed" });
    case "executed":
      return step({ state: "executed", result });
    case "refused":
      return step({ state: "refused", result, error: "refused" });
    case "expired":
      return step({ state: "expired", result, error: "expired" });
    case "unknown":
      return life.answered
        ? ignore("it was answered so already")
        : step({ state: "unknown", result, error: "unknown_outcome" });
    case "stale_session":
      if (life.state === "failed") return ignore("it is failed already");
      return newerSession && life.signings < SIGNINGS_MAX && life.state !== "unknown"
        ? { kind: "resign" }
        : step({ state: "failed", result, error: "stale_session" });
  }
}
