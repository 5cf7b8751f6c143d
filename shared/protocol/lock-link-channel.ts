/**
 * The keys of the lock link and one authenticated session under them: what both ends share once they have greeted.
 */
import { concatBytes } from "./bytes.ts";
import { deriveKey, KEY_BYTES } from "./crypto.ts";
import { ProtocolError } from "./errors.ts";
import {
  encodeLockFrame,
  LOCK_COUNTER_MAX,
  lockFrameVerifies,
  type UnverifiedLockFrame,
} from "./lock-link-frames.ts";
import {
  encodeLockPayload,
  type LockMessageOf,
  type LockRole,
  lockMessageRow,
} from "./lock-link-messages.ts";

/** Bound into the keys derived from the pairing key, which itself never makes a MAC. */
export const LOCK_DOMAINS = {
  greeting: "kerbside/v1/lock-link/greeting",
  session: "kerbside/v1/lock-link/session",
} as const;

/** What keeps one kind of link apart from another: their keys have nothing in common, whatever they are paired with. */
export type LinkDomains = { readonly greeting: string; readonly session: string };

/** The key of `hello` and `welcome`. Throws ProtocolError `malformed` unless the pairing key has 32 bytes. */
export function lockGreetingKey(
  pairingKey: Uint8Array,
  domains: LinkDomains = LOCK_DOMAINS,
): Uint8Array {
  if (pairingKey.length !== KEY_BYTES)
    throw new ProtocolError("malformed", `lock link pairing key: expected ${KEY_BYTES} bytes`);
  return deriveKey(pairingKey, domains.greeting);
}

/**
 * The key of one session. It is bound to every byte of the greeting (versions offered and chosen, both ids, both
 * fresh nonces, firmware), so counters start anew with it and no frame of another session verifies under it.
 */
export function lockSessionKey(
  pairingKey: Uint8Array,
  hello: LockMessageOf<"hello">,
  welcome: LockMessageOf<"welcome">,
  domains: LinkDomains = LOCK_DOMAINS,
): Uint8Array {
  const greeting = concatBytes(encodeLockPayload(hello), encodeLockPayload(welcome));
  return deriveKey(pairingKey, domains.session, greeting);
}

export function lockPeerOf(role: LockRole): LockRole {
  return role === "module" ? "controller" : "module";
}

export function encodeGreeting(
  greetingKey: Uint8Array,
  message: LockMessageOf<"hello"> | LockMessageOf<"welcome">,
): Uint8Array {
  const from = message.type === "hello" ? "module" : "controller";
  const { code } = lockMessageRow(message.type);
  return encodeLockFrame(greetingKey, from, {
    type: code,
    counter: 0,
    heard: 0,
    payload: encodeLockPayload(message),
  });
}

/**
 * A frame is late, and not acted upon, when what it shows the sender to have heard was sent longer ago than this.
 * With a heartbeat each 500 ms two of them may be lost. It bounds what holding frames back on the wire can do: were
 * it for counters and silence alone, heartbeats let through slowly would keep a held-back `actuate` good for hours.
 */
export const LOCK_LATE_MS_MAX = 1500;
/** Send times are kept this far apart, so a frame counts as late up to this much too early. */
const SENT_APART_MS = 100;

export type LockFrameVerdict = "fresh" | "late" | "replayed" | "forged";

/** One session as one end holds it: its key, the two counters, and when it sent what. */
export class LockLinkChannel {
  readonly #key: Uint8Array;
  readonly #role: LockRole;
  readonly #payloadBytesMax: number;
  #sent = 0;
  #heard = 0;
  /** At most `LOCK_LATE_MS_MAX / SENT_APART_MS` + 1 of them, oldest first; the greeting counts as 0. */
  #sentAt: { readonly counter: number; readonly ms: number }[];

  /** `greetedMs`: when this end sent its part of the greeting. */
  constructor(key: Uint8Array, role: LockRole, greetedMs: number, payloadBytesMax: number) {
    this.#key = key;
    this.#payloadBytesMax = payloadBytesMax;
    this.#role = role;
    this.#sentAt = [{ counter: 0, ms: greetedMs }];
  }

  /** The next frame, or undefined when the counter is spent: then only a new session can speak. */
  seal(
    { code, payload }: { readonly code: number; readonly payload: Uint8Array },
    nowMs: number,
  ): { readonly counter: number; readonly bytes: Uint8Array } | undefined {
    if (this.#sent >= LOCK_COUNTER_MAX) return undefined;
    const counter = this.#sent + 1;
    const frame = { type: code, counter, heard: this.#heard, payload };
    const bytes = encodeLockFrame(this.#key, this.#role, frame, this.#payloadBytesMax);
    this.#sent = counter;
    const last = this.#sentAt.at(-1);
    if (last === undefined || nowMs - last.ms >= SENT_APART_MS) {
      this.#forget(nowMs);
      this.#sentAt.push({ counter, ms: nowMs });
    }
    return { counter, bytes };
  }

  /** Authenticates, then moves the counter, then asks whether it is in time. A frame is `fresh` once at most. */
  judge(frame: UnverifiedLockFrame, nowMs: number): LockFrameVerdict {
    if (!lockFrameVerifies(this.#key, lockPeerOf(this.#role), frame)) return "forged";
    if (frame.counter <= this.#heard) return "replayed";
    this.#heard = frame.counter;
    this.#forget(nowMs);
    const oldest = this.#sentAt[0]?.counter ?? this.#sent + 1;
    return frame.heard >= oldest && frame.heard <= this.#sent ? "fresh" : "late";
  }

  #forget(nowMs: number): void {
    this.#sentAt = this.#sentAt.filter(({ ms }) => nowMs - ms <= LOCK_LATE_MS_MAX);
  }
}
