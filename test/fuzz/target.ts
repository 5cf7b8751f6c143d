/** What a fuzz target is, and how inputs are spoilt. */
import type { Random } from "./random.ts";

export type FuzzTarget = {
  readonly name: string;
  /** What must hold for any input. */
  readonly why: string;
  /** Makes one input of `random`, and throws if what must hold does not. */
  readonly run: (random: Random) => void | Promise<void>;
};

const EDITS_MAX = 8;
const INTERESTING: readonly number[] = [0, 9, 10, 13, 32, 34, 35, 44, 58, 59, 92, 127, 128, 255];

/** A copy with a few edits of the kinds that break parsers: flips, cuts, repeats, moves, words of the format. */
export function spoil(random: Random, input: Uint8Array, words: readonly string[]): Uint8Array {
  let bytes = Buffer.from(input);
  for (let i = random.int(EDITS_MAX); i >= 0; i--) bytes = edit(random, bytes, words);
  return bytes;
}

function edit(random: Random, bytes: Buffer, words: readonly string[]): Buffer<ArrayBuffer> {
  const at = random.int(bytes.length + 1);
  const length = Math.min(bytes.length - at, random.int(random.bool(0.2) ? 400 : 12));
  const before = bytes.subarray(0, at);
  const piece = bytes.subarray(at, at + length);
  const after = bytes.subarray(at + length);
  const elsewhere = random.int(bytes.length + 1);
  switch (random.int(6)) {
    case 0:
      return Buffer.concat([before, after]);
    case 1:
      return Buffer.concat([before, piece, piece, after]);
    case 2:
      return Buffer.concat([before, Buffer.from(random.pick(words)), after]);
    case 3:
      return Buffer.concat([before, random.bytes(length), after]);
    case 4:
      return Buffer.concat([before, Buffer.from([random.pick(INTERESTING)]), piece, after]);
    default:
      return Buffer.concat([before, bytes.subarray(elsewhere, elsewhere + length), piece, after]);
  }
}
