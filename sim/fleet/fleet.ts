/**
 * Thousands of light cars in one process: one clock turns them all, each has a connection of its own. At the end nobody
 * says anything new, and it is waited until the store has it all.
 */
import type { Clock, Log, Random } from "@kerbside/protocol";
import { makeRoute } from "../car/route.ts";
import { type Day, drives, isCut } from "./day.ts";
import { Delays, type FleetFigures } from "./figures.ts";
import { LightCar, type LightIdentity } from "./light-car.ts";

/** Cars are begun so many a second: a broker shakes hands with about a thousand a processor and second. */
const STARTS_A_TURN = 10;
const TURN_MS = 50;
const SETTLE_POLL_MS = 200;

export type FleetOptions = {
  readonly identities: readonly LightIdentity[];
  readonly broker: { readonly host: string; readonly port: number };
  readonly seed: number;
  readonly day: Day;
  /** The moment of the day at which it begins, ms since midnight. */
  readonly dayStartMs: number;
  /** How many seconds of its day pass a second. */
  readonly daySpeed: number;
  /** Samples of a car that drives, a second. */
  readonly hz: number;
  /** The part of the time that a car is without coverage. */
  readonly outages: number;
  readonly trackS: number;
  readonly durationMs: number;
  /** How long to wait at the end for what is under way. */
  readonly settleMs: number;
  readonly everyMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly onFigures: (figures: FleetFigures) => void;
};

/** Resolves with the figures at the end. Never rejects for what cars or cloud do. */
export async function runFleet(options: FleetOptions): Promise<FleetFigures> {
  const fleet = new Fleet(options);
  await fleet.run();
  return fleet.figures();
}

class Fleet {
  readonly #options: FleetOptions;
  readonly #cars: LightCar[] = [];
  readonly #dueMs: number[] = [];
  readonly #delays = new Delays();
  readonly #startedMs: number;
  #made = 0;
  #stored = 0;
  #last = { ms: 0, made: 0, stored: 0, bytes: 0, cpuUs: 0 };
  #rates: Pick<FleetFigures, "rates" | "cpuPart"> = {
    rates: { made: 0, stored: 0, bytes: 0 },
    cpuPart: 0,
  };

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#startedMs = options.clock.bootMs();
  }

  async run(): Promise<void> {
    const { durationMs, everyMs, onFigures, signal } = this.#options;
    let toldMs = 0;
    for (let ms = 0; ms < durationMs && !signal.aborted; ms = this.#passedMs()) {
      this.#startSome();
      this.#turn(ms);
      if (ms - toldMs >= everyMs) {
        toldMs = ms;
        this.#measure();
        onFigures(this.figures());
      }
      await this.#wait(TURN_MS);
    }
    await this.#settle();
    this.#measure();
    await Promise.all(this.#cars.map((car) => car.close()));
  }

  figures(): FleetFigures {
    const all = this.#cars.map((car) => car.status());
    const sum = (of: (one: (typeof all)[number]) => number): number =>
      all.reduce((total, one) => total + of(one), 0);
    const eventsWaiting = sum(({ waiting }) => waiting);
    return {
      // Those that were begun: a short run has no time for all.
      cars: this.#cars.length,
      connected: this.#cars.filter((car) => car.isConnected).length,
      driving: this.#cars.filter((car) => car.isDriving).length,
      seconds: Math.round(this.#passedMs() / 100) / 10,
      eventsMade: this.#made,
      eventsStored: this.#stored,
      eventsWaiting,
      eventsLost: this.#made - this.#stored - eventsWaiting,
      eventsRefused: sum(({ refused }) => refused),
      segmentsSent: sum(({ segmentsSent }) => segmentsSent),
      bytesSent: sum(({ bytesSent }) => bytesSent),
      connections: sum(({ connections }) => connections),
      acksIgnored: sum(({ acksIgnored }) => acksIgnored),
      delayMs: {
        p50: this.#delays.within(0.5),
        p95: this.#delays.within(0.95),
        p99: this.#delays.within(0.99),
      },
      ...this.#rates,
      rssMb: Math.round(process.memoryUsage.rss() / 1e6),
    };
  }

  #passedMs(): number {
    return this.#options.clock.bootMs() - this.#startedMs;
  }

  #startSome(): void {
    const { identities, broker, seed, clock, random, log, trackS, hz } = this.#options;
    const route = ROUTE;
    for (let more = STARTS_A_TURN; more > 0; more -= 1) {
      const index = this.#cars.length;
      const identity = identities[index];
      if (identity === undefined) return;
      // Spread over the interval, so that they do not all speak at once.
      this.#dueMs.push(this.#passedMs() + (random.fraction() * 1000) / hz);
      this.#cars.push(
        new LightCar({
          ...{ identity, broker, route, clock, random, log, trackS },
          seed: seed * 1_000_003 + index,
          onMade: () => {
            this.#made += 1;
          },
          onStored: (ageMs) => {
            this.#stored += 1;
            this.#delays.add(ageMs);
          },
        }),
      );
    }
  }

  #turn(nowMs: number): void {
    const { day, dayStartMs, daySpeed, hz, seed, outages } = this.#options;
    const dayMs = dayStartMs + nowMs * daySpeed;
    for (const [index, car] of this.#cars.entries()) {
      const dueMs = this.#dueMs[index] ?? 0;
      if (dueMs > nowMs) continue;
      // A machine that is too slow makes fewer samples, not bursts of them.
      this.#dueMs[index] = Math.max(dueMs + 1000 / hz, nowMs);
      const own = seed * 1_000_003 + index;
      car.turn(drives(day, own, dayMs), outages > 0 && isCut(outages, own, nowMs));
    }
  }

  #measure(): void {
    const ms = this.#passedMs();
    const cpu = process.cpuUsage();
    const cpuUs = cpu.user + cpu.system;
    const bytes = this.#cars.reduce((sum, car) => sum + car.status().bytesSent, 0);
    const seconds = Math.max(0.001, (ms - this.#last.ms) / 1000);
    const rate = (now: number, before: number): number => Math.round((now - before) / seconds);
    this.#rates = {
      rates: {
        made: rate(this.#made, this.#last.made),
        stored: rate(this.#stored, this.#last.stored),
        bytes: rate(bytes, this.#last.bytes),
      },
      cpuPart: Math.round(((cpuUs - this.#last.cpuUs) / 1e6 / seconds) * 100) / 100,
    };
    this.#last = { ms, made: this.#made, stored: this.#stored, bytes, cpuUs };
  }

  /** Coverage for all, everything closed and sent, until nothing waits or it has had time enough. */
  async #settle(): Promise<void> {
    const { settleMs } = this.#options;
    for (const car of this.#cars) car.uncover();
    for (let leftMs = settleMs; leftMs > 0; leftMs -= SETTLE_POLL_MS) {
      for (const car of this.#cars) car.flush(true);
      if (this.#cars.every((car) => car.status().waiting === 0)) return;
      await this.#wait(SETTLE_POLL_MS);
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.#options.clock.after(ms, resolve));
  }
}

const ROUTE = makeRoute();
