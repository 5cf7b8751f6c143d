/**
 * What a buffer does about itself now and then, a little at a time: segments that have become too old give way, and a
 * file that is mostly free pages is made small.
 *
 * Ages need a time that holds over restarts, so only one that is trusted counts, and its doubt counts for the segment. A
 * segment itself carries no time: now and then a mark says how far each lane had come by then, which costs a row a lane.
 */
import { type EventTime, LANES } from "@kerbside/protocol";
import type { Commits } from "./commits.ts";
import type { Handle } from "./database.ts";
import type { BufferLimits } from "./limits.ts";
import { NUMBER_MAX, placeKey } from "./place.ts";
import type { Room } from "./room.ts";
import type { Statements } from "./statements.ts";

export type Upkeep = {
  /** Declares as gone some of what is too old. Returns how many events, and whether there is more of it. */
  readonly age: (time: EventTime) => { readonly dropped: number; readonly more: boolean };
  /** Makes the file small where little is in it. Returns whether it did. */
  readonly compact: () => boolean;
};

/** A time that may be further off says nothing of ages. */
const DOUBT_MS_MAX = 86_400_000;
/** Segments dropped in one commit: a signature each, some milliseconds together. */
const DROPPED_AT_ONCE = 4;
/** Free pages that are worth the trouble: 4 MiB. */
const FREE_PAGES_MIN = 1024;
/** What is copied at once, in memory: 1 MiB, some milliseconds. A fuller file is used again as it is. */
const LIVE_PAGES_MAX = 256;

export function upkeep(
  db: Handle,
  statements: Statements,
  limits: BufferLimits,
  space: Room,
  shared: Commits,
): Upkeep {
  return {
    age: (time) => {
      if (time.doubtMs > DOUBT_MS_MAX) return { dropped: 0, more: false };
      const nowMs = time.bootMs + time.wallOffsetMs;
      return shared.now(() => {
        mark(statements, Math.ceil(nowMs + time.doubtMs));
        return dropOld(statements, limits, space, nowMs - time.doubtMs);
      });
    },
    compact: () => {
      const free = Number(db.pragma("freelist_count", { simple: true }));
      if (free < FREE_PAGES_MIN) return false;
      const pages = Number(db.pragma("page_count", { simple: true }));
      if (pages - free > LIVE_PAGES_MAX) return false;
      shared.flush();
      db.exec("VACUUM");
      // The file itself is cut when its new pages are copied back.
      db.pragma("wal_checkpoint(PASSIVE)");
      return true;
    },
  };
}

/** Notes for each lane with anything new in it that all of it was there at this time. */
function mark(statements: Statements, atMs: number): void {
  for (const { slot } of statements.logs.all()) {
    for (const [index, lane] of LANES.entries()) {
      const last = statements.lane.get(slot, index)?.number ?? 0;
      const range = [placeKey(lane, slot, 0), placeKey(lane, slot, NUMBER_MAX)] as const;
      const held = statements.heldPlaces.get(...range);
      if (held === undefined) statements.deleteMarks.run(...range);
      else {
        const marked = statements.lastMark.get(...range)?.place;
        const end = placeKey(lane, slot, last);
        if (marked !== end) statements.putMark.run(end, atMs);
      }
    }
  }
}

function dropOld(
  statements: Statements,
  limits: BufferLimits,
  space: Room,
  nowMs: number,
): { readonly dropped: number; readonly more: boolean } {
  let dropped = 0;
  let left = DROPPED_AT_ONCE;
  for (const { slot } of statements.logs.all()) {
    for (const lane of LANES) {
      const first = placeKey(lane, slot, 0);
      const last = placeKey(lane, slot, NUMBER_MAX);
      const oldest = nowMs - limits.ageMsMax[lane];
      const end = statements.lastOldMark.get(first, last, oldest)?.place;
      if (end === undefined) continue;
      for (; left > 0; left -= 1) {
        const victim = statements.oldestWhole.get(first, end);
        if (victim === undefined) break;
        space.drop(victim);
        dropped += victim.count;
      }
      if (left === 0) return { dropped, more: true };
      statements.deleteMarks.run(first, end);
    }
  }
  return { dropped, more: false };
}
