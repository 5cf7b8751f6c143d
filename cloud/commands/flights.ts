/**
 * The commands under way in this process: who waits for them, when their time is up, and what a second signing
 * needs. All that matters is in the store; losing this in a crash costs the second signing and nothing else.
 */
import type { Clock, CommandRecord, CommandStep, TenantId, Timer } from "@kerbside/protocol";
import type { Asker } from "./signer/request-signature.ts";

/** Commands under way at a time in one process; beyond it new ones are refused. */
export const FLIGHTS_MAX = 10_000;
/** Callers that wait for an answer at a time in one process. */
export const WAITERS_MAX = 2000;
/** How often a waiter looks into the store, for a result that another process took. */
const LOOK_MS = 500;

export type FlightAsker = Pick<Asker, "token" | "proof">;
export type FlightAsk = {
  readonly armMs?: number;
  readonly target?: string;
  readonly wakeMs?: number;
  /** Somebody waits for the answer: what is passed on the way is recorded with it, or a little later. */
  readonly awaited?: boolean;
};
export type Flight = {
  readonly tenant: TenantId;
  readonly id: string;
  readonly deadline: Timer;
  /** The caller's token and proof, for a second signing within the same request. */
  readonly asker?: FlightAsker;
  /** What was asked beyond the record, for the same. */
  readonly ask: FlightAsk;
  epoch?: Uint8Array;
  /** Passed on the way and not yet in the store, which is a little behind then: see `CommandService`. */
  passed: readonly CommandStep[];
  flush: Timer | undefined;
};

export class Flights {
  readonly #clock: Clock;
  readonly #flights = new Map<string, Flight>();
  readonly #waiters = new Map<string, Set<() => void>>();
  #waiting = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get full(): boolean {
    return this.#flights.size >= FLIGHTS_MAX;
  }

  get(tenant: TenantId, id: string): Flight | undefined {
    return this.#flights.get(keyOf(tenant, id));
  }

  /** Calls `late` once when the command's deadline has passed. */
  begin(
    tenant: TenantId,
    record: CommandRecord,
    late: () => void,
    asker: FlightAsker | undefined,
    ask: FlightAsk = {},
  ): Flight {
    const leftMs = record.deadlineMs - this.#clock.wallMs();
    const deadline = this.#clock.after(leftMs, late);
    const flight: Flight = {
      tenant,
      id: record.id,
      deadline,
      ask,
      passed: [],
      flush: undefined,
      ...(asker === undefined ? {} : { asker }),
    };
    this.#flights.set(keyOf(tenant, record.id), flight);
    return flight;
  }

  end(tenant: TenantId, id: string): void {
    const key = keyOf(tenant, id);
    this.#flights.get(key)?.deadline.cancel();
    this.#flights.get(key)?.flush?.cancel();
    this.#flights.delete(key);
  }

  /** Wakes whoever waits for this command. */
  changed(tenant: TenantId, id: string): void {
    for (const wake of this.#waiters.get(keyOf(tenant, id)) ?? []) wake();
  }

  /** Resolves at the next change, after a while, or when aborted; the caller looks again each time. */
  async change(tenant: TenantId, id: string, leftMs: number, signal: AbortSignal): Promise<void> {
    if (this.#waiting >= WAITERS_MAX || signal.aborted) return;
    const key = keyOf(tenant, id);
    const waiters = this.#waiters.get(key) ?? new Set();
    this.#waiters.set(key, waiters);
    this.#waiting += 1;
    await new Promise<void>((done) => {
      const wake = (): void => {
        timer.cancel();
        waiters.delete(wake);
        signal.removeEventListener("abort", wake);
        done();
      };
      const timer = this.#clock.after(Math.min(leftMs, LOOK_MS), wake);
      waiters.add(wake);
      signal.addEventListener("abort", wake);
    });
    this.#waiting -= 1;
    if (waiters.size === 0 && this.#waiters.get(key) === waiters) this.#waiters.delete(key);
  }

  get crowded(): boolean {
    return this.#waiting >= WAITERS_MAX;
  }

  all(): readonly Flight[] {
    return [...this.#flights.values()];
  }

  close(): void {
    for (const flight of this.#flights.values()) {
      flight.deadline.cancel();
      flight.flush?.cancel();
    }
    this.#flights.clear();
    for (const waiters of this.#waiters.values()) for (const wake of [...waiters]) wake();
  }
}

function keyOf(tenant: TenantId, id: string): string {
  return `${tenant} ${id}`;
}
