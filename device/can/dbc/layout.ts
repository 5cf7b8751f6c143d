/**
 * Where a signal's bits are. DBC numbers bits by byte × 8 + place in the byte, 0 the lowest; an Intel
 * signal grows upwards from its start, a Motorola one falls from its highest bit, byte after byte.
 */
import type { DbcSignal } from "./model.ts";

/** `width` bits of byte `byte` from bit `shift` up are the signal's raw bits from `place` up. */
export type Piece = {
  readonly byte: number;
  readonly shift: number;
  readonly width: number;
  readonly place: number;
};

type Span = Pick<DbcSignal, "start" | "length" | "bigEndian">;

const BITS_OF_LIMB = 32;

/** Low to high place; no piece crosses a byte or a 32-bit limb of the raw value. */
export function piecesOf(signal: Span): Piece[] {
  const pieces: Piece[] = [];
  let { byte, bit } = lowestBit(signal);
  let place = 0;
  while (place < signal.length) {
    const toLimb = BITS_OF_LIMB - (place % BITS_OF_LIMB);
    const width = Math.min(8 - bit, signal.length - place, toLimb);
    pieces.push({ byte, shift: bit, width, place });
    place += width;
    bit += width;
    if (bit === 8) {
      bit = 0;
      byte += signal.bigEndian ? -1 : 1;
    }
  }
  return pieces;
}

/** The signal's raw bit 0. */
function lowestBit({ start, length, bigEndian }: Span): { byte: number; bit: number } {
  if (!bigEndian) return { byte: start >> 3, bit: start & 7 };
  const inFirst = (start & 7) + 1;
  if (length <= inFirst) return { byte: start >> 3, bit: inFirst - length };
  const beyond = length - inFirst;
  return { byte: (start >> 3) + Math.ceil(beyond / 8), bit: (8 - (beyond % 8)) % 8 };
}

/** Number of a bit in the last byte that the signal touches: frames shorter than that don't hold it. */
export function lastBit(signal: Span): number {
  return signal.bigEndian ? lowestBit(signal).byte * 8 : signal.start + signal.length - 1;
}

/** Bytes a frame must have to hold the whole signal. */
export function bytesNeeded(signal: Span): number {
  return (lastBit(signal) >> 3) + 1;
}
