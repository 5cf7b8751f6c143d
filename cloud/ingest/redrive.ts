/** Handing a message in again that was put aside, once what stood against it may be gone. */
import type { Clock, Downlink, SourceMessage } from "@kerbside/protocol";
import { createIngest, type IngestTenant } from "./ingest.ts";

/** `still`: it is refused again. `waiting`: the opening of its log has not come yet. `dropped`: the car is revoked. */
export type Redriven =
  | { readonly value: "stored" | "duplicate" | "fork" | "waiting" | "dropped" }
  | { readonly value: "still"; readonly reason: string };

export type RedriveOptions = {
  readonly tenant: IngestTenant;
  readonly clock: Clock;
};

/** One message needs no bound of its own. */
const LIMITS = { quarantineBurst: Number.MAX_SAFE_INTEGER };
/** The car hears of it by the next acknowledgement of that log, as of all that is stored. */
const NOBODY: Downlink = { send: async () => undefined };
const nothing = (): void => undefined;
const SILENT = { info: nothing, warn: nothing, error: nothing };

/**
 * Takes the message as ingest does, with the keys, the schema and the enrolments of now. It is not put aside again: what
 * stands against it is the answer. Rejects with ProtocolError where the store fails; then it may be handed in again.
 */
export async function redrive(
  message: SourceMessage,
  { tenant, clock }: RedriveOptions,
): Promise<Redriven> {
  let reason: string | undefined;
  const store: IngestTenant["store"] = {
    ...tenant.store,
    quarantine: async (entry) => {
      reason = entry.reason;
      return { isKept: true, gaveWay: 0 };
    },
  };
  const home = { ...tenant, store };
  const ingest = await createIngest({
    tenant: async () => home,
    downlink: NOBODY,
    clock,
    log: SILENT,
    limits: LIMITS,
  });
  try {
    await ingest.handle(message);
    const { stored, duplicates, forks, dropped } = ingest.counts();
    if (reason !== undefined) return { value: "still", reason };
    if (stored > 0) return { value: "stored" };
    if (forks > 0) return { value: "fork" };
    if (duplicates > 0) return { value: "duplicate" };
    return { value: dropped > 0 ? "dropped" : "waiting" };
  } finally {
    await ingest.close();
  }
}
