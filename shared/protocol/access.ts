/**
 * Access that somebody else must agree to (P-23, P-60, P-61, P-62): asked for with a reason, approved by another person,
 * for a bounded time, and recorded at each step and each use. The rules are pure; engines keep the records.
 */
import { ProtocolError } from "./errors.ts";
import type { AuditEntry } from "./store.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** What can be asked for; how long an approval may last, and how long a request may wait for one. */
export const ACCESS_KINDS = {
  support: { lifeMsMax: DAY_MS, waitMsMax: 7 * DAY_MS, doc: "a support person's query (P-61)" },
  secret: {
    lifeMsMax: 15 * MINUTE_MS,
    waitMsMax: DAY_MS,
    doc: "a read of a Restricted secret (P-23)",
  },
  "tenant-key": {
    lifeMsMax: 7 * DAY_MS,
    waitMsMax: 7 * DAY_MS,
    doc: "a read-only key to the tenant's own data (P-60)",
  },
  credential: {
    lifeMsMax: 90 * DAY_MS,
    waitMsMax: 7 * DAY_MS,
    doc: "a person's own database credential (P-62)",
  },
} as const satisfies Readonly<
  Record<string, { lifeMsMax: number; waitMsMax: number; doc: string }>
>;
export type AccessKind = keyof typeof ACCESS_KINDS;

export type AccessState =
  | { readonly at: "asked" }
  | { readonly at: "approved"; readonly by: string; readonly untilMs: number }
  | { readonly at: "refused"; readonly by: string }
  | { readonly at: "ended"; readonly by: string };

export type AccessRequest = {
  readonly id: string;
  readonly kind: AccessKind;
  /** Of what: a vehicle, a secret's name, `tenant`. */
  readonly subject: string;
  /** The ticket that it is for, where the kind takes one. */
  readonly ticket?: string;
  readonly reason: string;
  readonly askedBy: string;
  readonly askedAtMs: number;
  /** For so long once it is approved. */
  readonly lifeMs: number;
  readonly state: AccessState;
  /** SHA-256 of what is shown to use it, where it is not a person who does. */
  readonly secretHash?: Uint8Array;
};

/** A question of the tenant's own, which support answers. */
export type Ticket = {
  readonly id: string;
  /** The tenant's verified contact. */
  readonly openedBy: string;
  readonly words: string;
  readonly openedAtMs: number;
  readonly closedAtMs?: number;
};

export type AccessStore = {
  readonly openTicket: (ticket: Ticket, audit: AuditEntry) => Promise<void>;
  /** Ends what was approved for it as well. */
  readonly closeTicket: (ticket: string, audit: AuditEntry) => Promise<void>;
  readonly tickets: () => Promise<readonly Ticket[]>;
  /** Throws what `checkAsked` throws. */
  readonly ask: (request: AccessRequest, audit: AuditEntry) => Promise<void>;
  /** Throws what `decide` throws. */
  readonly decide: (
    id: string,
    by: string,
    decision: "approve" | "refuse" | "end",
    audit: AuditEntry,
    secretHash?: Uint8Array,
  ) => Promise<AccessRequest>;
  readonly request: (id: string) => Promise<AccessRequest | undefined>;
  /** Newest first. */
  readonly requests: (limit: number) => Promise<readonly AccessRequest[]>;
  /** Records a use before it happens. Throws what `checkUse` throws. */
  readonly use: (id: string, by: string, audit: AuditEntry) => Promise<AccessRequest>;
};

const forbidden = (words: string): ProtocolError =>
  new ProtocolError("forbidden", `access: ${words}`);

/** Throws ProtocolError `malformed` or `forbidden`. */
export function checkAsked(request: AccessRequest, ticket: Ticket | undefined): void {
  const { lifeMsMax } = ACCESS_KINDS[request.kind];
  if (!(request.lifeMs > 0 && request.lifeMs <= lifeMsMax))
    throw new ProtocolError(
      "malformed",
      `access: expected at most ${lifeMsMax / MINUTE_MS} minutes`,
    );
  if (request.reason.trim() === "")
    throw new ProtocolError("malformed", "access: expected a reason");
  if (request.kind !== "support") return;
  if (ticket === undefined || ticket.closedAtMs !== undefined)
    throw forbidden("expected an open ticket of the tenant's contact");
  if (ticket.openedBy === request.askedBy) throw forbidden("the ticket is one's own");
}

/** What a decision makes of a request. Throws ProtocolError `conflict`, or `forbidden` where it is one's own. */
export function decideAccess(
  request: AccessRequest,
  by: string,
  decision: "approve" | "refuse" | "end",
  nowMs: number,
): AccessState {
  const { state, askedBy, askedAtMs, kind, lifeMs } = request;
  if (decision === "end") {
    if (state.at !== "asked" && state.at !== "approved")
      throw new ProtocolError("conflict", "access: is over already");
    return { at: "ended", by };
  }
  if (state.at !== "asked") throw new ProtocolError("conflict", "access: was decided already");
  if (by === askedBy) throw forbidden("nobody decides about what they asked for");
  if (decision === "refuse") return { at: "refused", by };
  if (nowMs >= askedAtMs + ACCESS_KINDS[kind].waitMsMax)
    throw new ProtocolError("conflict", "access: was asked for too long ago; ask again");
  return { at: "approved", by, untilMs: nowMs + lifeMs };
}

/** Throws ProtocolError `forbidden` unless it was approved for this person and its time is not over. */
export function checkUse(
  { state, askedBy }: AccessRequest,
  ticket: Ticket | undefined,
  by: string,
  nowMs: number,
): void {
  if (by !== askedBy) throw forbidden("is another person's");
  if (state.at !== "approved") throw forbidden("is not approved");
  if (nowMs >= state.untilMs) throw forbidden("its time is over");
  if (ticket?.closedAtMs !== undefined) throw forbidden("its ticket is closed");
}
