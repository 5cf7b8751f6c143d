/**
 * The trip under way, in a small two-copy file, so that an agent that starts again goes on with it. Between two boots
 * only wall time tells how long ago it began: where that is wrong, so is the trip's duration, and nothing else. Only
 * while a trip lasts are its start and the odometer then in the file: no place, no person.
 */
import type { KnownTrip, TripMemory } from "@kerbside/can";
import { openTwoCopyFile } from "@kerbside/immobiliser";
import {
  type Clock,
  decode,
  encode,
  type Log,
  optional,
  struct,
  type TypeOf,
  uint,
} from "@kerbside/protocol";

const trip = { class: "Confidential", tag: "SPI" } as const;
const keptCodec = struct("trip under way", {
  startWallMs: optional(0, uint(), { ...trip, doc: "Unix time of its start; missing: no trip" }),
  startOdometerM: optional(1, uint(), { ...trip, doc: "the odometer then" }),
  integralM: optional(2, uint(), { ...trip, doc: "driven by speed and time when written" }),
});
type Kept = TypeOf<typeof keptCodec>;

export type TripFile = {
  readonly memory: TripMemory;
  /** Waits for what is being written. */
  readonly close: () => Promise<void>;
};

/** Throws what the file system throws. A file that cannot be read is no trip. */
export async function openTripFile(path: string, clock: Clock, log: Log): Promise<TripFile> {
  const file = await openTwoCopyFile(path);
  let known = readKnown(file.content, clock);
  let writing: Promise<void> = Promise.resolve();
  const write = (kept: Kept): void => {
    writing = writing
      .then(() => file.write(padded(encode(keptCodec, kept))))
      .catch(() => log.warn("trip.not_kept"));
  };
  return {
    memory: {
      read: () => known,
      write: (next) => {
        known = next;
        if (next !== undefined) write(keptOf(next, clock));
        // Both copies: a trip that is over leaves nothing behind in the clear (P-30).
        else for (let copies = 0; copies < 2; copies++) write({});
      },
    },
    close: async () => {
      await writing;
      await file.close();
    },
  };
}

/** A record is written in place, so each has the same length: a shorter one would leave the end of the one before. */
const PADDED_BYTES = 64;

function padded(record: Uint8Array): Uint8Array {
  const all = new Uint8Array(PADDED_BYTES);
  all[0] = record.length;
  all.set(record, 1);
  return all;
}

function unpadded(all: Uint8Array): Uint8Array {
  return all.subarray(1, 1 + (all[0] ?? 0));
}

function keptOf({ startMs, startOdometerM, integralM }: KnownTrip, clock: Clock): Kept {
  const agoMs = clock.bootMs() - startMs;
  return {
    startWallMs: Math.max(0, Math.round(clock.wallMs() - agoMs)),
    integralM,
    ...(startOdometerM === undefined ? {} : { startOdometerM: Math.round(startOdometerM) }),
  };
}

function readKnown(content: Uint8Array | undefined, clock: Clock): KnownTrip | undefined {
  if (content === undefined) return undefined;
  try {
    const { startWallMs, startOdometerM, integralM = 0 } = decode(keptCodec, unpadded(content));
    if (startWallMs === undefined) return undefined;
    const agoMs = Math.max(0, clock.wallMs() - startWallMs);
    const startMs = clock.bootMs() - agoMs;
    return { startMs, integralM, ...(startOdometerM === undefined ? {} : { startOdometerM }) };
  } catch {
    // Whatever is wrong with it, it is no trip.
    return undefined;
  }
}
