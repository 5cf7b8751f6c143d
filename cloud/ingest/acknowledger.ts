/**
 * Tells cars what is stored of their logs. One acknowledgement stands for all that was committed up to it, so at most
 * one of a log is under way, and one more follows where more was committed meanwhile. One that is lost is replaced by
 * the next, which the car's sending again brings about.
 */
import {
  ACK_RANGES_MAX,
  type Address,
  type Clock,
  type Downlink,
  encodeOpeningRequest,
  equalBytes,
  type Lane,
  type LaneMark,
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

/** A segment that came again although it is stored. */
export type Repeated = { readonly lane: Lane; readonly number: number; readonly hash: Uint8Array };

/**
 * The marks with what came again named by itself, as far as there is room: a car whose disk was put back to an older
 * state does not hold the segment that its mark names, and could not tell that what it does hold is stored.
 */
function naming(marks: readonly LaneMark[], repeated: readonly Repeated[]): readonly LaneMark[] {
  return marks.map((mark) => {
    const named = [{ to: mark.upTo, hash: mark.hash }, ...mark.ranges];
    const more = repeated.filter(
      ({ lane, number, hash }) =>
        lane === mark.lane && !named.some((end) => end.to === number && equalBytes(end.hash, hash)),
    );
    const own = more.map(({ number, hash }) => ({ from: number, to: number, hash }));
    return { ...mark, ranges: [...own, ...mark.ranges].slice(0, ACK_RANGES_MAX) };
  });
}

export class Acknowledger {
  readonly #downlink: Downlink;
  readonly #log: Log;
  /** Logs with an acknowledgement under way; true where another must follow. */
  readonly #busy = new Map<string, boolean>();
  readonly #pending = new Set<Promise<void>>();
  /** By log, what came again since its last acknowledgement; the oldest give way to the newest. */
  readonly #repeated = new Map<string, Repeated[]>();

  /** When each log was asked for, on the boot clock. */
  readonly #asked: Lru<number> = new Lru(ASKED_MAX);
  readonly #clock: Clock;

  constructor(downlink: Downlink, log: Log, clock: Clock) {
    this.#downlink = downlink;
    this.#log = log;
    this.#clock = clock;
  }

  /** Something of the log is stored; `again` where it was so before it came. */
  stored(store: Pick<TenantStore, "marks">, keys: LogKeys, again?: Repeated): void {
    const { tenant, vehicle, log } = keys.opening;
    const id = `${tenant}.${vehicle}.${toHex(log)}`;
    if (again !== undefined) {
      const before = this.#repeated.get(id) ?? [];
      this.#repeated.set(id, [...before, again].slice(-ACK_RANGES_MAX / 2));
    }
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
      await this.#send(id, store, keys);
    } while (this.#busy.get(id) === true);
    this.#busy.delete(id);
  }

  async #send(id: string, store: Pick<TenantStore, "marks">, keys: LogKeys): Promise<void> {
    const { tenant, vehicle, log } = keys.opening;
    const to: Address = { tenant, vehicle };
    try {
      const repeated = this.#repeated.get(id) ?? [];
      this.#repeated.delete(id);
      const lanes = naming(await store.marks(vehicle, log), repeated);
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
