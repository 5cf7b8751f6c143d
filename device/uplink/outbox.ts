/** Results that the other side has not taken over yet, in order, across connections. */
import type { Log } from "@kerbside/protocol";

export type Outbox = {
  /** Beyond the bound the oldest gives way: the car's journal has it, and answers whoever asks again. */
  readonly add: (result: Uint8Array) => void;
  /** What was not yet sent on this connection; it counts as sent on it from now on. */
  readonly unsent: (connection: object) => readonly Uint8Array[];
  readonly taken: (result: Uint8Array) => void;
};

export function createOutbox(max: number, log: Log): Outbox {
  const sentOn = new Map<Uint8Array, object | undefined>();
  return {
    add: (result) => {
      sentOn.set(result, undefined);
      const [oldest] = sentOn.keys();
      if (sentOn.size <= max || oldest === undefined) return;
      sentOn.delete(oldest);
      log.warn("uplink.result_dropped", { waiting: max });
    },
    unsent: (connection) => {
      const due = [...sentOn].filter(([, on]) => on !== connection).map(([result]) => result);
      for (const result of due) sentOn.set(result, connection);
      return due;
    },
    taken: (result) => {
      sentOn.delete(result);
    },
  };
}
