/** Every bound of the buffer, with what happens when it is reached. All may be given smaller or larger at opening. */
import { COMMIT_WITHIN_MS, type Lane, SEGMENT_BODY_BYTES_MAX } from "@kerbside/protocol";

export type BufferLimits = {
  /** Sealed events and signed headers held, in bytes. Beyond it the oldest `track`, then `state`, gives way. */
  readonly bytesMax: number;
  /** Of those, what only `critical` may use. */
  readonly criticalReserveBytes: number;
  /** How old what is held may become by trusted time, in milliseconds. Beyond it, it is declared as gone. */
  readonly ageMsMax: Readonly<Record<Lane, number>>;
  /** Events in a segment; at most SEGMENT_EVENTS_MAX. The segment is closed. */
  readonly segmentEventsMax: number;
  /** Sealed bytes in a segment. The segment is closed. */
  readonly segmentBytesMax: number;
  /** While somebody sends: the age at which an open segment is closed, in milliseconds. */
  readonly closeAfterMs: Readonly<Record<Lane, number>>;
  /** The age at which it is closed whoever sends or not, in milliseconds: its keys are in memory as long. */
  readonly openMsMax: number;
  /** Events that wait for one commit; reaching it commits at once. */
  readonly pendingEventsMax: number;
  /** Segments in a lane of one log; the log is ended in order and another begins. A store keeps as many hashes. */
  readonly logSegmentsMax: number;
  /** Databases that were set aside and are kept for inspection; older ones are deleted. */
  readonly setAsideMax: number;
};

const DAY_MS = 86_400_000;
export const BUFFER_LIMITS: BufferLimits = {
  bytesMax: 64 * 1024 * 1024,
  criticalReserveBytes: 4 * 1024 * 1024,
  ageMsMax: { critical: 730 * DAY_MS, state: 365 * DAY_MS, track: 90 * DAY_MS },
  segmentEventsMax: 1024,
  segmentBytesMax: SEGMENT_BODY_BYTES_MAX - 32 * 1024,
  closeAfterMs: { critical: 0, state: 1000, track: 10_000 },
  openMsMax: 6 * 3_600_000,
  pendingEventsMax: 512,
  logSegmentsMax: 1_000_000,
  setAsideMax: 2,
};

/** A commit is begun this long before its time is up, so that it is over by then, in milliseconds. */
const COMMIT_TAKES_MS = 50;

/** How long an event of this lane may wait for others to share its commit, in milliseconds. */
export function commitDelayMs(lane: Lane, trackWindowMs: number): number {
  const { min, max } = COMMIT_WITHIN_MS[lane];
  const window = lane === "track" ? Math.min(max, Math.max(min, trackWindowMs)) : max;
  return Math.max(0, window - COMMIT_TAKES_MS);
}

/** How long an open segment of this lane may grow, in milliseconds: long while nobody sends, for few, well-packed segments. */
export function growsMs(
  { closeAfterMs, openMsMax }: Pick<BufferLimits, "closeAfterMs" | "openMsMax">,
  lane: Lane,
  online: boolean,
): number {
  return online ? Math.min(closeAfterMs[lane], openMsMax) : openMsMax;
}
