/**
 * The body computer as far as it locks by its bus: it acts once on a request that is repeated with the right counter
 * and checksum, as such units do, and on nothing else. Which frames mean what is in the shipped profile's `locking`;
 * that they are right is judged here, by other code than the module's.
 */
import { type CanFrame, readShippedProfile } from "@kerbside/can";
import { fromHex } from "@kerbside/protocol";
import { PROFILE_NAME } from "./control-units.ts";

/** So many frames of one request, each the next of the one before, make the unit act. */
const FRAMES_MIN = 3;
/** A request that pauses for longer is another one. */
const PAUSE_MS_MAX = 200;
const REQUESTS = ["lock", "unlock"] as const;
export type BodyRequest = (typeof REQUESTS)[number];

type Run = {
  readonly request: BodyRequest;
  readonly count: number;
  readonly frames: number;
  readonly atMs: number;
};
type Row = {
  readonly request: BodyRequest;
  readonly id: number;
  readonly data: Uint8Array;
};

export type BodyComputer = {
  /** Takes a frame of the bus that is not the car's own; gives what it asks the body to do, if it does. */
  readonly take: (frame: CanFrame, nowMs: number) => BodyRequest | undefined;
};

/** Byte of the counter (upper half) and of the checksum (XOR of the others), in all of the requests. */
const COUNTER = 1;
const CHECKSUM = 2;

export function createBodyComputer(): BodyComputer {
  const { locking } = readShippedProfile(PROFILE_NAME).profile;
  const rows = REQUESTS.flatMap((request): readonly Row[] => {
    const row = locking?.actions[request];
    return row === undefined ? [] : [{ request, id: row.id, data: fromHex(row.data) }];
  });
  let run: Run | undefined;
  return {
    take: (frame, nowMs) => {
      const row = rows.find(({ id, data }) => isRequest(frame, id, data));
      if (row === undefined) return undefined;
      const count = (frame.data[COUNTER] ?? 0) >> 4;
      const isNext =
        run?.request === row.request &&
        count === (run.count + 1) % 16 &&
        nowMs - run.atMs <= PAUSE_MS_MAX;
      const frames = isNext && run !== undefined ? run.frames + 1 : 1;
      run = { request: row.request, count, frames, atMs: nowMs };
      return frames === FRAMES_MIN ? row.request : undefined;
    },
  };
}

function isRequest({ id, ext, kind, data }: CanFrame, wanted: number, is: Uint8Array): boolean {
  if (id !== wanted || ext || kind !== "data" || data.length !== is.length) return false;
  let sum = 0;
  for (const [at, byte] of data.entries()) {
    if (at === CHECKSUM) continue;
    sum ^= byte;
    if (at === COUNTER ? (byte & 0x0f) !== 0 : byte !== is[at]) return false;
  }
  return data[CHECKSUM] === sum;
}
