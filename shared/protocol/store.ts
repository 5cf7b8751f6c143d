/**
 * The tenant's store as the cloud's parts see it, whatever engine keeps it. Each tenant has one of its own (P-10).
 * All writes are durable when they resolve. Errors are ProtocolError `storage_failed`, `conflict` or `not_found`.
 */
import type { AccessStore } from "./access.ts";
import type { LaneMark } from "./acks.ts";
import type { ArtefactKind } from "./artefact.ts";
import type { CheckedColumns } from "./column-check.ts";
import type { Action, CommandResult } from "./commands.ts";
import type { EventData, EventKind } from "./event-kinds.ts";
import type { CarEvent } from "./events.ts";
import type { GrantAction } from "./grants.ts";
import type { TenantId, VehicleId } from "./ids.ts";
import type { Lane } from "./lanes.ts";
import type { FileStore } from "./owned-files.ts";
import type { PaymentDesk } from "./payments.ts";
import type { PeopleStore } from "./people.ts";
import type { PrivacyStore } from "./privacy.ts";
import type { RetentionStore } from "./retention.ts";
import type { Role } from "./roles.ts";
import type { LogOpening, SegmentHeader } from "./segments.ts";
import type { SessionAnnouncement } from "./session.ts";
import type { WebhookStore } from "./webhooks.ts";

export type VehicleRecord = {
  readonly vehicle: VehicleId;
  readonly profile: string;
  /** Ed25519 public key that signs its segments, sessions and results. */
  readonly signingKey: Uint8Array;
  readonly certificateSerial: string;
  /** Of a newer certificate that it was given and has not used yet; the one before is good until then. */
  readonly renewedSerial?: string;
  readonly enrolledAtMs: number;
  readonly revokedAtMs?: number;
};

/** The newest session a car announced. `online` is what the broker's side last said. */
export type SessionRecord = {
  readonly vehicle: VehicleId;
  readonly session: SessionAnnouncement;
  readonly envelope: Uint8Array;
  readonly receivedAtMs: number;
  readonly online: boolean;
  /** It is away because it sleeps, as it said itself, and can be woken. */
  readonly asleep?: boolean;
};

/** A segment that verified and opened. For a `gap` the events are empty and the header says what is missing. */
export type OpenedSegment = {
  readonly header: SegmentHeader;
  readonly headerHash: Uint8Array;
  readonly events: readonly CarEvent[];
  /** In place of `events`, which is empty then. */
  readonly columns?: CheckedColumns;
};

/** `fork`: the same number with another hash is there already; both are kept and an alarm is raised. */
export type SegmentOutcome = "stored" | "duplicate" | "fork";

/** An event as it is read back. `atMs` is Unix time by the car's relation of its clocks. `log` is hexadecimal. */
export type StoredEvent = {
  readonly vehicle: VehicleId;
  readonly log: string;
  readonly lane: Lane;
  readonly seq: number;
  readonly atMs: number;
  readonly kind: EventKind;
  readonly data: unknown;
};

/** Numbers that a car declared as gone, inclusive. */
export type DeclaredGap = {
  readonly vehicle: VehicleId;
  readonly log: string;
  readonly lane: Lane;
  readonly gap: readonly [from: number, to: number];
};

/** Ordered by vehicle, start of log, lane, seq. `after` continues a page. */
export type EventQuery = {
  readonly vehicle?: VehicleId;
  readonly kinds?: readonly EventKind[];
  readonly fromMs?: number;
  readonly toMs?: number;
  readonly after?: string;
  readonly limit: number;
};
export type Page<T> = { readonly items: readonly T[]; readonly next?: string };

/** Trips that ended within a time, ordered by vehicle and end. `after` continues a page. */
export type TripQuery = Pick<EventQuery, "vehicle" | "fromMs" | "toMs" | "after" | "limit">;
/** A trip as the car told of its end, and of its beginning where that came in too. */
export type TripRecord = {
  readonly vehicle: VehicleId;
  /** Hexadecimal; with `seq` where the event of its end stands in the `state` lane. */
  readonly log: string;
  readonly seq: number;
  /** By the event of its beginning, else by its duration. Missing where neither is known any more. */
  readonly startedAtMs?: number;
  readonly endedAtMs: number;
  /** Missing where it did not come in. Both are null where the key that they were sealed under has been destroyed. */
  readonly began?: EventData<"trip.started"> | null;
  readonly ended: EventData<"trip.ended"> | null;
};

