/**
 * The cars that are connected, and what is handed over for them. What one car says about its sessions (`session`,
 * `result`, `gone`) is handed over one after the other, because their order is their meaning: the end of an old
 * connection never overtakes the announcement of the one before it, nor follows that of the next.
 */
import {
  type Clock,
  clientIdOf,
  type Log,
  type SourceHandler,
  type SourceMessage,
} from "@kerbside/protocol";
import type { Client } from "aedes";
import type { PacketGuard } from "./guard.ts";
import type { CarIdentity } from "./identity.ts";
import type { BrokerLimits } from "./limits.ts";
import { CarRates } from "./rate.ts";

/** An accepted connection of a car. */
export type Session = {
  readonly client: Client;
  readonly guard: PacketGuard;
  readonly identity: CarIdentity;
  readonly rates: CarRates;
  /** What the car left to be said when it goes: the payload of its will, or nothing. */
  readonly farewell: Uint8Array;
  /** Topics it listens to; exact ones of its own. */
  readonly topics: Set<string>;
  /** Settles when all messages before were answered, so that PUBACKs keep the order of MQTT 3.1.1 § 4.6. */
  answered: Promise<void>;
};

export class Sessions {
  readonly #live = new Map<string, Session>();
  /** The last of the ordered messages of each car under way. */
  readonly #tails = new Map<string, Promise<void>>();
  readonly #rates = new Map<string, CarRates>();
  readonly #pending = new Set<Promise<void>>();
  readonly #handler: Promise<SourceHandler>;
  readonly #limits: BrokerLimits;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(handler: Promise<SourceHandler>, limits: BrokerLimits, clock: Clock, log: Log) {
    this.#handler = handler;
    this.#limits = limits;
    this.#clock = clock;
    this.#log = log;
  }

  get size(): number {
    return this.#live.size;
  }

  all(): readonly Session[] {
    return [...this.#live.values()];
  }

  find(clientId: string): Session | undefined {
    return this.#live.get(clientId);
  }

  /** The rates of a car, whether it is here or was. */
  ratesOf(clientId: string): CarRates {
    const rates = this.#rates.get(clientId) ?? new CarRates(this.#limits, this.#clock.bootMs());
    this.#rates.delete(clientId);
    this.#rates.set(clientId, rates);
    const [oldest] = this.#rates.keys();
    if (this.#rates.size > this.#limits.carsMax && oldest !== undefined) this.#rates.delete(oldest);
    return rates;
  }

  /** A connection was accepted; one that this car had before has ended with it. */
  begin(session: Session): void {
    const id = clientIdOf(session.identity);
    const before = this.#live.get(id);
    if (before !== undefined) this.end(before);
    this.#live.set(id, session);
  }

  /** The connection is over, however that came: hands over its `gone`, once. */
  end(session: Session): void {
    const id = clientIdOf(session.identity);
    if (this.#live.get(id) !== session) return;
    this.#live.delete(id);
    const { tenant, vehicle, serial } = session.identity;
    const message: SourceMessage = {
      topic: { tenant, vehicle, channel: "gone" },
      payload: session.farewell,
      certificate: { tenant, vehicle, serial },
    };
    this.#own(this.#inOrder(id, () => this.#handOverGone(message)));
  }

  /** Hands a message over; resolves when the handler has taken it, rejects where it has not. */
  handOver(message: SourceMessage): Promise<void> {
    const give = async (): Promise<void> => (await this.#handler)(message);
    const done =
      message.topic.channel === "up" ? give() : this.#inOrder(clientIdOf(message.topic), give);
    this.#own(done);
    return done;
  }

  /** Waits for what is under way. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending);
  }

  #inOrder(id: string, run: () => Promise<void>): Promise<void> {
    const before = this.#tails.get(id) ?? Promise.resolve();
    const mine = before.then(run, run);
    this.#tails.set(id, mine);
    const forget = (): void => {
      if (this.#tails.get(id) === mine) this.#tails.delete(id);
    };
    mine.then(forget, forget);
    return mine;
  }

  #own(promise: Promise<void>): void {
    const settled = promise.catch(() => undefined);
    this.#pending.add(settled);
    settled.then(() => this.#pending.delete(settled)).catch(() => undefined);
  }

  async #handOverGone(message: SourceMessage): Promise<void> {
    const handler = await this.#handler;
    let pauseMs = this.#limits.goneRetryMs;
    for (let attempt = 1; attempt <= this.#limits.goneAttemptsMax; attempt += 1) {
      try {
        return await handler(message);
      } catch {
        // Nobody sends this message again, so it is tried again here; the car's next session corrects what is lost.
        await new Promise<void>((resolve) => this.#clock.after(pauseMs, resolve));
        pauseMs *= 2;
      }
    }
    this.#log.error("broker.gone_lost", {
      tenant: message.topic.tenant,
      vehicle: message.topic.vehicle,
    });
  }
}
