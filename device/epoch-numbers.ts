/**
 * Numbers that rise from one epoch to the next, so that nobody can pass an old announcement off as a new one. The last
 * one is kept in a file; where that is lost or was put back, the clock still gives a higher one, if it is at all right.
 */
import { readFileSync } from "node:fs";
import type { Clock } from "@kerbside/protocol";
import { writeDurably } from "@kerbside/uplink";

export type EpochNumbers = {
  /** The number of an epoch: a new one at the first call with it, which is on the disk when this returns. */
  readonly of: (epoch: Uint8Array) => number;
};

export function openEpochNumbers(file: string, clock: Pick<Clock, "wallMs">): EpochNumbers {
  let last = read(file);
  let current: Uint8Array | undefined;
  return {
    of: (epoch) => {
      if (epoch === current) return last;
      current = epoch;
      last = Math.max(last + 1, Math.floor(clock.wallMs()));
      try {
        writeDurably(file, `${last}\n`);
      } catch {
        // A disk that fails costs a replayed announcement being believed at worst, and no command.
      }
      return last;
    },
  };
}

function read(file: string): number {
  try {
    const number = Number(readFileSync(file, "utf8").trim());
    return Number.isSafeInteger(number) && number >= 0 ? number : 0;
  } catch {
    return 0;
  }
}
