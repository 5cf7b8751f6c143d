/** Results that the other side has not taken over yet, in order, across connections. */
import type { Log } from "@kerbside/protocol";

export type Outbox = {
  /**
   * `onTaken` is called once, when the other side has it. Beyond the bound the oldest gives way, untaken: the car's
   * journal has it, answers whoever asks again, and tells it at the next start.
   */
  readonly add: (result: Uint8Array, onTaken: () => void) => void;
  /** What was not yet sent on this connection; it counts as sent on it from now on. */
  readonly unsent: (connection: object) => readonly Uint8Array[];
  readonly taken: (result: Uint8Array) => void;
};

export function createOutbox(max: number, log: Log): Outbox {
  const waiting = new Map<Uint8Array, { on: object | undefined; readonly onTaken: () => void }>();
  return {
    add: (result, onTaken) => {
      waiting.set(result, { on: undefined, onTaken });
      const [oldest] = waiting.keys();
      if (waiting.size <= max || oldest === undefined) return;
      waiting.delete(oldest);
      log.warn("uplink.result_dropped", { waiting: max });
    },
    unsent: (connection) => {
      const due = [...waiting].filter(([, { on }]) => on !== connection);
      for (const [, one] of due) one.on = connection;
      return due.map(([result]) => result);
    },
    taken: (result) => {
      const one = waiting.get(result);
      waiting.delete(result);
      one?.onTaken();
    },
  };
}
