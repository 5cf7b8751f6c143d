/**
 * Tells cars what is stored of their logs. One acknowledgement stands for all that was committed up to it, so at most
 * one of a log is under way, and one more follows where more was committed meanwhile. One that is lost is replaced by
 * the next, which the car's sending again brings about.
 */
import {
  type Address,
  type Clock,
  type Downlink,
  encodeOpeningRequest,
  type Log,
  type OpeningRequest,
  ProtocolError,
  sealAck,
  type TenantStore,
  toHex,
} from "@kerbside/protocol";
import type { LogKeys } from "./log-keys.ts";
import { Lru } from "./lru.ts";

/** Between two requests for the same opening: longer than a car takes to send again. */
const ASK_EVERY_MS = 30_000;
/** Logs for which that is remembered; one that is forgotten is asked for a little sooner. */
const ASKED_MAX = 4096;

export class Acknowledger {
  readonly #downlink: Downlink;
  readonly #log: Log;
  /** Logs with an acknowledgement under way; true where another must follow. */
  readonly #busy = new Map<string, boolean>();
  readonly #pending = new Set<Promise<void>>();

  /** When each log was asked for, on the boot clock. */
  readonly #asked: Lru<number> = new Lru(ASKED_MAX);
  readonly #clock: Clock;

  constructor(downlink: Downlink, log: Log, clock: Clock) {
    this.#downlink = downlink;
    this.#log = log;
    this.#clock = clock;
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

  /** Asks the car for the opening of a log that nothing is known of; at most once in a while for one log. */
  ask(request: OpeningRequest): void {
    const { tenant, vehicle, log } = request;
    const id = `${tenant}.${vehicle}.${toHex(log)}`;
    const nowMs = this.#clock.bootMs();
    const askedMs = this.#asked.get(id);
    if (askedMs !== undefined && nowMs - askedMs < ASK_EVERY_MS) return;
    this.#asked.set(id, nowMs);
    const to = { tenant, vehicle };
    const done = this.#request(to, request);
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
      this.#failed(to, error);
    }
  }

  /** Never rejects. */
  async #request(to: Address, request: OpeningRequest): Promise<void> {
    try {
      await this.#downlink.send(to, "ack", encodeOpeningRequest(request));
    } catch (error) {
      this.#failed(to, error);
    }
  }

  #failed(to: Address, error: unknown): void {
    const code = error instanceof ProtocolError ? error.code : "unexpected";
    // A car that has gone asks again by sending again.
    if (code !== "vehicle_offline") this.#log.warn("ingest.ack_failed", { ...to, code });
  }
}
