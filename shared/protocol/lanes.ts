/**
 * The three lanes of a car's events. Each has its own sequence from 1 in each log, its own keys and its
 * own promise of when an event is durable.
 */
import { type Codec, choice } from "./schema.ts";

export const LANES = ["critical", "state", "track"] as const;
export type Lane = (typeof LANES)[number];
export const laneCodec: Codec<Lane> = choice(LANES);

/** How long an event may wait for a shared durable commit, in milliseconds. 0: it is committed at once. */
export const COMMIT_WITHIN_MS: Readonly<
  Record<Lane, { readonly min: number; readonly max: number }>
> = {
  critical: { min: 0, max: 0 },
  state: { min: 250, max: 250 },
  track: { min: 250, max: 5000 },
};

export function isLane(value: unknown): value is Lane {
  return typeof value === "string" && (LANES as readonly string[]).includes(value);
}
