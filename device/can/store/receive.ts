/** What a frame of one message must pass before its values count: checksum, then counter; and what was missed. */
import { checksumOf } from "../profile/e2e.ts";
import type { BoundMessage } from "../profile/link.ts";

/** How a frame stands to those before it. */
export type Reception = {
  /** Frames refused for their checksum, or for ending before it. */
  corrupt: number;
  /** Frames with the counter of the one before: a sender that hangs, or a copy. */
  repeated: number;
  /** Missing by the counter; where there is none, by the expected period. */
  missed: number;
  lastMs: number;
  lastCounter: number;
};

export function newReception(): Reception {
  return { corrupt: 0, repeated: 0, missed: 0, lastMs: Number.NaN, lastCounter: Number.NaN };
}

/** Before decoding. False: the frame is not what its sender sent. */
export function checksumHolds(message: BoundMessage, data: Uint8Array): boolean {
  const rule = message.e2e?.checksum;
  if (rule === undefined) return true;
  const { byte, algorithm, dataId } = rule;
  return data[byte] === checksumOf(algorithm, dataId, data, byte);
}

/** A pause of more periods than this is a bus that slept, and nothing is said to be missing. */
const PERIODS_MAX = 10;
/** A frame later than this many periods means that one was missed: jitter stays below. */
const LATE_PERIODS = 1.8;

/** After decoding. False: the counter stands still. Counts what is missing in between. */
export function counterMoves(
  message: BoundMessage,
  seen: Reception,
  counter: number | undefined,
  bootMs: number,
): boolean {
  const period = message.periodMs;
  const periods = period === undefined ? Number.NaN : (bootMs - seen.lastMs) / period;
  const modulus = message.e2e?.counter?.modulus;
  if (counter === undefined || modulus === undefined) {
    if (periods > LATE_PERIODS && periods <= PERIODS_MAX) seen.missed += Math.round(periods) - 1;
    seen.lastMs = bootMs;
    return true;
  }
  const step = (counter - seen.lastCounter + modulus) % modulus;
  const awake = Number.isNaN(periods) || periods <= modulus;
  // Of whatever was heard, believed or not: a sender that hangs is not one that slept.
  seen.lastMs = bootMs;
  if (step === 0 && awake) {
    seen.repeated += 1;
    return false;
  }
  if (step > 1 && awake) seen.missed += step - 1;
  seen.lastCounter = counter;
  return true;
}
