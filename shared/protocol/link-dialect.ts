/** What a paired serial session is to those who use it: its dialect, its options, what it says of itself. */
import type { LinkDomains } from "./lock-link-channel.ts";
import type { LockFrameCounts } from "./lock-link-frames.ts";
import type { LockMessageOf, LockRole } from "./lock-link-messages.ts";
import type { Random } from "./runtime.ts";

/** What every link says besides its own messages. The rows are those of the lock link. */
export const LINK_CONTROL = ["hello", "welcome", "ack", "nak", "heartbeat"] as const;
export type LinkControl = (typeof LINK_CONTROL)[number];
export type LinkAnswer = LockMessageOf<"ack"> | LockMessageOf<"nak">;

/** What makes a session that of one kind of link. Codes of its messages begin at 0x10. */
export type LinkDialect<M extends { readonly type: string }> = {
  readonly name: string;
  readonly domains: LinkDomains;
  readonly payloadBytesMax: number;
  /** Undefined where this version has no message of that code. */
  readonly row: (
    code: number,
  ) => { readonly from: LockRole | "both"; readonly acked: boolean } | undefined;
  /** Throws ProtocolError `malformed` where a value is outside its field. */
  readonly encode: (message: M) => {
    readonly code: number;
    readonly from: LockRole | "both";
    readonly payload: Uint8Array;
  };
  /** Throws ProtocolError `malformed`. Called only for a code that has a row. */
  readonly decode: (code: number, payload: Uint8Array) => M;
};

/** Each end speaks at least this often. */
export const LOCK_HEARTBEAT_MS = 500;
/** A session that has heard nothing authentic and in time for this long is over, at both ends. */
export const LOCK_SILENCE_MS_MAX = 2000;
/** The module asks again after this long without an answer, then after twice that, up to the second figure. */
export const LOCK_GREETING_MS_MIN = 250;
export const LOCK_GREETING_MS_MAX = 4000;

export type LinkOptions = {
  /** 32 bytes, written into both ends when they are paired at installation. */
  readonly pairingKey: Uint8Array;
  /** 8 bytes that name this end. */
  readonly id: Uint8Array;
  readonly random: Pick<Random, "bytes">;
} & (
  | { readonly role: "module" }
  | {
      readonly role: "controller";
      readonly firmware: { readonly major: number; readonly minor: number; readonly patch: number };
    }
);

/** What the greeting said of the other end. */
export type LinkPeer =
  | { readonly role: "module"; readonly id: Uint8Array }
  | { readonly role: "controller"; readonly id: Uint8Array; readonly firmware: string };

export type LinkState =
  | { readonly value: "closed"; readonly reason: "new" | "shut" | "silence" | "incompatible" }
  | { readonly value: "greeting"; readonly sinceMs: number }
  | {
      readonly value: "ready";
      readonly sinceMs: number;
      readonly version: number;
      readonly peer: LinkPeer;
    };

/** What came of some bytes or of the passing of time: messages in their order, and what to write at once. */
export type LinkStep<M> = {
  readonly messages: readonly (M | LinkAnswer)[];
  readonly bytesOut: Uint8Array;
};

export type LinkCounts = LockFrameCounts & {
  /** Frames that no key of ours verifies: forged, reflected, or of another session. */
  readonly macErrors: number;
  /** Authentic frames whose counter does not rise. */
  readonly replays: number;
  /** Authentic frames that were held up for too long. */
  readonly late: number;
  /** Authentic frames that this version does not understand. */
  readonly malformed: number;
};

export type LinkSent =
  | { readonly sent: true; readonly counter: number; readonly bytesOut: Uint8Array }
  | { readonly sent: false };