export type BookingState = "reserved" | "open" | "ended" | "cancelled";
/** `mac` covers everything else here and can be made by the signer's side only. */
export type BookingRecord = {
  readonly booking: string;
  readonly vehicle: VehicleId;
  /** Opaque id of the person (SPI). */
  readonly holder: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly state: BookingState;
  readonly version: number;
  readonly mac: Uint8Array;
};

/**
 * A right that a booking gives to a card or a phone. `mac` covers everything but itself and `listVersion`, and can be
 * made by the signer's side only.
 */
export type GrantRecord = {
  /** Hexadecimal, 32 digits. */
  readonly grant: string;
  readonly booking: string;
  readonly vehicle: VehicleId;
  /** A `credentialCodec`: kept encrypted under the booking's key. Empty where that was destroyed. */
  readonly credential: Uint8Array;
  readonly actions: readonly GrantAction[];
  readonly state: "active" | "revoked";
  readonly version: number;
  readonly mac: Uint8Array;
  /** The first list of the car that shows it as it is now: once the car confirms that, it is in force there. */
  readonly listVersion?: number;
};

/** The newest grant list of a car, as it is pushed. */
export type GrantListRecord = {
  readonly vehicle: VehicleId;
  readonly version: number;
  /** SHA-256 of its grants: a list that would say the same is not made. */
  readonly digest: Uint8Array;
  /** Hexadecimal ids of the grants in it. */
  readonly grants: readonly string[];
  /** Hexadecimal ids of those whose entry differs from the list before, left out ones included. */
  readonly changed: readonly string[];
  /** Signed, and sealed to the car. */
  readonly sealed: Uint8Array;
};

/** What a tenant has published: the newest version of each kind and name. */
export type ArtefactHead = {
  readonly kind: ArtefactKind;
  readonly name: string;
  readonly version: number;
  /** The manifest as the signer signed it. */
  readonly envelope: Uint8Array;
  /** For these cars; for all that can take it where it is missing. */
  readonly vehicles?: readonly VehicleId[];
  readonly publishedAtMs: number;
};
export type ArtefactRecord = ArtefactHead & { readonly content: Uint8Array };

export const COMMAND_STATES = [
  "accepted",
  "signed",
  "sent",
  "received",
  "executed",
  "refused",
  "expired",
  "unknown",
  "failed",
  "armed",
  "waking",
  "cancelled",
] as const;
export type CommandState = (typeof COMMAND_STATES)[number];

export type CommandRecord = {
  /** Hexadecimal, 32 digits. */
  readonly id: string;
  readonly vehicle: VehicleId;
  readonly action: Action;
  readonly booking?: string;
  readonly requestedBy: string;
  readonly idempotencyKey: string;
  /** SHA-256 of the request's body: the same key with another body is a conflict. */
  readonly requestDigest: string;
  readonly state: CommandState;
  readonly steps: readonly { readonly state: CommandState; readonly atMs: number }[];
  /** Unix time after which an unanswered command is `unknown`. */
  readonly deadlineMs: number;
  readonly requestHash?: Uint8Array;
  /** The signer's, over what was asked and the hash of what it signed for it. */
  readonly requestSeal?: Uint8Array;
  readonly result?: CommandResult;
  /** A code of the table of errors, for `failed`. */
  readonly error?: string;
};

/** Commands of all cars that were asked for within a time, inclusive, in that order. `after` continues a page. */
export type CommandQuery = Required<Pick<EventQuery, "fromMs" | "toMs" | "limit">> &
  Pick<EventQuery, "after">;

/** What a step changes of a command. */
export type CommandChange = Pick<CommandRecord, "state"> &
  Partial<Pick<CommandRecord, "requestHash" | "requestSeal" | "result" | "error" | "deadlineMs">>;
/** A step and the moment it was taken, Unix time. */
export type CommandStep = {
  readonly change: CommandChange;
  readonly atMs: number;
  readonly audit: AuditEntry;
};

export const FEED_TOPICS = ["vehicle", "booking", "command", "events"] as const;
/** Ids only (P-33). `cursor` rises in the order of commits. */
export type FeedEntry = {
  readonly cursor: number;
  readonly atMs: number;
  readonly topic: (typeof FEED_TOPICS)[number];
  readonly id: string;
};

export type AuditEntry = {
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly outcome: "asked" | "done" | "refused" | "failed";
  readonly reason?: string;
  readonly from?: string;
};

