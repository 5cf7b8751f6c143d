/** What the buffer is to its users. */
import type { Clock, EventTime, Lane, Log, NewEvent } from "@kerbside/protocol";
import type { AckOutcome } from "./forget.ts";
import type { BufferLimits } from "./limits.ts";
import type { IngestKey, LogSettings } from "./log-start.ts";
import type { NextOptions, OutgoingSegment } from "./outgoing.ts";

/** Where an event went. The triple is unique for the car, for ever. */
export type Appended = { readonly lane: Lane; readonly log: Uint8Array; readonly seq: number };

export type BufferStatus = {
  readonly state: "working" | "failed" | "closed";
  /** Why it failed, where it did. */
  readonly reason?: string;
  /** Hexadecimal. */
  readonly log?: string;
  readonly segments: Readonly<Record<Lane, number>>;
  readonly bytes: number;
  readonly bytesMax: number;
  /** Events that were refused or had to give way since the start. */
  readonly lost: number;
  /** By trusted time, in Unix milliseconds: since then at the latest the oldest of what is held is. Absent where not known. */
  readonly heldSinceMs?: number;
};

export type Buffer = {
  /**
   * Resolves once the event is on the disk: `critical` at once, `state` within 250 ms, `track` within its window. Rejects
   * with ProtocolError `malformed` (its data breaks the schema), `limit_reached` (full of what may not give way),
   * `storage_failed` (the disk failed; whatever number it had is declared as gone) or `unavailable` (closed).
   */
  readonly append: (event: NewEvent & Partial<EventTime>, lane?: Lane) => Promise<Appended>;
  /** What is to be sent next, or undefined. The same is given again until it is acknowledged or skipped. */
  readonly next: (options: NextOptions) => OutgoingSegment | undefined;
  /** Takes a message from `ack`; forgets what it rightly covers. Never throws for what it says. */
  readonly acknowledge: (message: Uint8Array) => AckOutcome;
  /** Whether somebody sends now: while nobody does, segments are left to grow. */
  readonly online: (is: boolean) => void;
  /** Calls `listener` when there may be more to send. Returns how to stop that. */
  readonly watch: (listener: () => void) => () => void;
  /** Never throws, and changes nothing: of a file that cannot be read it says `failed`, and the next commit finds it too. */
  readonly status: () => BufferStatus;
  /**
   * Ends the log in order and begins the next, whose root only this ingest key opens. What is held, and what is under
   * way, stays as it is: the store needs the key before for it. Does nothing where the log under way has a key of
   * that version. Never throws.
   */
  readonly renew: (ingestKey: IngestKey) => void;
  /** Whether the log before this one ended in order; true where there was none. */
  readonly previousEndedCleanly: boolean;
  /** Commits what waits, ends the log in order, lets the file go. Idempotent; never rejects. */
  readonly close: () => Promise<void>;
};

export type BufferOptions = Omit<LogSettings, "limits" | "setAsideEvent"> & {
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** How long an event of `track` may wait for its commit, 250 to 5000 ms. */
  readonly trackWindowMs?: number;
  readonly limits?: Partial<BufferLimits>;
  /** The relation of boot clock and wall clock, and its doubt; by default the wall clock as it is. */
  readonly time?: () => EventTime;
};
