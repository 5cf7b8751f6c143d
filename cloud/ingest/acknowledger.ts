/**
 * Tells cars what is stored of their logs. One acknowledgement stands for all that was committed up to it, so at most
 * one of a log is under way, and one more follows where more was committed meanwhile. One that is lost is replaced by
 * the next, which the car's sending again brings about.
 */
import {
  type Address,
  type Downlink,
  type Log,
  ProtocolError,
  sealAck,
  type TenantStore,
  toHex,
} from "@kerbside/protocol";
import type { LogKeys } from "./log-keys.ts";

export class Acknowledger {
  readonly #downlink: Downlink;
  readonly #log: Log;
  /** Logs with an acknowledgement under way; true where another must follow. */
  readonly #busy = new Map<string, boolean>();
  readonly #pending = new Set<Promise<void>>();

  constructor(downlink: Downlink, log: Log) {
    this.#downlink = downlink;
    this.#log = log;
  }

  stored(store: Pick<TenantStore, "marks">, keys: LogKeys): void {
    const { tenant, vehicle, log } = keys.opening;
    const id = `${tenant}.${vehicle}.${toHex(log)}`;
    const busy = this.#busy.has(id);
    this.#busy.set(id, busy);
    if (busy) return;
    const done = this.#run(id, store, keys);
    this.#pending.add(done);
    done.finally(() => this.#pending.delete(done)).catch(() => undefined);
  }

  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  /** Never rejects. */
  async #run(id: string, store: Pick<TenantStore, "marks">, keys: LogKeys): Promise<void> {
    do {
      this.#busy.set(id, false);
      // What is committed in this turn goes along.
      await new Promise((resolve) => setImmediate(resolve));
      await this.#send(store, keys);
    } while (this.#busy.get(id) === true);
    this.#busy.delete(id);
  }

  async #send(store: Pick<TenantStore, "marks">, keys: LogKeys): Promise<void> {
    const { tenant, vehicle, log } = keys.opening;
    const to: Address = { tenant, vehicle };
    try {
      const lanes = await store.marks(vehicle, log);
      await this.#downlink.send(to, "ack", sealAck(keys.ackKey, { ...to, log, lanes }));
    } catch (error) {
      const code = error instanceof ProtocolError ? error.code : "unexpected";
      // A car that has gone asks again by sending again.
      if (code !== "vehicle_offline") this.#log.warn("ingest.ack_failed", { ...to, code });
    }
  }
}
