/**
 * A route of the API as a row: path, scope, what is asked and answered, and what it does. Authentication, scopes, the
 * wall between tenants, audit of reads, problems and documentation follow from the row.
 */
import {
  type Caller,
  type Clock,
  type Log,
  ProtocolError,
  type TenantStore,
  type VehicleId,
  vehicleId,
} from "@kerbside/protocol";
import type { FastifyReply } from "fastify";
import type { TSchema } from "typebox";
import type { ArtefactService } from "../artefacts.ts";
import type { BookingService } from "../bookings.ts";
import type { CloudTenant } from "../cloud-tenant.ts";
import type { GrantService } from "../grants.ts";
import type { CommandParts, CommandService } from "../service.ts";
import type { SignerClient } from "../signer/client.ts";
import type { Asker } from "../signer/request-signature.ts";
import type { TenantTools } from "../tenant-tools.ts";
import { LIMIT_MAX, type Query, type QueryName, WAIT_MS_MAX } from "./schemas.ts";

/** Every scope there is, and what it is for. */
export const SCOPES = {
  "vehicles:read": "see the cars and whether they are connected",
  "events:read": "read events and the latest state, positions included",
  "bookings:read": "see bookings",
  "bookings:write": "make, end and cancel bookings",
  "commands:read": "see commands and what became of them",
  "commands:write": "lock and unlock for a booking",
  "commands:operate": "lock and unlock without a booking, as the operator's own staff",
  "feed:read": "follow what changes (ids only)",
  "webhooks:read": "see which addresses are told what changes",
  "webhooks:write": "have addresses told what changes, and make their secrets",
  "artefacts:read": "see what is published for cars, and which cars have it",
  "artefacts:write": "publish schemes, profiles, rental policies and flows for cars",
  "request-keys:read": "see which public keys callers sign with",
  "request-keys:revoke": "take back a key that a caller signs with",
  self: "see and change what is kept of oneself",
  "people:read": "see people and what they agreed to",
  "people:write": "make and change people, their cards and consents",
  "payments:write": "have people enter cards at the payment provider, and charge them",
  "people:erase": "suspend and erase people, and hold what must not be erased",
  "files:read": "see photos, documents and diagnostic bundles",
  "files:write": "add and remove them",
  "privacy:write":
    "say how exactly and how long data of cars is kept, and whose cars are a person's",
  "analytics:read": "see how much there was in a month, of many together",
  "accounts:write": "make, lock, unlock and close accounts",
  "support:ticket": "open and close tickets, as the tenant's contact",
  "support:request": "ask for access to a tenant's data, by ticket",
  "support:approve": "approve or refuse such access",
  "support:query": "read what an approved ticket allows",
  "audit:read": "read who did what",
  "quarantine:read": "see what was put aside of what cars sent, and why",
  "quarantine:redrive": "hand in again what was put aside",
  "platform:admin": "run the platform: order its tenants, and bound and remove them",
  "platform:metrics": "read the platform's metrics",
} as const;
export type Scope = keyof typeof SCOPES;

export type ApiParts = {
  readonly tenant: (id: Caller["tenant"]) => Promise<CloudTenant | undefined>;
  readonly connected?: CommandParts["connected"];
  /** What staff's pages need beyond the store's contract; where there is none, they answer `unavailable`. */
  readonly tools?: (id: Caller["tenant"]) => Promise<TenantTools | undefined>;
  readonly commands: CommandService;
  readonly bookings: BookingService;
  readonly grants: GrantService;
  readonly artefacts: ArtefactService;
  readonly signer: Pick<SignerClient, "requestKeys" | "revokeRequestKey">;
  /** Refuses addresses that webhooks may not have, with `malformed`. */
  readonly webhookAddress?: (url: URL) => void;
  readonly clock: Clock;
  readonly log: Log;
};

/** How many streams may be open; see the feed. */
export type StreamGate = {
  readonly enter: (tenant: string) => void;
  readonly leave: (tenant: string) => void;
};

