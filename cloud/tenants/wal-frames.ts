/**
 * The write-ahead log of SQLite as a file (https://sqlite.org/fileformat2.html#walformat): which of its frames are whole
 * and belong to transactions that were committed. Pure: it is given bytes and says how far they are good.
 */

export const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The last bit says the byte order of the checksums. */
const MAGIC = 0x377f0682;
const FORMAT = 3_007_000;
const PAGE_BYTES = { min: 512, max: 65_536 } as const;

/** Two numbers that tell one use of the file from the next, and the sum so far. */
export type WalHead = {
  readonly salts: readonly [number, number];
  readonly pageBytes: number;
  readonly bigEndian: boolean;
  readonly sum: readonly [number, number];
};

/** Undefined where it is no whole header. */
export function readWalHeader(bytes: Uint8Array): WalHead | undefined {
  if (bytes.length < WAL_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, WAL_HEADER_BYTES);
  const magic = view.getUint32(0);
  const bigEndian = (magic & 1) === 1;
  const pageBytes = view.getUint32(8);
  if ((magic & ~1) >>> 0 !== MAGIC || view.getUint32(4) !== FORMAT) return undefined;
  if (pageBytes < PAGE_BYTES.min || pageBytes > PAGE_BYTES.max) return undefined;
  const sum = checksum(bytes.subarray(0, 24), [0, 0], bigEndian);
  if (sum[0] !== view.getUint32(24) || sum[1] !== view.getUint32(28)) return undefined;
  return { salts: [view.getUint32(16), view.getUint32(20)], pageBytes, bigEndian, sum };
}

export function frameBytes({ pageBytes }: WalHead): number {
  return FRAME_HEADER_BYTES + pageBytes;
}

/**
 * How many bytes from the beginning of `bytes`, which follow what `head` has summed up, are frames of committed
 * transactions, and the head after them.
 */
export function committed(
  head: WalHead,
  bytes: Uint8Array,
): { readonly length: number; readonly head: WalHead } {
  const size = frameBytes(head);
  let sum = head.sum;
  let good = { length: 0, head };
  for (let at = 0; at + size <= bytes.length; at += size) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, FRAME_HEADER_BYTES);
    if (view.getUint32(8) !== head.salts[0] || view.getUint32(12) !== head.salts[1]) break;
    sum = checksum(bytes.subarray(at, at + 8), sum, head.bigEndian);
    sum = checksum(bytes.subarray(at + FRAME_HEADER_BYTES, at + size), sum, head.bigEndian);
    if (sum[0] !== view.getUint32(16) || sum[1] !== view.getUint32(20)) break;
    // The size of the database after a commit; zero in the frames before.
    if (view.getUint32(4) !== 0) good = { length: at + size, head: { ...head, sum } };
  }
  return good;
}

function checksum(
  bytes: Uint8Array,
  [a, b]: readonly [number, number],
  bigEndian: boolean,
): readonly [number, number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let [one, two] = [a, b];
  for (let at = 0; at < bytes.length; at += 8) {
    one = (one + view.getUint32(at, !bigEndian) + two) >>> 0;
    two = (two + view.getUint32(at + 4, !bigEndian) + one) >>> 0;
  }
  return [one, two];
}
