/**
 * What lies between the module and the broker of a simulated world: a mobile network with its coverage, a broker that
 * may be down, and connections that behave as MQTT over TCP does: what is lost on the way comes late, silence ends a
 * connection by its keep-alive, and the broker then says the car's will.
 */
import {
  type Address,
  type Channel,
  clientIdOf,
  type Downlink,
  ProtocolError,
  parseTopic,
  type SourceMessage,
  type Transport,
  type TransportConnection,
  type TransportEvents,
} from "@kerbside/protocol";
import type { SimulatedTime } from "./simulated-time.ts";

export type Coverage = "full" | "weak" | "none";
/** One way, ms. */
const DELAY_MS: Readonly<Record<Exclude<Coverage, "none">, readonly [number, number]>> = {
  full: [20, 60],
  weak: [300, 3000],
};
/** A packet that is lost is sent again after about this, and costs the whole connection that time, ms. */
const RETRANSMIT_MS = 2500;
const LOSS: Readonly<Record<Exclude<Coverage, "none">, number>> = { full: 0, weak: 0.2 };
/** A module without a network knows so after this, ms. */
const NO_NETWORK_MS = 1000;
/** One and a half times the keep-alive of a driving car, ms. */
const SILENCE_MS_MAX = 90_000;

type Will = { readonly topic: string; readonly payload: Uint8Array };
type Line = {
  readonly address: Address;
  readonly events: TransportEvents;
  readonly isAlive: () => boolean;
  readonly will: Will;
  open: boolean;
  /** The next packet of either way does not overtake the one before. */
  upAtMs: number;
  downAtMs: number;
  /** What waits for coverage, in its order. */
  waiting: (() => void)[];
  readonly failed: Set<(error: Error) => void>;
};

export type Counts = { up: number; down: number; upBytes: number };

export class Air implements Downlink {
  coverage: Coverage = "full";
  /** Whether the broker can be reached at all. */
  brokerUp = true;
  /** What the broker hands messages to; rejects where it may not be acknowledged. */
  take: (message: SourceMessage) => Promise<void> = () =>
    Promise.reject(new ProtocolError("unavailable", "nobody takes messages"));
  /** Whether the broker lets this car in. */
  admits: (address: Address) => Promise<boolean> = async () => true;
  readonly counts: Counts = { up: 0, down: 0, upBytes: 0 };
  readonly #time: SimulatedTime;
  readonly #chance: () => number;
  readonly #lines = new Map<string, Line>();

  constructor(time: SimulatedTime, chance: () => number) {
    this.#time = time;
    this.#chance = chance;
  }

  setCoverage(coverage: Coverage): void {
    this.coverage = coverage;
    if (coverage === "none") {
      for (const line of this.#lines.values()) this.#watchSilence(line);
      return;
    }
    for (const line of this.#lines.values()) {
      const { waiting } = line;
      line.waiting = [];
      for (const go of waiting) go();
    }
  }

  setBroker(up: boolean): void {
    this.brokerUp = up;
    if (up) return;
    for (const line of this.#lines.values()) this.#end(line, "the broker went away", false);
  }

  connected = (address: Address): boolean => this.#lines.has(clientIdOf(address));

  /** The broker ends a car's connection. */
  disconnect(address: Address): void {
    const line = this.#lines.get(clientIdOf(address));
    if (line !== undefined) this.#end(line, "the broker ended it", true);
  }

  /** Of one boot of a module: `isAlive` says whether it still runs. */
  transport(address: Address, isAlive: () => boolean): Transport {
    return {
      connect: (events, will, signal) => this.#connect({ address, events, will, isAlive }, signal),
    };
  }

  async send(to: Address, channel: Channel, payload: Uint8Array): Promise<void> {
    const line = this.#lines.get(clientIdOf(to));
    if (line === undefined) throw new ProtocolError("vehicle_offline", "broker: nobody listens");
    this.counts.down += 1;
    const copy = Uint8Array.from(payload);
    this.#travel(line, "downAtMs", () => {
      if (line.isAlive()) line.events.message(channel, copy);
    });
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.#time.after(ms, resolve));
  }

