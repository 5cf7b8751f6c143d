/** Randomness that a printed seed replays: the same seed makes the same run on every machine. */
import { randomInt } from "node:crypto";

export const SEED_MAX = 0xffffffff;

export type Random = {
  readonly seed: number;
  /** From 0 to below `below`, which is at most 2^32. */
  readonly int: (below: number) => number;
  readonly bool: (chance?: number) => boolean;
  readonly bytes: (length: number) => Uint8Array;
  /** Throws on an empty list. */
  readonly pick: <T>(from: readonly T[]) => T;
};

/** Mulberry32: 32 bits of state, good enough to find bugs with. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  const int = (below: number): number => Math.floor((next() / 2 ** 32) * below);
  return {
    seed,
    int,
    bool: (chance = 0.5) => next() / 2 ** 32 < chance,
    bytes: (length) => Uint8Array.from({ length }, () => int(256)),
    pick: (from) => {
      const found = from[int(from.length)];
      if (found === undefined) throw new RangeError("nothing to pick from");
      return found;
    },
  };
}

/** A fresh seed, to be printed by whoever uses it. */
export function freshSeed(): number {
  return randomInt(SEED_MAX);
}