/** One call, authenticated, of the tenant's own caller. */
export type Call = {
  readonly parts: ApiParts;
  readonly caller: Asker;
  readonly store: TenantStore;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  /** Validated by the row's schema. */
  readonly body: unknown;
  readonly idempotencyKey: string;
  /** The address the request came from, for the audit. */
  readonly from: string;
  /** Ends when the caller goes away or the server closes. */
  readonly signal: AbortSignal;
  /** Whether the token still lets in: its account may be locked meanwhile (P-71). Never rejects. */
  readonly stillIn: () => Promise<boolean>;
  readonly accepts: string;
  readonly lastEventId: string | undefined;
  readonly streams: StreamGate;
  readonly reply: FastifyReply;
};
export type Answer =
  | { readonly status: number; readonly body: unknown; readonly location?: string }
  /** The reply was taken over and has been answered. */
  | "taken";

export type Route = {
  readonly method: "GET" | "POST" | "PUT" | "PATCH";
  /** Under `/v1/tenants/:tenant`. */
  readonly path: string;
  readonly operation: string;
  readonly summary: string;
  /** One of these is needed. */
  readonly scopes: readonly Scope[];
  readonly tag:
    | "vehicles"
    | "events"
    | "bookings"
    | "commands"
    | "feed"
    | "audit"
    | "people"
    | "quarantine"
    | "me"
    | "support"
    | "files"
    | "artefacts"
    | "keys"
    | "webhooks"
    | "analytics";
  readonly query?: readonly QueryName[];
  readonly body?: TSchema;
  /** The types of a body that is no JSON; it is handed over as bytes. */
  readonly takes?: readonly string[];
  /** Where it may be longer than others. */
  readonly bodyBytesMax?: number;
  /** An Idempotency-Key is needed. */
  readonly once?: boolean;
  /** Answers personal data, so each read is audited before it is answered (P-52). */
  readonly personal?: boolean;
  readonly answers: Readonly<Record<number, TSchema>>;
  readonly handle: (call: Call) => Promise<Answer>;
};

/** Throws ProtocolError `not_found` where it cannot be a vehicle. */
export function vehicleParam(call: Call): VehicleId {
  try {
    return vehicleId(call.params["vehicle"]);
  } catch (cause) {
    throw new ProtocolError("not_found", "vehicle: there is none such", { cause });
  }
}

const LIMIT_DEFAULT = 100;
/** Throws ProtocolError `malformed`. */
export function limitOf(query: Query): number {
  return numberOf("limit", query.limit, LIMIT_DEFAULT, 1, LIMIT_MAX);
}
/** Throws ProtocolError `malformed`. */
export function waitOf(query: Query): number {
  return numberOf("wait", query.wait, 0, 0, WAIT_MS_MAX);
}
/** A cursor of the feed. Throws ProtocolError `malformed`. */
export function cursorOf(value: string | undefined): number {
  return numberOf("after", value, 0, 0, Number.MAX_SAFE_INTEGER);
}

function numberOf(
  name: string,
  value: string | undefined,
  otherwise: number,
  min: number,
  max: number,
): number {
  if (value === undefined) return otherwise;
  const number = /^[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= min && number <= max)) {
    throw new ProtocolError("malformed", `${name}: expected a whole number, ${min} to ${max}`);
  }
  return number;
}

/**
 * Unix milliseconds of an ISO 8601 time with an offset; a day that no calendar has is refused and not rolled over.
 * Throws ProtocolError `malformed`.
 */
export function timeOf(name: string, value: string): number {
  const shaped = TIME.exec(value);
  const ms = shaped === null ? Number.NaN : Date.parse(value);
  const [, date = "", hours = ""] = shaped ?? [];
  // What the engine makes of the date alone: 2026-02-30 would have become 2026-03-02.
  const day = shaped === null ? Number.NaN : Date.parse(`${date}T00:00:00Z`);
  const real = ms >= 0 && day >= 0 && new Date(day).toISOString().startsWith(date);
  if (!real || hours === "24") {
    throw new ProtocolError("malformed", `${name}: expected a time like 2026-11-21T08:00:00Z`);
  }
  return ms;
}

const TIME = /^(\d{4}-\d\d-\d\d)T(\d\d):\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;
