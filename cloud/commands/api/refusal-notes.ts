/**
 * Who tried what their role does not allow, for the audit trail: once an hour for an account and an operation, because
 * the trail is kept for good and whoever tries must not fill it. Each process notes for itself.
 */
import type { Caller, Clock, TenantStore } from "@kerbside/protocol";

const HOUR_MS = 3_600_000;
/** Accounts and operations remembered; the first gives way. */
const NOTED_MAX = 10_000;

export type RefusedCall = {
  readonly caller: Pick<Caller, "tenant" | "subject">;
  readonly operation: string;
  /** The caller's address. */
  readonly from: string;
};

export class RefusalNotes {
  readonly #noted = new Map<string, number>();
  readonly #clock: Pick<Clock, "bootMs">;

  constructor(clock: Pick<Clock, "bootMs">) {
    this.#clock = clock;
  }

  /** On record when it resolves, unless it was within the hour. Rejects as the store does; then it counts as not noted. */
  async note(store: Pick<TenantStore, "audit">, refused: RefusedCall): Promise<void> {
    const { caller, operation, from } = refused;
    const { tenant, subject: actor } = caller;
    const name = `${tenant}\n${actor}\n${operation}`;
    const nowMs = this.#clock.bootMs();
    const lastMs = this.#noted.get(name);
    if (lastMs !== undefined && nowMs - lastMs < HOUR_MS) return;
    this.#noted.delete(name);
    this.#noted.set(name, nowMs);
    const [first] = this.#noted.keys();
    if (this.#noted.size > NOTED_MAX && first !== undefined) this.#noted.delete(first);
    try {
      const entry = { actor, action: `deny.${operation}`, subject: `tenant:${tenant}`, from };
      await store.audit({ ...entry, outcome: "refused" }, "soon");
    } catch (error) {
      this.#noted.delete(name);
      throw error;
    }
  }
}
