/**
 * Reads nothing of MQTT but the fixed headers, and refuses by them: before a byte of a packet is buffered it is known
 * that a car may send this type, with these flags, and this many bytes. A pure step over bytes.
 */
import { CHANNELS, TOPIC_CHARS_MAX } from "@kerbside/protocol";
import type { Refusal } from "./refusals.ts";

type PacketRow = { readonly name: string; readonly bytesMax: number };

const LENGTH_BYTES_MAX = 4;
/** A topic with its length, and the packet id. */
const PUBLISH_HEADER_BYTES = TOPIC_CHARS_MAX + 4;
const SUBSCRIBE_BYTES_MAX = 2048;
const payloadBytesMax = Math.max(...Object.values(CHANNELS).map(({ bytesMax }) => bytesMax));

/** What a car may send, by control packet type (MQTT 3.1.1 § 2.2.1), with its remaining length. QoS 2 has no rows. */
const PACKETS: ReadonlyMap<number, PacketRow> = new Map([
  [1, { name: "connect", bytesMax: 1024 }],
  [3, { name: "publish", bytesMax: PUBLISH_HEADER_BYTES + payloadBytesMax }],
  [4, { name: "puback", bytesMax: 2 }],
  [8, { name: "subscribe", bytesMax: SUBSCRIBE_BYTES_MAX }],
  [10, { name: "unsubscribe", bytesMax: SUBSCRIBE_BYTES_MAX }],
  [12, { name: "pingreq", bytesMax: 0 }],
  [14, { name: "disconnect", bytesMax: 0 }],
]);
const TYPE_CONNECT = 1;
const TYPE_PUBLISH = 3;
/** PUBLISH flags (§ 3.3.1): the higher bit of QoS, and RETAIN. */
const FLAG_QOS_2 = 0b0100;
const FLAG_RETAIN = 0b0001;

/** The header of a packet that may come in. `bytes` are the header's own, `length` counts those that follow it. */
export type PacketHeader = {
  readonly bytes: readonly number[];
  readonly length: number;
  readonly connect: boolean;
  readonly publish: boolean;
};
/** The next byte of a header: more are needed, it is complete, or the connection must end. */
export type HeaderStep =
  | { readonly value: "more" }
  | { readonly value: "header"; readonly header: PacketHeader }
  | { readonly value: "refused"; readonly refusal: Refusal };

const MORE: HeaderStep = { value: "more" };

/** Judges the bytes of a header so far; called with each byte more. `first`: no packet came before on this connection. */
export function scanHeader(bytes: readonly number[], first: boolean): HeaderStep {
  const [head = 0, ...lengthBytes] = bytes;
  const type = head >> 4;
  const row = PACKETS.get(type);
  if (row === undefined || first !== (type === TYPE_CONNECT)) {
    return { value: "refused", refusal: "packet_type" };
  }
  if (type === TYPE_PUBLISH && (head & (FLAG_QOS_2 | FLAG_RETAIN)) !== 0) {
    return { value: "refused", refusal: "packet_flags" };
  }
  const last = lengthBytes.at(-1);
  if (last === undefined) return MORE;
  if (last >= 0x80) {
    return lengthBytes.length < LENGTH_BYTES_MAX
      ? MORE
      : { value: "refused", refusal: "packet_length" };
  }
  const length = lengthBytes.reduce((sum, byte, i) => sum + (byte & 0x7f) * 128 ** i, 0);
  if (length > row.bytesMax) return { value: "refused", refusal: "packet_length" };
  const publish = type === TYPE_PUBLISH;
  return { value: "header", header: { bytes, length, connect: type === TYPE_CONNECT, publish } };
}
