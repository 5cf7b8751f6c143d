/** The operators' own rules and the rest of the agent: what they are fed, and where their events go. */
import { mkdirSync } from "node:fs";
import type { SignalStore } from "@kerbside/can";
import { createFlows, type FlowFile } from "@kerbside/flows";
import type { Clock, Log, NewEvent } from "@kerbside/protocol";

export type FlowRules = {
  readonly apply: (flows: readonly FlowFile[]) => void;
  /** An event of the agent's own: rules hear of trips. */
  readonly seen: (event: NewEvent) => void;
  readonly stop: () => Promise<void>;
};

/** Starts no process until there is a flow. */
export function startFlowRules(parts: {
  /** Made where it is missing; stays empty. */
  readonly mountPoint: string;
  readonly store: SignalStore;
  readonly clock: Clock;
  readonly emit: (event: NewEvent) => void;
  readonly log: Log;
}): FlowRules {
  const { mountPoint, store, clock, emit, log } = parts;
  mkdirSync(mountPoint, { recursive: true, mode: 0o700 });
  const flows = createFlows({ mountPoint, clock, emit, log, present: (name) => store.good(name) });
  let subscription: { readonly cancel: () => void } | undefined;
  return {
    apply: (files) => {
      flows.apply(files);
      subscription?.cancel();
      subscription = undefined;
      if (files.length === 0) return;
      subscription = store.subscribe((changes) => {
        for (const { name, value, quality } of changes.signals()) {
          if (quality === "good" && value !== undefined) flows.offer(name, value);
        }
      });
    },
    seen: ({ kind, data }) => {
      if (kind === "trip.started") flows.trip("started", data);
      if (kind === "trip.ended") flows.trip("ended", data);
    },
    stop: async () => {
      subscription?.cancel();
      await flows.stop();
    },
  };
}
