/** What the module holds and what the store has of it, read from its buffer beside the running agent. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { inspectBuffer } from "@kerbside/buffer";
import { type Clock, LANES, type Lane, verifyKey } from "@kerbside/protocol";
import { loadIdentity } from "@kerbside/uplink";

const EVERY_MS = 1000;

export type LaneShown = {
  readonly lane: Lane;
  readonly events: number;
  readonly segments: number;
  readonly bytes: number;
  /** Of the newest log: the last number given out that is still held, and up to which the store has acknowledged. */
  readonly last: number;
  readonly acknowledged: number;
};
export type ModuleView = {
  readonly lanes: () => readonly LaneShown[];
  /** Why nothing can be told, in words. */
  readonly problem: () => string | undefined;
  readonly close: () => Promise<void>;
};

/** `dir`: the agent's data directory. */
export function watchModule(dir: string, clock: Clock): ModuleView {
  let lanes: readonly LaneShown[] = [];
  let problem: string | undefined;
  const look = (): void => {
    try {
      lanes = inspect(dir, lanes);
      problem = undefined;
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    timer = clock.after(EVERY_MS, look);
  };
  let timer = clock.after(0, look);
  return {
    lanes: () => lanes,
    problem: () => problem,
    close: async () => timer.cancel(),
  };
}

function inspect(dir: string, before: readonly LaneShown[]): readonly LaneShown[] {
  const identity = loadIdentity(join(dir, "identity"));
  const buffer = join(dir, "buffer");
  if (identity === undefined || !existsSync(buffer)) return [];
  const found = inspectBuffer(buffer, verifyKey(identity.signingKey.publicKey));
  return LANES.map((lane) => {
    const held = found.filter((report) => report.lane === lane && report.count > 0);
    const newest = held.at(-1);
    const known = before.find((one) => one.lane === lane);
    const last = newest?.last ?? known?.last ?? 0;
    return {
      lane,
      events: held.reduce((sum, { count }) => sum + count, 0),
      segments: held.reduce((sum, { segments }) => sum + segments, 0),
      bytes: held.reduce((sum, { bytes }) => sum + bytes, 0),
      last,
      acknowledged: newest === undefined ? last : newest.first - 1,
    };
  });
}
