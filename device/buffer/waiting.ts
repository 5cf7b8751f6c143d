/** Events that wait for the next commit. */
import { encodeEvent, type Lane, laneOf, type NewEvent } from "@kerbside/protocol";
import type { Appended, BufferOptions } from "./contract.ts";
import { eventTime } from "./event-time.ts";

export type Waiting = {
  readonly lane: Lane;
  readonly plain: Uint8Array;
  readonly done: (appended: Appended) => void;
  readonly failed: (error: Error) => void;
  /** It met a damaged database already, which was set aside. */
  readonly again?: true;
};

/** An event of the buffer's own, that nobody waits for. */
export function ownEvent(options: BufferOptions, event: NewEvent): Waiting {
  const nothing = (): void => undefined;
  const plain = encodeEvent({ ...eventTime(options), ...event });
  return { lane: laneOf(event.kind), plain, done: nothing, failed: nothing };
}
