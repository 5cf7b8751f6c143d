/** Lets go each hour what the tenants do not keep for ever of their cars' events, and files whose time is over. */
import type { Clock, Log, TenantId, Timer } from "@kerbside/protocol";
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
  /** A store that fails, of the platform or of one tenant, neither keeps the others' terms from being kept nor ends this. */
  const attempt = async <T>(
    step: () => Promise<T> | T,
    tenant?: TenantId,
  ): Promise<T | undefined> => {
    try {
      return await step();
    } catch (error) {
      const what = { error: error instanceof Error ? error.name : "unknown" };
      log.warn("retention.failed", tenant === undefined ? what : { ...what, tenant });
      return undefined;
    }
  };
  const sweep = async (): Promise<void> => {
    for (const tenant of (await attempt(() => tenants.list())) ?? []) {
      if (stopped) return;
      const segments = await attempt(
        async () => (await tenants.tenant(tenant))?.store.retention.sweep(),
        tenant,
      );
      if (segments !== undefined && segments > 0) log.info("retention.swept", { tenant, segments });
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
