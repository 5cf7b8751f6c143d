/**
 * What module and card reader say to each other, in one table. The reader carries bytes between the car and what is
 * held to it, and knows no key but that of its own link: what it could learn, whoever takes it from behind the
 * windscreen could learn too. Rows and names are only ever appended. Codes below 0x10 are the session's own.
 */

import { concatBytes } from "./bytes.ts";
import { deriveKey, hmac } from "./crypto.ts";
import { ProtocolError } from "./errors.ts";
import { PIN_PATTERN } from "./grants.ts";
import {
  flag,
  layoutBytes,
  named,
  octets,
  readLayout,
  u8,
  u16,
  u32,
  type WireLayout,
  type WireValues,
  writeLayout,
} from "./lock-link-layout.ts";
import type { LockRole } from "./lock-link-messages.ts";

/** Of one part of an exchange; longer things go in several. */
export const READER_PART_BYTES_MAX = 192;
/** Of all parts of one exchange together: a phone's answer with a grant that it carries. */
export const READER_EXCHANGE_BYTES_MAX = 2048;
export const READER_UID_BYTES_MAX = 10;
export const READER_NONCE_BYTES = 16;
/** Length, digits, filled up with zeros. */
const PIN_FIELD_BYTES = 9;

export const CREDENTIAL_KINDS = ["card", "phone"] as const;
/** What the reader shows, by light and sound. */
export const READER_SIGNALS = ["granted", "refused", "wait", "failed"] as const;
export type ReaderSignal = (typeof READER_SIGNALS)[number];

const part = { presentation: u32, exchange: u8, part: u8, last: flag } as const;

type MessageRow = {
  readonly code: number;
  /** The reader has the role that the lock controller has on its link. */
  readonly from: LockRole;
  readonly acked: boolean;
  readonly doc: string;
  readonly layout: WireLayout;
  /** Bytes that may follow the layout. */
  readonly tailBytesMax: number;
};

export const READER_MESSAGES = {
  readerStatusRequest: {
    code: 0x10,
    from: "module",
    acked: false,
    doc: "Asks for a reader report.",
    layout: {},
    tailBytesMax: 0,
  },
  readerReport: {
    code: 0x11,
    from: "controller",
    acked: false,
    doc: "Sent on request, and by itself when the tamper contact changes.",
    layout: {
      tamper: named(["unknown", "intact", "opened"]),
      keypad: flag,
      resetCount: u16,
    },
    tailBytesMax: 0,
  },
  presented: {
    code: 0x20,
    from: "controller",
    acked: true,
    doc: "Something is held to the reader. Presentations count up from the reader's start; `uid` is filled up with zeros, and empty for a phone.",
    layout: {
      presentation: u32,
      kind: named(CREDENTIAL_KINDS, 1),
      keyed: flag,
      uidBytes: u8,
      uid: octets(READER_UID_BYTES_MAX),
    },
    tailBytesMax: 0,
  },
  gone: {
    code: 0x21,
    from: "controller",
    acked: false,
    doc: "It was taken away.",
    layout: { presentation: u32 },
    tailBytesMax: 0,
  },
  exchange: {
    code: 0x22,
    from: "module",
    acked: true,
    doc: "A part of what is to be handed to the card (ISO 7816-4) or the phone; the last part hands it over.",
    layout: part,
    tailBytesMax: READER_PART_BYTES_MAX,
  },
  exchanged: {
    code: 0x23,
    from: "controller",
    acked: true,
    doc: "A part of the answer to the exchange of that number.",
    layout: { ...part, outcome: named(["ok", "removed", "failed"]) },
    tailBytesMax: READER_PART_BYTES_MAX,
  },
  askPin: {
    code: 0x24,
    from: "module",
    acked: true,
    doc: "Asks for a PIN at the reader's keys; the nonce is used once.",
    layout: { presentation: u32, nonce: octets(READER_NONCE_BYTES) },
    tailBytesMax: 0,
  },
  pinEntered: {
    code: 0x25,
    from: "controller",
    acked: true,
    doc: "The PIN under the nonce's key stream: length, digits in ASCII, zeros. All zeros before it: none was entered.",
    layout: { presentation: u32, sealed: octets(PIN_FIELD_BYTES) },
    tailBytesMax: 0,
  },
  show: {
    code: 0x26,
    from: "module",
    acked: false,
    doc: "What became of the presentation, to be shown.",
    layout: { presentation: u32, signal: named(READER_SIGNALS, 1) },
    tailBytesMax: 0,
  },
} as const satisfies Record<string, MessageRow>;

export type ReaderMessageType = keyof typeof READER_MESSAGES;
type Tail<T extends ReaderMessageType> = (typeof READER_MESSAGES)[T]["tailBytesMax"] extends 0
  ? unknown
  : { readonly data: Uint8Array };
export type ReaderMessageOf<T extends ReaderMessageType> = { readonly type: T } & WireValues<
  (typeof READER_MESSAGES)[T]["layout"]
> &
  Tail<T>;
export type ReaderMessage = { [T in ReaderMessageType]: ReaderMessageOf<T> }[ReaderMessageType];

const ROWS: Readonly<Record<ReaderMessageType, MessageRow>> = READER_MESSAGES;
const TYPES: ReadonlyMap<number, ReaderMessageType> = new Map(
  Object.entries(READER_MESSAGES).map(([type, row]) => [row.code, type as ReaderMessageType]),
);