  #delayMs(): number {
    if (this.coverage === "none") return 0;
    const [min, max] = DELAY_MS[this.coverage];
    const lost = this.#chance() < LOSS[this.coverage];
    return min + this.#chance() * (max - min) + (lost ? RETRANSMIT_MS : 0);
  }

  async #connect(
    car: Pick<Line, "address" | "events" | "will" | "isAlive">,
    signal: AbortSignal,
  ): Promise<TransportConnection> {
    const no = (why: string): ProtocolError => new ProtocolError("unavailable", `broker: ${why}`);
    // A handshake of TCP and TLS and a CONNECT go there and back three times.
    await this.#wait(this.coverage === "none" ? NO_NETWORK_MS : 6 * this.#delayMs());
    if (signal.aborted || !car.isAlive()) throw no("stopped");
    if (this.coverage === "none") throw no("no network");
    if (!this.brokerUp) throw no("ECONNREFUSED");
    if (!(await this.admits(car.address))) throw no("not let in");
    const id = clientIdOf(car.address);
    const before = this.#lines.get(id);
    // A client id is one car: who comes last takes the line over (MQTT 3.1.1 § 3.1.4).
    if (before !== undefined) this.#end(before, "taken over", true);
    const line: Line = {
      ...car,
      open: true,
      upAtMs: 0,
      downAtMs: 0,
      waiting: [],
      failed: new Set(),
    };
    this.#lines.set(id, line);
    return {
      publish: (topic, payload) => this.#publish(line, topic, payload),
      close: (farewell) => this.#close(line, farewell),
    };
  }

  /** Arrives later, behind what went before; waits where there is no coverage. */
  #travel(line: Line, way: "upAtMs" | "downAtMs", arrive: () => void): void {
    if (this.coverage === "none") {
      line.waiting.push(() => this.#travel(line, way, arrive));
      return;
    }
    const atMs = Math.max(line[way], this.#time.nowMs + this.#delayMs());
    line[way] = atMs;
    this.#time.after(atMs - this.#time.nowMs, () => {
      if (!line.open) return;
      if (this.coverage === "none") line.waiting.push(() => this.#travel(line, way, arrive));
      else arrive();
    });
  }

  #publish(line: Line, topic: string, payload: Uint8Array): Promise<void> {
    const copy = Uint8Array.from(payload);
    return new Promise((resolve, reject) => {
      if (!line.open) {
        reject(new ProtocolError("unavailable", "broker: closed"));
        return;
      }
      line.failed.add(reject);
      this.counts.up += 1;
      this.counts.upBytes += copy.length;
      this.#travel(line, "upAtMs", () => {
        const { address } = line;
        const certificate = { ...address, serial: "" };
        this.take({ topic: parseTopic(topic), payload: copy, certificate }).then(
          () =>
            this.#travel(line, "downAtMs", () => {
              line.failed.delete(reject);
              if (line.isAlive()) resolve();
            }),
          // No acknowledgement: the car sends it again.
          () => undefined,
        );
      });
    });
  }

  async #close(line: Line, farewell: Will | undefined): Promise<void> {
    if (!line.open) return;
    const heard = this.coverage !== "none";
    this.#end(line, "closed", false);
    if (!heard) {
      // The broker finds out by itself.
      this.#time.after(SILENCE_MS_MAX, () => void this.#say(line, line.will));
    } else if (farewell !== undefined) await this.#say(line, farewell);
  }

  /** `says` the will: everything but an orderly end does. */
  #end(line: Line, why: string, says: boolean): void {
    if (!line.open) return;
    line.open = false;
    const id = clientIdOf(line.address);
    if (this.#lines.get(id) === line) this.#lines.delete(id);
    for (const reject of line.failed) reject(new ProtocolError("unavailable", `broker: ${why}`));
    if (line.isAlive()) line.events.closed(why);
    if (says) void this.#say(line, line.will);
  }

  async #say({ address }: Line, { topic, payload }: Will): Promise<void> {
    const certificate = { ...address, serial: "" };
    await this.take({ topic: parseTopic(topic), payload, certificate }).catch(() => undefined);
  }

  /** The module lost its power or its network: the broker's keep-alive and the module's own find out. */
  #watchSilence(line: Line): void {
    this.#time.after(SILENCE_MS_MAX, () => {
      const isSilent = this.coverage === "none" || !line.isAlive();
      if (line.open && isSilent) this.#end(line, "nothing was heard for too long", true);
    });
  }

  /** The module at `address` went dark without a word. */
  wentDark(address: Address): void {
    const line = this.#lines.get(clientIdOf(address));
    if (line !== undefined) this.#watchSilence(line);
  }
}
