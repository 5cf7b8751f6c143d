/**
 * Beginning a log: what the log before left unread is wrapped, and a new random root is made, sealed to the tenant,
 * split into the lanes' keys and forgotten, all in one transaction.
 */
import {
  ackKeyOf,
  concatBytes,
  LANES,
  type Lane,
  type Random,
  ratchetStart,
  seal,
  sha256,
  signOpening,
  ZERO_HASH,
} from "@kerbside/protocol";
import type { Handle } from "./database.ts";
import { forgetEmptyLogs, giveUpLog } from "./forget.ts";
import { laneKeys } from "./lane-keys.ts";
import { type LaneWriter, laneWriter } from "./lane-writer.ts";
import type { BufferLimits } from "./limits.ts";
import { NUMBER_MAX, placeKey, placeOf, SLOT_MAX } from "./place.ts";
import { type LogPlace, laneEnd, type Signer, writeSegment } from "./segment-writer.ts";
import { LOG_END, type LogRecord, type Statements } from "./statements.ts";

const ROOT_BYTES = 32;
const LOG_ID_BYTES = 16;

/** The tenant's key that roots are sealed to. */
export type IngestKey = { readonly version: number; readonly publicKey: Uint8Array };

/** What a new log is made of. */
export type LogSettings = Signer & {
  readonly ingestKey: IngestKey;
  readonly agentVersion: string;
  readonly random: Random;
  readonly limits: BufferLimits;
  /** An event that tells of a database that was set aside. */
  readonly setAsideEvent: (detail: string) => FirstEvent;
};

/** An event of the buffer's own that a log begins with. */
export type FirstEvent = {
  readonly lane: Lane;
  readonly plain: Uint8Array;
  /** On the boot clock. */
  readonly atMs: number;
};

/** Numbers that a failed commit used up: lane by lane, the last one given out. */
export type LostNumbers = Readonly<Partial<Record<Lane, number>>>;

export type OpenLog = LogPlace & {
  readonly lanes: Readonly<Record<Lane, LaneWriter>>;
  /** Of the log before this one on this disk; true where there was none. */
  readonly previousEndedCleanly: boolean;
  /** Events that were given up for its slot. */
  readonly gaveWay: number;
};

/**
 * Starts a log, with `first` in it. `lost` speaks of the newest log before it. Throws what SQLite throws; then nothing has changed.
 */
export function startLog(
  db: Handle,
  statements: Statements,
  settings: LogSettings,
  lost: LostNumbers = {},
  first: readonly FirstEvent[] = [],
): OpenLog {
  const root = settings.random.bytes(ROOT_BYTES);
  const log = settings.random.bytes(LOG_ID_BYTES);
  try {
    return db
      .transaction((): OpenLog => {
        const before = statements.logs.all();
        const previous = before.at(-1);
        for (const old of before) wrap(statements, settings, old, old === previous ? lost : {});
        const previousEndedCleanly = previous === undefined || previous.clean === LOG_END.clean;
        const signed = opening(statements, settings, log, root, previous);
        // After the opening, which says how the log before it ended; nobody else needs one that holds nothing.
        forgetEmptyLogs(statements);
        const { slot, gaveWay } = freeSlot(statements);
        statements.putLog.run({
          slot,
          log,
          opening: signed,
          ack_key: ackKeyOf(root, { ...settings.address, log }),
          opening_known: 0,
          clean: LOG_END.open,
          started: (previous?.started ?? 0) + 1,
        });
        const writer = (lane: Lane): LaneWriter => {
          const keys = laneKeys(ratchetStart(root, { ...settings.address, log }, lane));
          const start = { number: 0, seq: 0, hash: ZERO_HASH };
          return laneWriter(
            statements,
            settings,
            { slot, log },
            lane,
            start,
            keys,
            settings.limits,
          );
        };
        const lanes = {
          critical: writer("critical"),
          state: writer("state"),
          track: writer("track"),
        };
        for (const { lane, plain, atMs } of first) lanes[lane].add(plain, atMs);
        return { slot, log, lanes, previousEndedCleanly, gaveWay };
      })
      .immediate();
  } finally {
    root.fill(0);
  }
}

/** Where all are taken, the oldest log gives way as a whole: no slot is left that could declare its numbers as gone. */
function freeSlot(statements: Statements): { readonly slot: number; readonly gaveWay: number } {
  const held = statements.logs.all();
  const taken = new Set(held.map(({ slot }) => slot));
  const next = held.reduce((most, { slot }) => Math.max(most, slot), 0) + 1;
  if (next <= SLOT_MAX) return { slot: next, gaveWay: 0 };
  for (let slot = 1; slot <= SLOT_MAX; slot += 1) if (!taken.has(slot)) return { slot, gaveWay: 0 };
  const slot = held[0]?.slot ?? 1;
  return { slot, gaveWay: giveUpLog(statements, slot) };
}

function opening(
  statements: Statements,
  { address, signingKey, ingestKey, agentVersion }: LogSettings,
  log: Uint8Array,
  root: Uint8Array,
  previous: LogRecord | undefined,
): Uint8Array {
  const ends = (slot: number): Uint8Array =>
    sha256(concatBytes(...LANES.map((lane) => laneEnd(statements, slot, lane).hash)));
  return signOpening(signingKey, {
    ...address,
    log,
    ...(previous === undefined
      ? {}
      : { previousLog: previous.log, previousHash: ends(previous.slot) }),
    previousEndedCleanly: previous === undefined || previous.clean === LOG_END.clean,
    ingestKeyVersion: ingestKey.version,
    sealedRoot: seal(root, ingestKey.publicKey),
    agentVersion,
  });
}

/** Wraps, lane by lane, the rows after the last closed segment: their keys are gone, so unread, as they are. */
function wrap(
  statements: Statements,
  signer: Signer,
  { slot, log }: LogRecord,
  lost: LostNumbers,
): void {
  for (const lane of LANES) {
    let end = laneEnd(statements, slot, lane);
    const from = placeKey(lane, slot, end.seq + 1);
    const rows = statements.rows.all(from, placeKey(lane, slot, NUMBER_MAX));
    const contiguous = rows.every((row, i) => placeOf(row.place).number === end.seq + 1 + i);
    if (!contiguous) throw new RangeError(`buffer: rows of ${lane} are missing in the middle`);
    if (rows.length > 0) {
      const sealed = rows.map((row) => row.sealed);
      end = writeSegment(statements, signer, { slot, log }, lane, end, {
        codec: "rows",
        rows: sealed,
      });
    }
    const missing = (lost[lane] ?? 0) - end.seq;
    if (missing > 0) {
      writeSegment(statements, signer, { slot, log }, lane, end, { codec: "gap", count: missing });
    }
  }
}
