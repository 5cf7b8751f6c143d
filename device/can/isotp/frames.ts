/** The four frames of ISO 15765-2 (§9.6), read and written. */

/** Longest message of the plain 12-bit form. Nothing a car is asked for is longer; more is refused as overflow. */
export const MESSAGE_BYTES_MAX = 4095;

export type FlowStatus = "continue" | "wait" | "overflow";
export type IsoTpFrame =
  | { readonly type: "single"; readonly data: Uint8Array }
  | {
      readonly type: "first";
      readonly length: number;
      readonly data: Uint8Array;
      /** Of this frame, and so of all that follow but the last (§9.5.3: RX_DL is told by the first frame). */
      readonly frameBytes: number;
    }
  | { readonly type: "consecutive"; readonly index: number; readonly data: Uint8Array }
  | {
      readonly type: "flow";
      readonly status: FlowStatus;
      /** Frames until the next flow control; 0: all. */
      readonly blockSize: number;
      /** Least time between two frames. */
      readonly separationMs: number;
    };

const SINGLE = 0;
const FIRST = 1;
const CONSECUTIVE = 2;
const FLOW = 3;
const CLASSIC_BYTES = 8;
const FLOW_STATUSES: readonly FlowStatus[] = ["continue", "wait", "overflow"];
/** STmin (table 20): above this the code is reserved, and the longest time is taken. */
const SEPARATION_MS_MAX = 127;
const SEPARATION_100_US_FIRST = 0xf1;
const SEPARATION_900_US = 0xf9;

/** Undefined: no frame of this protocol, to be ignored (§9.6.2: unexpected or invalid lengths). */
export function parseFrame(bytes: Uint8Array): IsoTpFrame | undefined {
  const [first = -1, second = 0] = bytes;
  const low = first & 0xf;
  switch (first >> 4) {
    case SINGLE: {
      const escaped = low === 0 && bytes.length > CLASSIC_BYTES;
      const length = escaped ? second : low;
      const from = escaped ? 2 : 1;
      if (length === 0 || from + length > bytes.length) return undefined;
      return { type: "single", data: bytes.slice(from, from + length) };
    }
    case FIRST:
      return parseFirst(bytes, (low << 8) | second);
    case CONSECUTIVE:
      return bytes.length < 2
        ? undefined
        : { type: "consecutive", index: low, data: bytes.slice(1) };
    case FLOW: {
      const status = FLOW_STATUSES[low];
      if (status === undefined || bytes.length < 3) return undefined;
      return { type: "flow", status, blockSize: second, separationMs: separationOf(bytes[2] ?? 0) };
    }
    default:
      return undefined;
  }
}

function parseFirst(bytes: Uint8Array, short: number): IsoTpFrame | undefined {
  if (bytes.length < CLASSIC_BYTES) return undefined;
  if (short > 0) {
    // What would fit a single frame is no first frame.
    if (short <= bytes.length - 1 && short < CLASSIC_BYTES) return undefined;
    return { type: "first", length: short, data: bytes.slice(2), frameBytes: bytes.length };
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(2);
  if (length <= MESSAGE_BYTES_MAX) return undefined;
  return { type: "first", length, data: bytes.slice(6), frameBytes: bytes.length };
}

function separationOf(code: number): number {
  if (code <= SEPARATION_MS_MAX) return code;
  const fine = code >= SEPARATION_100_US_FIRST && code <= SEPARATION_900_US;
  return fine ? (code - SEPARATION_100_US_FIRST + 1) / 10 : SEPARATION_MS_MAX;
}

export type Framing = {
  /** Bytes of a frame: 8, or for CAN FD up to 64. */
  readonly frameBytes: number;
  /** Fills frames up; OBD demands full frames (ISO 15765-4 §7.3). */
  readonly padding: number;
};

/** Lengths a CAN FD frame may have. */
const FD_LENGTHS = [8, 12, 16, 20, 24, 32, 48, 64] as const;

function padded(bytes: readonly number[], data: Uint8Array, { padding }: Framing): Uint8Array {
  const needed = bytes.length + data.length;
  const length = FD_LENGTHS.find((l) => l >= needed) ?? needed;
  const out = new Uint8Array(length).fill(padding);
  out.set(bytes);
  out.set(data, bytes.length);
  return out;
}

/** Payload of a single frame at most. */
export function singleBytesMax({ frameBytes }: Framing): number {
  return frameBytes > CLASSIC_BYTES ? frameBytes - 2 : frameBytes - 1;
}

/** The first frame of a message, single or first, and how many bytes of the message it holds. */
export function encodeStart(
  message: Uint8Array,
  framing: Framing,
): { readonly bytes: Uint8Array; readonly taken: number } {
  const { length } = message;
  if (length < CLASSIC_BYTES) return { bytes: padded([length], message, framing), taken: length };
  if (length <= singleBytesMax(framing)) {
    return { bytes: padded([0, length], message, framing), taken: length };
  }
  const taken = framing.frameBytes - 2;
  const head = [(FIRST << 4) | (length >> 8), length & 0xff];
  return { bytes: padded(head, message.subarray(0, taken), framing), taken };
}

export function encodeConsecutive(
  message: Uint8Array,
  from: number,
  index: number,
  framing: Framing,
): Uint8Array {
  const data = message.subarray(from, from + framing.frameBytes - 1);
  return padded([(CONSECUTIVE << 4) | (index & 0xf)], data, framing);
}

/** `separationMs` in whole milliseconds, at most 127. */
export function encodeFlow(
  status: FlowStatus,
  blockSize: number,
  separationMs: number,
  framing: Framing,
): Uint8Array {
  const head = [(FLOW << 4) | FLOW_STATUSES.indexOf(status), blockSize, separationMs];
  return padded(head, new Uint8Array(0), framing);
}
