/**
 * Webhooks: addresses of a tenant that are told what changed, as ids only (P-33). What is told is the feed, in batches;
 * each batch lies in the store from before it is sent until it was taken, so that no crash loses one.
 */
import { ProtocolError } from "./errors.ts";
import type { AuditEntry, FeedEntry } from "./store.ts";

/** A tenant's webhooks. */
export const WEBHOOKS_MAX = 16;
/** Entries of the feed in one message. */
export const WEBHOOK_BATCH_MAX = 100;
/** Batches of one webhook that nobody took; at so many it is turned off, and the rest waits in the feed. */
export const WEBHOOK_DEAD_MAX = 100;
export const WEBHOOK_URL_CHARS_MAX = 512;
/** How long the secret before is signed with too, so that receivers can change over. */
export const WEBHOOK_OVERLAP_MS = 86_400_000;

export type FeedTopic = FeedEntry["topic"];
/** Why nothing is sent: somebody asked so, it answered 410, it was not reached for long, too much was not taken. */
export type WebhookOff = "asked" | "gone" | "unreachable" | "full";
export type WebhookState =
  | { readonly at: "on" }
  | { readonly at: "off"; readonly why: WebhookOff; readonly sinceMs: number };

export type WebhookRecord = {
  /** UUIDv4. */
  readonly id: string;
  readonly url: string;
  /** Only these; all where there is none. */
  readonly topics: readonly FeedTopic[];
  readonly state: WebhookState;
  readonly madeAtMs: number;
  /** Rises with each new secret, from 1. */
  readonly secretVersion: number;
  /** The secret before is signed with until then, Unix time. */
  readonly overlapUntilMs?: number;
  /** Nothing was taken since then, Unix time. */
  readonly failingSinceMs?: number;
  /** What the feed has up to here was taken, or lies in a batch. */
  readonly cursor: number;
};
export type NewWebhook = Pick<WebhookRecord, "id" | "url" | "topics">;
export type WebhookChange = Partial<Pick<WebhookRecord, "url" | "topics">> & {
  /** On again: it goes on where it stopped. */
  readonly on?: boolean;
};

/** `first` and `last` are cursors of the feed, inclusive; they name the message, however often it is sent. */
export type WebhookBatch = {
  readonly id: number;
  readonly first: number;
  readonly last: number;
  /** How often it was begun to be sent, also by a process that died over it: never less than was sent. */
  readonly attempts: number;
  /** Why it was not taken, so far: a status or a code. */
  readonly why?: string;
};
/** How deliveries of a webhook go. */
export type WebhookStanding = {
  /** Batches that nobody took. */
  readonly dead: number;
  /** Of those that are still to be taken, the first in the feed's order. */
  readonly waiting?: Pick<WebhookBatch, "attempts" | "why"> & {
    /** Unix time of the next try. */
    readonly dueMs: number;
  };
};
export type WebhookDelivery = {
  readonly webhook: WebhookRecord;
  readonly batch: WebhookBatch;
  readonly entries: readonly FeedEntry[];
  /** To sign with: the newest, and the one before while both are good. */
  readonly secrets: readonly Uint8Array[];
};
export type WebhookSettlement =
  | { readonly at: "taken" }
  | { readonly at: "again"; readonly dueMs: number; readonly why: string }
  | { readonly at: "dead"; readonly why: string }
  /** The batch stays, for when it is on again. */
  | { readonly at: "off"; readonly off: WebhookOff; readonly why: string };

export type WebhookStore = {
  readonly webhooks: () => Promise<readonly WebhookRecord[]>;
  readonly webhook: (id: string) => Promise<WebhookRecord | undefined>;
  readonly webhookStanding: (id: string) => Promise<WebhookStanding>;
  /** Told from now on. Rejects with `limit_reached`. Returns its first secret, which is never stored. */
  readonly addWebhook: (webhook: NewWebhook, audit: AuditEntry) => Promise<Uint8Array>;
  /** Rejects with `not_found`. */
  readonly changeWebhook: (
    id: string,
    change: WebhookChange,
    audit: AuditEntry,
  ) => Promise<WebhookRecord>;
  /** A new secret; the one before is good for another day. Rejects with `not_found`. */
  readonly rotateWebhook: (id: string, audit: AuditEntry) => Promise<Uint8Array>;
  /** With all that waits for it. Rejects with `not_found`. */
  readonly removeWebhook: (id: string, audit: AuditEntry) => Promise<void>;
  /**
   * What is to be sent now, for nobody else within `leaseMs`; undefined where there is nothing, or it is off. The batch
   * is durable, and the try counted, before this resolves.
   */
  readonly claimDelivery: (
    id: string,
    holder: string,
    leaseMs: number,
  ) => Promise<WebhookDelivery | undefined>;
  /** Has no effect where another holder has the batch by now, or it is gone. */
  readonly settleDelivery: (
    webhook: string,
    batch: number,
    holder: string,
    settlement: WebhookSettlement,
  ) => Promise<void>;
  /** Batches that nobody took, oldest first. */
  readonly deadDeliveries: (
    id: string,
    after: number,
    limit: number,
  ) => Promise<readonly WebhookBatch[]>;
  /** Lets them be sent again, all or those named. Returns how many. Rejects with `not_found`. */
  readonly redriveDeliveries: (
    id: string,
    batches: readonly number[] | undefined,
    audit: AuditEntry,
  ) => Promise<number>;
};

/** The secret as receivers take it (Standard Webhooks 1.0.0). */
export function webhookSecretText(secret: Uint8Array): string {
  return `whsec_${Buffer.from(secret).toString("base64")}`;
}

/** An address that a webhook may have, whatever it resolves to. Throws ProtocolError `malformed`. */
export function webhookUrl(text: string): URL {
  const url =
    text.length <= WEBHOOK_URL_CHARS_MAX && URL.canParse(text) ? new URL(text) : undefined;
  const isSane =
    url?.protocol === "https:" && url.username === "" && url.password === "" && url.hash === "";
  if (!isSane)
    throw new ProtocolError(
      "malformed",
      `url: expected https://… of at most ${WEBHOOK_URL_CHARS_MAX} characters, without user, password or fragment`,
    );
  return url;
}
