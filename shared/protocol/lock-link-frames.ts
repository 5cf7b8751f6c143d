/**
 * Frames on the serial line between module and lock controller. A frame is a zero byte, the body in Consistent
 * Overhead Byte Stuffing (Cheshire & Baker, 1999), and a zero byte. Zero occurs nowhere else, so a reader that joins
 * late or sees noise is in step again at the next frame: no false start inside a payload, nothing held back while
 * waiting for a length that noise made up, and a decoder of a few lines in the controller.
 *
 * Body: version, type, counter (4), heard (4), payload length, payload (0 to 64), MAC (8), CRC-16 (2). Big-endian.
 */
import { concatBytes, utf8 } from "./bytes.ts";
import { hmac, sameMac } from "./crypto.ts";
import { ProtocolError } from "./errors.ts";
import type { LockRole } from "./lock-link-messages.ts";

/** Of the framing; the version of the messages is agreed in the greeting. */
export const LOCK_FRAME_VERSION = 1;
export const LOCK_PAYLOAD_BYTES_MAX = 64;
/**
 * HMAC-SHA-256 cut to 64 bits (RFC 2104 § 5). HMAC, because session keys need SHA-256 anyway and controllers have
 * it in hardware; SipHash would be one more primitive. 64 bits, because a guess costs a frame on the line: at
 * 115,200 baud (600 frames/s) a million years give one chance in a thousand.
 */
export const LOCK_MAC_BYTES = 8;
export const LOCK_COUNTER_MAX = 0xffff_ffff;

const HEAD_BYTES = 11;
const CRC_BYTES = 2;
const BODY_BYTES_MIN: number = HEAD_BYTES + LOCK_MAC_BYTES + CRC_BYTES;
/** Stuffing adds one byte to anything shorter than 255, so no payload of any link is longer than 232. */
function stuffedBytesMax(payloadBytesMax: number): number {
  return BODY_BYTES_MIN + payloadBytesMax + 1;
}
/** The longest frame on the line, both zero bytes included. */
export const LOCK_FRAME_BYTES_MAX: number = stuffedBytesMax(LOCK_PAYLOAD_BYTES_MAX) + 2;

const MAC_DOMAIN = utf8("kerbside/v1/lock-link/frame");
/** The sender, as it stands in front of the body in what the MAC covers: a reflected frame never verifies. */
export const LOCK_ROLE_CODES: Readonly<Record<LockRole, number>> = { module: 1, controller: 2 };

export type LockFrame = {
  readonly type: number;
  /** Rises strictly within a session and a direction; 0 only in a greeting. It numbers frames for `ack` too. */
  readonly counter: number;
  /** The highest counter of the other end that the sender had heard: the receiver judges by it how old the frame is. */
  readonly heard: number;
  readonly payload: Uint8Array;
};
/** A frame that came through the noise filter; nothing in it may be believed before `lockFrameVerifies`. */
export type UnverifiedLockFrame = LockFrame & {
  readonly signed: Uint8Array;
  readonly mac: Uint8Array;
};

function macOf(key: Uint8Array, from: LockRole, signed: Uint8Array): Uint8Array {
  const data = concatBytes(MAC_DOMAIN, Uint8Array.of(LOCK_ROLE_CODES[from]), signed);
  return hmac(key, data).subarray(0, LOCK_MAC_BYTES);
}

/** The bytes of a frame on the line. Throws ProtocolError `malformed` beyond the bounds of a frame. */
export function encodeLockFrame(
  key: Uint8Array,
  from: LockRole,
  frame: LockFrame,
  payloadBytesMax: number = LOCK_PAYLOAD_BYTES_MAX,
): Uint8Array {
  const { type, counter, heard, payload } = frame;
  const counts = [counter, heard].every((n) => n >= 0 && n <= LOCK_COUNTER_MAX);
  if (payload.length > payloadBytesMax || !counts)
    throw new ProtocolError("malformed", "lock link frame: payload or counter out of bounds");
  const head = new Uint8Array(HEAD_BYTES);
  const view = new DataView(head.buffer);
  view.setUint8(0, LOCK_FRAME_VERSION);
  view.setUint8(1, type);
  view.setUint32(2, counter);
  view.setUint32(6, heard);
  view.setUint8(10, payload.length);
  const signed = concatBytes(head, payload);
  const checked = concatBytes(signed, macOf(key, from, signed));
  const crc = crc16(checked);
  return stuff(concatBytes(checked, Uint8Array.of(crc >> 8, crc & 0xff)));
}