/** The longest payload of the table. */
export const READER_PAYLOAD_BYTES_MAX: number = Math.max(
  ...Object.values(ROWS).map((row) => layoutBytes(row.layout) + row.tailBytesMax),
);

export function readerMessageRow(type: ReaderMessageType): MessageRow {
  return ROWS[type];
}

/** The message of a code, or undefined where this version has none. */
export function readerMessageType(code: number): ReaderMessageType | undefined {
  return TYPES.get(code);
}

/** Throws ProtocolError `malformed` where a value is outside its field. */
export function encodeReaderPayload(message: ReaderMessage): Uint8Array {
  const { layout, tailBytesMax } = ROWS[message.type];
  const tail = "data" in message ? message.data : new Uint8Array();
  if (tail.length > tailBytesMax)
    throw new ProtocolError("malformed", `reader link ${message.type}: over ${tailBytesMax} bytes`);
  return concatBytes(writeLayout(layout, message), tail);
}

/** Throws ProtocolError `malformed` for an unknown code, another length, or a value outside its field. */
export function decodeReaderPayload(code: number, payload: Uint8Array): ReaderMessage {
  const type = TYPES.get(code);
  if (type === undefined) throw new ProtocolError("malformed", `reader link: no message ${code}`);
  const { layout, tailBytesMax } = ROWS[type];
  const head = layoutBytes(layout);
  if (payload.length > head + tailBytesMax)
    throw new ProtocolError("malformed", `reader link ${type}: over ${tailBytesMax} bytes`);
  const values = { type, ...readLayout(layout, payload.subarray(0, head)) };
  const message = tailBytesMax === 0 ? values : { ...values, data: payload.slice(head) };
  // The table gives type and layout at once; TypeScript cannot follow the lookup.
  return message as unknown as ReaderMessage;
}

/** Cuts bytes into the parts of one exchange; nothing is one empty part. Throws ProtocolError `malformed` if too long. */
export function readerParts(
  data: Uint8Array,
): readonly { readonly part: number; readonly last: boolean; readonly data: Uint8Array }[] {
  if (data.length > READER_EXCHANGE_BYTES_MAX)
    throw new ProtocolError("malformed", `reader link: over ${READER_EXCHANGE_BYTES_MAX} bytes`);
  const count = Math.max(1, Math.ceil(data.length / READER_PART_BYTES_MAX));
  return Array.from({ length: count }, (_, index) => ({
    part: index,
    last: index === count - 1,
    data: data.slice(index * READER_PART_BYTES_MAX, (index + 1) * READER_PART_BYTES_MAX),
  }));
}

/** Puts the parts of an exchange together again: in order, complete, within the bound. */
export class ReaderParts {
  #exchange = -1;
  #parts: Uint8Array[] = [];

  /** The whole of it with the last part; undefined before, and for whatever does not follow. */
  take(part: {
    readonly exchange: number;
    readonly part: number;
    readonly last: boolean;
    readonly data: Uint8Array;
  }): Uint8Array | undefined {
    if (part.part === 0) {
      this.#exchange = part.exchange;
      this.#parts = [];
    }
    const follows = part.exchange === this.#exchange && part.part === this.#parts.length;
    if (!follows || (part.part + 1) * READER_PART_BYTES_MAX > MOST_PARTS_BYTES) {
      this.#exchange = -1;
      return undefined;
    }
    this.#parts.push(part.data);
    if (!part.last) return undefined;
    this.#exchange = -1;
    return concatBytes(...this.#parts);
  }
}
const MOST_PARTS_BYTES: number =
  Math.ceil(READER_EXCHANGE_BYTES_MAX / READER_PART_BYTES_MAX) * READER_PART_BYTES_MAX;

const PIN_DOMAIN = "kerbside/v1/reader-link/pin";

function pinStream(pairingKey: Uint8Array, nonce: Uint8Array): Uint8Array {
  return hmac(deriveKey(pairingKey, PIN_DOMAIN), nonce).subarray(0, PIN_FIELD_BYTES);
}

/**
 * Hides a PIN from whoever listens at the wire; the frame's MAC protects it from change. Undefined stands for none.
 * Throws ProtocolError `malformed` where it is not 4 to 8 digits.
 */
export function sealPin(
  pairingKey: Uint8Array,
  nonce: Uint8Array,
  pin: string | undefined,
): Uint8Array {
  if (pin !== undefined && !PIN_PATTERN.test(pin))
    throw new ProtocolError("malformed", "PIN: expected 4 to 8 digits");
  const digits = new TextEncoder().encode(pin ?? "");
  const plain = new Uint8Array(PIN_FIELD_BYTES);
  plain[0] = digits.length;
  plain.set(digits, 1);
  const stream = pinStream(pairingKey, nonce);
  return plain.map((byte, index) => byte ^ (stream[index] ?? 0));
}

/** The PIN, or undefined where none was entered or the bytes hold none. */
export function openPin(
  pairingKey: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
): string | undefined {
  const stream = pinStream(pairingKey, nonce);
  const plain = sealed.map((byte, index) => byte ^ (stream[index] ?? 0));
  const pin = new TextDecoder().decode(plain.subarray(1, 1 + (plain[0] ?? 0)));
  return PIN_PATTERN.test(pin) ? pin : undefined;
}
