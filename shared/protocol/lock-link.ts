/**
 * The lock link between the car's module and its lock controller: a paired serial session (link-session.ts) that speaks
 * the messages of lock-link-messages.ts.
 */
import type {
  LinkControl,
  LinkCounts,
  LinkDialect,
  LinkOptions,
  LinkPeer,
  LinkSent,
  LinkState,
  LinkStep,
} from "./link-dialect.ts";
import { LinkSession } from "./link-session.ts";
import { LOCK_DOMAINS } from "./lock-link-channel.ts";
import { LOCK_PAYLOAD_BYTES_MAX } from "./lock-link-frames.ts";
import {
  decodeLockPayload,
  encodeLockPayload,
  type LockMessage,
  lockMessageRow,
  lockMessageType,
} from "./lock-link-messages.ts";

export type LockLinkOptions = LinkOptions;
export type LockPeer = LinkPeer;
export type LockLinkState = LinkState;
export type LockLinkCounts = LinkCounts;
export type LockLinkSent = LinkSent;
/** What an end may send by itself: everything but what the greeting and the session take care of. */
export type LockLinkSendable = Exclude<LockMessage, { readonly type: LinkControl }>;
export type LockLinkStep = LinkStep<LockLinkSendable>;

const LOCK_DIALECT: LinkDialect<LockLinkSendable> = {
  name: "lock link",
  domains: LOCK_DOMAINS,
  payloadBytesMax: LOCK_PAYLOAD_BYTES_MAX,
  row: (code) => {
    const type = lockMessageType(code);
    return type === undefined ? undefined : lockMessageRow(type);
  },
  encode: (message) => ({ ...lockMessageRow(message.type), payload: encodeLockPayload(message) }),
  // The session takes the rows of control before it asks for any other.
  decode: (code, payload) => decodeLockPayload(code, payload) as LockLinkSendable,
};

export class LockLinkSession extends LinkSession<LockLinkSendable> {
  /** Throws ProtocolError `malformed` unless the pairing key has 32 bytes and the id 8. */
  constructor(options: LockLinkOptions) {
    super(LOCK_DIALECT, options);
  }
}
