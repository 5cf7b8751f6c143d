/**
 * Whether SQLite's write-ahead log lost commits that were once durable. SQLite itself reads up to the first frame that
 * does not add up and takes the rest for torn; that is right for the last commit, which a power cut may tear, and
 * wrong where commits follow that were flushed later than the broken frame was. A log whose header does not add up it passes
 * over, which is wrong where the main file lacks any of it. Format: sqlite.org/fileformat2.html § 4.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DATABASE_FILE } from "./database.ts";

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** Of the main file. */
const DATABASE_HEADER_BYTES = 100;
/** The last bit of the magic number says in which byte order checksums are made. */
const MAGIC_LITTLE = 0x377f0682;
const MAGIC_BIG = 0x377f0683;
/**
 * One commit after the broken frame may be of the same torn write; one that goes on from another was begun when that was
 * durable. Two that do not hang together tell nothing: where flushes fail, each try is written over the one before, and
 * a power cut leaves some sectors of each.
 */
const COMMITS_AFTER_MAX = 1;

type Sum = readonly [number, number];

/** What is wrong with the write-ahead log in `dir`; undefined where nothing is, or where there is none. */
export function walDamage(dir: string): string | undefined {
  const file = join(dir, `${DATABASE_FILE}-wal`);
  if (!existsSync(file)) return undefined;
  const wal = readFileSync(file);
  if (wal.length < HEADER_BYTES + FRAME_HEADER_BYTES) return undefined;
  const magic = wal.readUInt32BE(0);
  if (magic !== MAGIC_LITTLE && magic !== MAGIC_BIG)
    return "its write-ahead log does not begin as one";
  const little = magic === MAGIC_LITTLE;
  const first = add([0, 0], wal.subarray(0, 24), little);
  if (matches(first, wal, 24))
    return framesOf(wal, HEADER_BYTES, wal.subarray(16, 24), first, little).damage;
  return isOver(dir, wal, little) ? undefined : "the beginning of its write-ahead log is damaged";
}

/**
 * Whether all that a log without a beginning held is in the main file. It is where a log begins anew and the machine died
 * as its header was written: a checkpoint was flushed before, and SQLite passes such a log over.
 */
function isOver(dir: string, wal: Buffer, little: boolean): boolean {
  const main = join(dir, DATABASE_FILE);
  const database = existsSync(main) ? readFileSync(main) : Buffer.alloc(0);
  const pageBytes = wal.readUInt32BE(8);
  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  if (pageBytes !== pageBytesOf(database) || HEADER_BYTES + frameBytes > wal.length) return false;
  // What the first frame adds to is not known any more; the page in it is compared, and all others add to it.
  const salt = wal.subarray(HEADER_BYTES + 8, HEADER_BYTES + 16);
  const sum: Sum = [wal.readUInt32BE(HEADER_BYTES + 16), wal.readUInt32BE(HEADER_BYTES + 20)];
  const rest = framesOf(wal, HEADER_BYTES + frameBytes, salt, sum, little);
  if (rest.damage !== undefined) return false;
  const pages = new Map<number, Buffer>();
  let committed: ReadonlyMap<number, Buffer> = new Map();
  let count = 0;
  for (let at = HEADER_BYTES; at < rest.end; at += frameBytes) {
    pages.set(wal.readUInt32BE(at), wal.subarray(at + FRAME_HEADER_BYTES, at + frameBytes));
    if (wal.readUInt32BE(at + 4) === 0) continue;
    committed = new Map(pages);
    count = wal.readUInt32BE(at + 4);
  }
  const isThere = (number: number, page: Buffer): boolean =>
    database.subarray((number - 1) * pageBytes, number * pageBytes).equals(page);
  return (
    count > 0 && [...committed].every(([number, page]) => number > count || isThere(number, page))
  );
}

/** As the main file says it of itself (§ 1.3.2); 0 where there is none. */
function pageBytesOf(database: Buffer): number {
  const said = database.length < DATABASE_HEADER_BYTES ? 0 : database.readUInt16BE(16);
  return said === 1 ? 65_536 : said;
}

type Frames = {
  /** Where the first frame begins that does not add up. */
  readonly end: number;
  readonly damage?: string;
};

/** The frames from `from` on that add up after `first` and are of the round that `salt` is of. */
function framesOf(wal: Buffer, from: number, salt: Buffer, first: Sum, little: boolean): Frames {
  const frameBytes = FRAME_HEADER_BYTES + wal.readUInt32BE(8);
  let sum = first;
  let end: number | undefined;
  let commitsInTurn = 0;
  let at = from;
  for (; at + frameBytes <= wal.length; at += frameBytes) {
    sum = add(sum, wal.subarray(at, at + 8), little);
    sum = add(sum, wal.subarray(at + FRAME_HEADER_BYTES, at + frameBytes), little);
    // Frames of an earlier round of the file have other salts.
    const current = wal.subarray(at + 8, at + 16).equals(salt);
    const goesOn = current && matches(sum, wal, at + 16);
    if (goesOn && end === undefined) continue;
    end ??= at;
    // Whether the next one goes on from this one, whatever this one is.
    sum = [wal.readUInt32BE(at + 16), wal.readUInt32BE(at + 20)];
    const commits = current && at > end && wal.readUInt32BE(at + 4) !== 0;
    commitsInTurn = (goesOn ? commitsInTurn : 0) + (commits ? 1 : 0);
    if (commitsInTurn > COMMITS_AFTER_MAX)
      return { end, damage: "its write-ahead log is damaged before commits that were durable" };
  }
  return { end: end ?? at };
}

/** The checksum of the format, carried on over `bytes` (a multiple of 8). */
function add([s0, s1]: Sum, bytes: Buffer, little: boolean): Sum {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let a = s0;
  let b = s1;
  for (let at = 0; at < bytes.length; at += 8) {
    a = (a + view.getUint32(at, little) + b) >>> 0;
    b = (b + view.getUint32(at + 4, little) + a) >>> 0;
  }
  return [a, b];
}

function matches([a, b]: Sum, wal: Buffer, at: number): boolean {
  return wal.readUInt32BE(at) === a && wal.readUInt32BE(at + 4) === b;
}