export type QuarantineEntry = {
  readonly vehicle?: VehicleId;
  readonly reason: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Of what it is: of one car the same is kept once. */
  readonly digest?: Uint8Array;
  /** The car will be told that it may forget this: it gives way to nothing, and is refused where there is no room. */
  readonly isOnlyCopy?: boolean;
};
/** `isKept` too where the same was kept before. `gaveWay`: how many others are gone for it, of which cars have copies. */
export type Quarantining = { readonly isKept: boolean; readonly gaveWay: number };

/** Whose key encrypts a personal field (P-31). */
export type Subject =
  | `person:${string}`
  | `booking:${string}`
  | `vehicle:${string}`
  /** A copy that a legal hold keeps (P-82). */
  | `hold:${string}`;
/** Keys of subjects, made on first use, wrapped by the tenant vault's transit key, destroyed for good. */
export type SubjectKeys = {
  readonly seal: (subject: Subject, plain: Uint8Array, bound: Uint8Array) => Promise<Uint8Array>;
  /** Throws ProtocolError `not_found` where the key was destroyed, `unauthenticated` where it does not open. */
  readonly open: (subject: Subject, sealed: Uint8Array, bound: Uint8Array) => Promise<Uint8Array>;
  readonly destroy: (subject: Subject) => Promise<void>;
};

export type TenantStore = {
  readonly tenant: TenantId;
  readonly subjectKeys: SubjectKeys;
  readonly people: PeopleStore;
  readonly payments: PaymentDesk;
  readonly access: AccessStore;
  readonly webhooks: WebhookStore;
  readonly files: FileStore;
  readonly privacy: PrivacyStore;
  readonly retention: RetentionStore;

  readonly putVehicle: (record: VehicleRecord, audit: AuditEntry) => Promise<void>;
  readonly vehicle: (vehicle: VehicleId) => Promise<VehicleRecord | undefined>;
  /**
   * The car has shown the certificate `presented`, which becomes the one that counts, and is given `next` where there is
   * one. Says whether it was: not where the car was revoked meanwhile, or that certificate is none of its own any more.
   */
  readonly putCertificate: (
    vehicle: VehicleId,
    presented: string,
    next: string | undefined,
    audit: AuditEntry,
  ) => Promise<boolean>;
  readonly vehicles: () => Promise<readonly VehicleRecord[]>;

  /** Remembers the opening of a log; the same again does nothing, another one for that log is a `conflict`. */
  readonly putOpening: (opening: LogOpening) => Promise<void>;
  readonly opening: (vehicle: VehicleId, log: Uint8Array) => Promise<LogOpening | undefined>;
  /** Events, marks, latest state and feed in one transaction; exactly once by (vehicle, log, lane, number, hash). */
  readonly commitSegments: (
    segments: readonly OpenedSegment[],
  ) => Promise<readonly SegmentOutcome[]>;
  readonly marks: (vehicle: VehicleId, log: Uint8Array) => Promise<readonly LaneMark[]>;
  readonly quarantine: (entry: QuarantineEntry) => Promise<Quarantining>;

  readonly events: (query: EventQuery) => Promise<Page<StoredEvent | DeclaredGap>>;
  /** The newest event of each kind of a vehicle. */
  readonly latest: (vehicle: VehicleId) => Promise<readonly StoredEvent[]>;
  /** As `latest`, of many vehicles at once: one of which nothing is stored is left out. */
  readonly latestOf: (
    vehicles: readonly VehicleId[],
  ) => Promise<ReadonlyMap<VehicleId, readonly StoredEvent[]>>;
  readonly trips: (query: TripQuery) => Promise<Page<TripRecord>>;

  readonly putSession: (record: SessionRecord) => Promise<void>;
  readonly session: (vehicle: VehicleId) => Promise<SessionRecord | undefined>;
  /** Marks the car as away if `epoch` is still its newest; says whether it was. */
  readonly sessionGone: (
    vehicle: VehicleId,
    epoch: Uint8Array,
    asleep?: boolean,
  ) => Promise<boolean>;

  /** Writes the booking if the stored version is `record.version - 1` (none for 1); else `conflict`. */
  readonly putBooking: (record: BookingRecord, audit: AuditEntry) => Promise<void>;
  readonly booking: (booking: string) => Promise<BookingRecord | undefined>;
  readonly bookings: (vehicle?: VehicleId) => Promise<readonly BookingRecord[]>;

  /** Writes the grant if the stored version is `record.version - 1` (none for 1); else `conflict`. */
  readonly putGrant: (record: GrantRecord, audit: AuditEntry) => Promise<void>;
  readonly grant: (grant: string) => Promise<GrantRecord | undefined>;
  readonly grants: (vehicle: VehicleId) => Promise<readonly GrantRecord[]>;
  /** Writes the list if its version is above the stored one, and marks what it changed; else `conflict`. */
  readonly putGrantList: (record: GrantListRecord, audit: AuditEntry) => Promise<void>;
  readonly grantList: (vehicle: VehicleId) => Promise<GrantListRecord | undefined>;

  /** Writes the artefact if its version is above the stored one of its kind and name; else `conflict`. */
  readonly putArtefact: (record: ArtefactRecord, audit: AuditEntry) => Promise<void>;
  readonly artefact: (kind: ArtefactKind, name: string) => Promise<ArtefactRecord | undefined>;
  readonly artefacts: () => Promise<readonly ArtefactHead[]>;

  /** Creates a command; if its idempotency key (of the same requester) is taken, returns the one that is there. */
  readonly createCommand: (record: CommandRecord, audit: AuditEntry) => Promise<CommandRecord>;
  readonly command: (id: string) => Promise<CommandRecord | undefined>;
  readonly commands: (vehicle: VehicleId, limit: number) => Promise<readonly CommandRecord[]>;
  readonly commandsWithin: (query: CommandQuery) => Promise<Page<CommandRecord>>;
  /**
   * Appends steps, all in one commit, each where it may be taken: final states are never left, except `unknown` by a
   * later signed result. Returns what is stored then.
   */
  readonly stepCommand: (id: string, steps: readonly CommandStep[]) => Promise<CommandRecord>;
  /**
   * The signing of a command, in one commit: the next value of its vehicle's counter, the step `signed` with the hash
   * and the seal that `sign` makes of that value, and `audit`. The counter is never the same twice, whoever asks, and at least the
   * Unix time in ms, so that a store restored from a backup is not behind what the car has taken. `sign` has no effect
   * of its own. Rejects with `not_found`, or `conflict` where the command has ended; then nothing has changed. The
   * audit's head is anchored right after, and at the latest with the command's end.
   */
  readonly signCommand: (
    id: string,
    audit: AuditEntry,
    sign: (counter: number) => Pick<Required<CommandRecord>, "requestHash" | "requestSeal">,
  ) => Promise<void>;

  readonly feed: (after: number, limit: number) => Promise<readonly FeedEntry[]>;
  /**
   * Durable when it resolves. Its head is anchored by then too, or, with `soon`, within a second: for what changes
   * nothing, such as reads (P-51, P-52).
   */
  readonly audit: (entry: AuditEntry, anchored?: "now" | "soon") => Promise<void>;
  readonly auditTrail: (
    after: number,
    limit: number,
  ) => Promise<readonly (AuditEntry & { readonly seq: number; readonly atMs: number })[]>;
  readonly close: () => Promise<void>;
};

