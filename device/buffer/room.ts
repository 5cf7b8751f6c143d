/**
 * What is held, in bytes, and what gives way when that is too much: `track` first, the oldest first, then `state`.
 * A dropped segment leaves a signed header that says which numbers are gone. `critical` has a reserve of its own.
 */
import {
  decode,
  equalBytes,
  headerCodec,
  headerHash,
  LANES,
  type Lane,
  parseSign1,
  type SegmentHeader,
  sha256,
  signHeader,
} from "@kerbside/protocol";
import { DamagedError } from "./damaged.ts";
import type { BufferLimits } from "./limits.ts";
import { laneRange, NUMBER_MAX, placeKey, placeOf } from "./place.ts";
import type { Signer } from "./segment-writer.ts";
import type { SegmentRecord, Statements } from "./statements.ts";

/** Who gives way to whom, and in which order. */
const GIVES_WAY: Readonly<Record<Lane, readonly Lane[]>> = {
  critical: ["track", "state", "critical"],
  state: ["track", "state"],
  track: ["track"],
};
/** Room made at once beyond what is asked, so that a full buffer does not drop on every commit. */
const SLACK_PART = 1 / 32;

const FITS = { fits: true, dropped: 0 } as const;

export type Room = {
  readonly bytes: () => number;
  readonly grew: (bytes: number) => void;
  readonly shrank: (bytes: number) => void;
  /** Declares a segment as gone, inside the caller's transaction. */
  readonly drop: (victim: SegmentRecord) => void;
  /** Counts again, from the database. */
  readonly recount: () => void;
  /**
   * Makes room for so many bytes of a lane, inside the caller's transaction. Returns what was dropped, and whether
   * there is room now.
   */
  readonly make: (
    lane: Lane,
    bytes: number,
  ) => { readonly fits: boolean; readonly dropped: number };
};

export function room(statements: Statements, signer: Signer, limits: BufferLimits): Room {
  let held = 0;
  const recount = (): void => {
    const everything = [laneRange("critical")[0], laneRange("track")[1]] as const;
    const segments = statements.segmentSizes.get(...everything)?.bytes ?? 0;
    held = segments + openBytes(statements);
  };
  recount();
  const drop = (victim: SegmentRecord): void => {
    const before = victim.bytes;
    const after = dropSegment(statements, signer, victim);
    held -= before - after;
  };
  return {
    bytes: () => held,
    grew: (bytes) => {
      held += bytes;
    },
    shrank: (bytes) => {
      held -= bytes;
    },
    drop,
    recount,
    make: (lane, bytes) => {
      const max = limits.bytesMax - (lane === "critical" ? 0 : limits.criticalReserveBytes);
      if (held + bytes <= max) return FITS;
      let dropped = 0;
      const wanted = max - bytes - max * SLACK_PART;
      for (const victims of GIVES_WAY[lane]) {
        while (held > wanted) {
          const victim = statements.oldestWhole.get(...laneRange(victims));
          if (victim === undefined) break;
          drop(victim);
          dropped += victim.count;
        }
      }
      return { fits: held + bytes <= max, dropped };
    },
  };
}

/** Sealed rows that no segment speaks of yet. */
function openBytes(statements: Statements): number {
  let bytes = 0;
  for (const { slot } of statements.logs.all()) {
    for (const lane of LANES) {
      const end = statements.lane.get(slot, LANES.indexOf(lane))?.seq ?? 0;
      const from = placeKey(lane, slot, end + 1);
      const to = placeKey(lane, slot, NUMBER_MAX);
      bytes += statements.rowSizes.get(from, to)?.bytes ?? 0;
    }
  }
  return bytes;
}

/**
 * Returns the bytes that are left of it. Throws DamagedError where its header is not what was written: nothing is signed
 * that the disk has spoilt.
 */
export function dropSegment(statements: Statements, signer: Signer, victim: SegmentRecord): number {
  const { lane, slot } = placeOf(victim.place);
  const before = intact(victim);
  const header = signHeader(signer.signingKey, {
    ...before,
    codec: "gap",
    bodyHash: sha256(new Uint8Array()),
    replaces: victim.hash,
  });
  const hash = headerHash(header);
  statements.dropSegment.run({
    place: victim.place,
    header,
    hash,
    replaced: victim.hash,
    bytes: header.length,
  });
  const first = placeKey(lane, slot, victim.first);
  statements.deleteRows.run(first, first + victim.count - 1);
  return header.length;
}

function intact(victim: SegmentRecord): SegmentHeader {
  const { lane, number } = placeOf(victim.place);
  const damaged = new DamagedError(`the header of ${lane} ${number} is damaged`);
  // Its hash was written beside it, and costs a hundredth of a look at its signature.
  if (!equalBytes(headerHash(victim.header), victim.hash)) throw damaged;
  const header = decode(headerCodec, parseSign1(victim.header).payload);
  const { first, count } = victim;
  if (header.number !== number || header.firstSeq !== first || header.count !== count)
    throw damaged;
  return header;
}
