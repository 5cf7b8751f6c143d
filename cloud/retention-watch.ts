/** Lets go each hour what the tenants do not keep for ever of their cars' events. */
import type { Clock, Log, Timer } from "@kerbside/protocol";
import type { Tenants } from "@kerbside/tenants";

const SWEEP_MS = 3_600_000;

/** Returns how to stop, which waits for the sweep under way. Several nodes may do it: each step is done once. */
export function watchRetention(parts: {
  readonly tenants: Pick<Tenants, "list" | "tenant">;
  readonly clock: Clock;
  readonly log: Log;
}): () => Promise<void> {
  const { tenants, clock, log } = parts;
  let timer: Timer | undefined;
  let turn: Promise<void> = Promise.resolve();
  let stopped = false;
  const sweep = async (): Promise<void> => {
    for (const tenant of tenants.list()) {
      if (stopped) return;
      try {
        const segments = (await (await tenants.tenant(tenant))?.store.retention.sweep()) ?? 0;
        if (segments > 0) log.info("retention.swept", { tenant, segments });
      } catch (error) {
        // A tenant whose store fails does not keep the others' terms from being kept.
        log.warn("retention.failed", {
          ...{ tenant, error: error instanceof Error ? error.name : "unknown" },
        });
      }
    }
  };
  const again = (): void => {
    timer = clock.after(SWEEP_MS, () => {
      turn = sweep().then(() => (stopped ? undefined : again()));
    });
  };
  again();
  return async () => {
    stopped = true;
    timer?.cancel();
    await turn;
  };
}