/** A tenant's secrets (P-11). Names are paths such as `command/1`; each secret is bound to tenant, name and version. */
export type Vault = {
  readonly get: (name: string) => Promise<Uint8Array | undefined>;
  readonly put: (name: string, secret: Uint8Array) => Promise<void>;
  readonly names: () => Promise<readonly string[]>;
};

/** Speeds things up, and nothing else: keys are tenant-prefixed, values expire, losing all of it costs speed (P-13). */
export type Cache = {
  readonly get: (tenant: TenantId, key: string) => Promise<Uint8Array | undefined>;
  readonly set: (tenant: TenantId, key: string, value: Uint8Array, lifeMs: number) => Promise<void>;
  readonly delete: (tenant: TenantId, key: string) => Promise<void>;
};

/** Who calls, as the token proves it (P-02). Scopes are rows of the API's table. */
export type Caller = {
  readonly subject: string;
  readonly tenant: TenantId;
  readonly scopes: ReadonlySet<string>;
  readonly token: string;
  /** Unix time in whole seconds, as tokens have it. */
  readonly issuedAtMs?: number;
  readonly expiresAtMs: number;
  /** Of a person's account; a client has none. */
  readonly role?: Role;
};
/** Checks signature, issuer, audience, expiry and claims. Throws ProtocolError `unauthenticated`. */
export type TokenVerifier = (token: string) => Promise<Caller>;
