/**
 * A live copy of one SQLite file (P-90), kept by shipping its write-ahead log. A read transaction keeps the log from
 * being started anew while its frames are copied; what is copied is whole transactions, synchronized to the disk. Now and
 * then writers wait for a moment, both sides take the log into the file, and it starts again from nothing.
 *
 * The copy of the file itself may be made while pages of it are being written: such pages stand in the log too, which is
 * shipped from its beginning and put over them.
 */
import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import BetterSqlite3 from "better-sqlite3";
import { BUSY_MS_MAX } from "./database.ts";
import type { LogTarget } from "./replica-target.ts";
import { committed, readWalHeader, WAL_HEADER_BYTES, type WalHead } from "./wal-frames.ts";

/** A longer log is taken into the file. */
const LOG_BYTES_MAX: number = 8 * 1024 * 1024;
/** Read at a time; more than the largest frame. */
const READ_BYTES: number = 4 * 1024 * 1024;

type Shipped = { readonly head: WalHead; readonly bytes: number };

/** How far the log goes at a moment. */
export type WalMark = { readonly salts: WalHead["salts"]; readonly bytes: number } | undefined;

export type WalShipper = {
  /**
   * Brings the copy up to what was committed before the call, or before `until`. `first` is run before the log is taken
   * into the file, while nobody writes to this one. Returns the bytes shipped. Throws `storage_failed`.
   */
  readonly step: (until?: WalMark, first?: () => void) => number;
  readonly mark: () => WalMark;
  /** All that was shipped so far is durable at the copy. */
  readonly settle: () => void;
  /** Goes on from where it was settled last. False: it cannot, and has to be begun anew. */
  readonly rewind: () => boolean;
  readonly close: () => void;
};

/** Makes a fresh copy at `target` and keeps it. Rejects with ProtocolError `storage_failed`. */
export async function shipWal(source: string, target: LogTarget): Promise<WalShipper> {
  const reader = open(source);
  pin(reader);
  try {
    await target.copy(source);
  } catch (error) {
    reader.close();
    throw error;
  }
  let shipped: Shipped | undefined;
  /** What the file of the copy holds already of a log that is not there any more, or not yet any further. */
  let taken: Shipped | undefined;
  /** How often the log was taken in, so that what was settled before is known to be over. */
  let folds = 0;
  let sound: { shipped: typeof shipped; taken: typeof taken; folds: number } | undefined;
  const withLog = <T>(use: (from: number, head: WalHead) => T): T | undefined => {
    const from = openIfThere(`${source}-wal`);
    if (from === undefined) return undefined;
    try {
      const head = headOf(from);
      return head === undefined ? undefined : use(from, head);
    } finally {
      closeSync(from);
    }
  };
  const mark = (): WalMark =>
    withLog((from, { salts }) => ({ salts, bytes: fstatSync(from).size }));
  const ship = (until: WalMark): number =>
    withLog((from, head) => {
      // A log that began anew since is for the next round.
      if (until === undefined || !isSame(until, head)) return 0;
      if (taken !== undefined && isSame(taken.head, head) && until.bytes <= taken.bytes) return 0;
      taken = undefined;
      if (shipped !== undefined && !isSame(shipped.head, head)) shipped = undefined;
      const before = shipped?.bytes ?? 0;
      const soFar = shipped ?? { head, bytes: WAL_HEADER_BYTES };
      shipped = append(from, target, soFar, until.bytes);
      return shipped.bytes - before;
    }) ?? 0;
  /** While no writer is at work. */
  const fold = (first: () => void): void => {
    folds += 1;
    const writer = open(source);
    try {
      writer.exec("BEGIN IMMEDIATE");
      first();
      ship(mark());
      reader.exec("COMMIT");
      if (takeInLog(source)) {
        target.takeIn();
        taken = shipped;
        shipped = undefined;
      }
      pin(reader);
    } finally {
      writer.close();
    }
  };
  return {
    step: (until = mark(), first = () => undefined) => {
      const bytes = ship(until);
      if ((shipped?.bytes ?? 0) > LOG_BYTES_MAX) fold(first);
      return bytes;
    },
    mark,
    settle: () => {
      sound = { shipped, taken, folds };
    },
    rewind: () => {
      if (sound?.folds !== folds) return false;
      ({ shipped, taken } = sound);
      return true;
    },
    close: () => reader.close(),
  };
}

function open(file: string): BetterSqlite3.Database {
  const db = new BetterSqlite3(file, { timeout: BUSY_MS_MAX, fileMustExist: true });
  db.pragma("synchronous = FULL");
  // This side decides when the log is taken in.
  db.pragma("wal_autocheckpoint = 0");
  return db;
}

/** Begins to read, so that nobody starts the log anew. */
function pin(reader: BetterSqlite3.Database): void {
  reader.exec("BEGIN");
  reader.prepare("SELECT count(*) FROM sqlite_schema").get();
}

/** Takes the log of a database into its file. Says whether all of it went in. */
export function takeInLog(file: string): boolean {
  const db = open(file);
  try {
    const [result] = db.pragma("wal_checkpoint(PASSIVE)") as readonly {
      readonly busy: number;
      readonly log: number;
      readonly checkpointed: number;
    }[];
    return result?.busy === 0 && result.log === result.checkpointed;
  } finally {
    db.close();
  }
}

function openIfThere(file: string): number | undefined {
  return existsSync(file) ? openSync(file, "r") : undefined;
}

function headOf(from: number): WalHead | undefined {
  const bytes = new Uint8Array(WAL_HEADER_BYTES);
  return readSync(from, bytes, 0, bytes.length, 0) === bytes.length
    ? readWalHeader(bytes)
    : undefined;
}

function isSame(one: Pick<WalHead, "salts">, other: Pick<WalHead, "salts">): boolean {
  return one.salts[0] === other.salts[0] && one.salts[1] === other.salts[1];
}

/** Appends what was committed since, up to a place. A log that begins anew takes the place of the one before. */
function append(from: number, target: LogTarget, shipped: Shipped, until: number): Shipped {
  let { head, bytes } = shipped;
  const pieces: Uint8Array[] = [];
  let held = 0;
  let at = bytes;
  const flush = (): void => {
    target.append(at, pieces.splice(0));
    at = bytes;
    held = 0;
  };
  if (bytes === WAL_HEADER_BYTES) {
    const header = new Uint8Array(WAL_HEADER_BYTES);
    readSync(from, header, 0, header.length, 0);
    target.begin(header);
  }
  for (let size = READ_BYTES; ; ) {
    const room = new Uint8Array(Math.min(size, Math.max(0, until - bytes)));
    const length = readSync(from, room, 0, room.length, bytes);
    const good = committed(head, room.subarray(0, length));
    if (good.length === 0) {
      // One transaction that is longer than what was read.
      if (length < size) break;
      size *= 2;
      continue;
    }
    pieces.push(room.subarray(0, good.length));
    held += good.length;
    bytes += good.length;
    head = good.head;
    if (held >= READ_BYTES) flush();
  }
  // Also where nothing was added: it cuts off what an attempt that failed may have left.
  flush();
  return { head, bytes };
}