/** In constant time. `from` is the role that must have sent it. */
export function lockFrameVerifies(
  key: Uint8Array,
  from: LockRole,
  frame: UnverifiedLockFrame,
): boolean {
  return sameMac(macOf(key, from, frame.signed), frame.mac);
}

/** CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xFFFF. A filter against noise, no protection. */
export function crc16(data: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of data) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1)
      crc = (crc & 0x8000) === 0 ? crc << 1 : ((crc << 1) ^ 0x1021) & 0xffff;
  }
  return crc;
}

function stuff(body: Uint8Array): Uint8Array {
  const out = new Uint8Array(body.length + 3);
  let run = 1;
  for (let index = 0; index <= body.length; index += 1) {
    const byte = body[index] ?? 0;
    out[index + 2] = byte;
    if (byte !== 0) continue;
    out[run] = index + 2 - run;
    run = index + 2;
  }
  return out;
}

/** Undoes the stuffing in place; undefined where no sender makes such bytes. */
function unstuff(stuffed: Uint8Array): Uint8Array | undefined {
  let at = 0;
  while (at < stuffed.length) {
    const run = stuffed[at] ?? 0;
    stuffed[at] = 0;
    at += run;
  }
  return at === stuffed.length ? stuffed.subarray(1) : undefined;
}

/** What a decoder has seen. Counts never go back; they stop at 2^53. */
export type LockFrameCounts = {
  readonly frames: number;
  /** Bytes that belong to no frame: too long, too short, or not in the form of one. */
  readonly noiseBytes: number;
  /** Chunks in the form of a frame whose CRC is wrong. */
  readonly crcErrors: number;
};

/** Takes bytes as they come, in any portions, and gives frames. Holds at most one frame; never throws. */
export class LockLinkDecoder {
  readonly #chunk: Uint8Array;
  #length = 0;
  #frames = 0;
  #noiseBytes = 0;
  #crcErrors = 0;

  constructor(payloadBytesMax: number = LOCK_PAYLOAD_BYTES_MAX) {
    this.#chunk = new Uint8Array(stuffedBytesMax(payloadBytesMax));
  }

  get counts(): LockFrameCounts {
    return { frames: this.#frames, noiseBytes: this.#noiseBytes, crcErrors: this.#crcErrors };
  }

  push(bytes: Uint8Array): readonly UnverifiedLockFrame[] {
    const frames: UnverifiedLockFrame[] = [];
    for (const byte of bytes) {
      if (byte !== 0) {
        // A chunk too long for a frame is counted to its end and kept no further.
        if (this.#length < this.#chunk.length) this.#chunk[this.#length] = byte;
        this.#length += 1;
        continue;
      }
      const frame = this.#length === 0 ? undefined : this.#take();
      if (frame !== undefined) frames.push(frame);
      this.#length = 0;
    }
    return frames;
  }

  #take(): UnverifiedLockFrame | undefined {
    const length = this.#length;
    const fits = length > BODY_BYTES_MIN && length <= this.#chunk.length;
    const body = fits ? unstuff(this.#chunk.slice(0, length)) : undefined;
    if (
      body === undefined ||
      body[0] !== LOCK_FRAME_VERSION ||
      body[10] !== body.length - BODY_BYTES_MIN
    ) {
      this.#noiseBytes += length;
      return undefined;
    }
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    const checked = body.subarray(0, body.length - CRC_BYTES);
    if (crc16(checked) !== view.getUint16(checked.length)) {
      this.#crcErrors += 1;
      return undefined;
    }
    this.#frames += 1;
    const signed = checked.subarray(0, checked.length - LOCK_MAC_BYTES);
    return {
      type: view.getUint8(1),
      counter: view.getUint32(2),
      heard: view.getUint32(6),
      payload: signed.subarray(HEAD_BYTES),
      signed,
      mac: checked.subarray(signed.length),
    };
  }
}
