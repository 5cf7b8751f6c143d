/**
 * Central telemetry (P-42), off unless a file says where it goes: what this process measures is sifted by the list of
 * what may leave, and posted as Prometheus' text, which a push gateway takes. Totals rise, so one that gets lost is made up
 * for by the next.
 */
import type { Clock, Log, TenantId, Timer } from "@kerbside/protocol";
import { readOutward, tell } from "./outward.ts";
import { sift } from "./telemetry-list.ts";

export const PUSH_MS = 60_000;
/** Counting what is billed reads each tenant's store. */
const BILLING_MS = 3_600_000;

/** What is billed of a tenant, in total since it is there. */
export type Usage = Readonly<Record<"cars" | "bookings" | "commands" | "events", number>>;
export type TelemetryParts = {
  /** See `readOutward`; read for each push. */
  readonly file: string;
  /** Everything that this process measures. */
  readonly metrics: () => string;
  readonly usage: () => Promise<ReadonlyMap<TenantId, Usage>>;
  readonly clock: Clock;
  readonly log: Log;
  readonly everyMs?: number;
};
export type Telemetry = {
  /** Pushes now; never rejects. */
  readonly push: () => Promise<void>;
  /** Pushes once more, and ends. */
  readonly close: () => Promise<void>;
};

export function startTelemetry(parts: TelemetryParts): Telemetry {
  const { file, metrics, usage, clock, log, everyMs = PUSH_MS } = parts;
  let billed: { readonly text: string; readonly atMs: number } | undefined;
  let timer: Timer | undefined;
  let turn: Promise<void> = Promise.resolve();
  let closed = false;
  const billing = async (): Promise<string> => {
    if (billed === undefined || clock.bootMs() - billed.atMs >= BILLING_MS)
      billed = { text: billingText(await usage()), atMs: clock.bootMs() };
    return billed.text;
  };
  const push = async (): Promise<void> => {
    try {
      const { lines, refused } = sift(`${metrics()}\n${await billing()}`);
      if (refused.length > 0) log.warn("telemetry.refused", { names: refused.join(" ") });
      await tell(readOutward(file), { type: "text/plain", body: `${lines.join("\n")}\n` });
    } catch (error) {
      log.warn("telemetry.not_sent", { what: error instanceof Error ? error.message : "bug" });
    }
  };
  const inTurn = (): Promise<void> => {
    turn = turn.then(push);
    return turn;
  };
  const again = (): void => {
    timer = clock.after(everyMs, () => {
      inTurn()
        .then(() => (closed ? undefined : again()))
        .catch(() => undefined);
    });
  };
  again();
  return {
    push: inTurn,
    close: async () => {
      closed = true;
      timer?.cancel();
      // What was counted since the last time would be lost with the process.
      await inTurn();
    },
  };
}

function billingText(usage: ReadonlyMap<TenantId, Usage>): string {
  return [...usage]
    .flatMap(([tenant, totals]) =>
      Object.entries(totals).map(
        ([what, total]) => `kerbside_billing_total{tenant="${tenant}",what="${what}"} ${total}`,
      ),
    )
    .join("\n");
}
