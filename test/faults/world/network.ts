/**
 * What lies between car and cloud: lines that are cut, go silent or go one way only, and a broker that loses, doubles,
 * delays, spoils and lies. Switched on by the faults of a schedule, off when all is healed.
 */
import {
  type Address,
  type Channel,
  type Downlink,
  decode,
  headerCodec,
  headerHash,
  ProtocolError,
  parseAck,
  parseSegmentMessage,
  parseSign1,
  parseTopic,
  sealAck,
  type Transport,
  type TransportEvents,
} from "@kerbside/protocol";
import type { Random } from "../../fuzz/random.ts";
import type { Boot } from "./car.ts";
import type { Cloud } from "./cloud.ts";
import type { Timeline } from "./timeline.ts";

/** Each is the chance that it happens to a message. */
export type Weather = {
  /** Lines cannot be made, and those that stand are silent both ways. */
  readonly dead: number;
  readonly upSilent: number;
  readonly downSilent: number;
  /** The broker says it has it, and forgets it. */
  readonly lose: number;
  /** The broker says it has it before the store has. */
  readonly early: number;
  readonly double: number;
  /** Messages up come late and out of order. */
  readonly shuffle: number;
  readonly spoil: number;
  /** The line is cut after the store has it, before anybody is told. */
  readonly cutBeforeAck: number;
  readonly ackLost: number;
  readonly ackDouble: number;
  readonly ackLate: number;
  readonly ackReplayed: number;
  readonly ackSpoilt: number;
  /** Somebody without the key acknowledges all that was ever seen. */
  readonly ackForged: number;
  /** A worker gone mad acknowledges, with the right key, what it never stored, under wrong hashes. */
  readonly ackWrong: number;
};
export const FAIR: Weather = {
  dead: 0,
  upSilent: 0,
  downSilent: 0,
  lose: 0,
  early: 0,
  double: 0,
  shuffle: 0,
  spoil: 0,
  cutBeforeAck: 0,
  ackLost: 0,
  ackDouble: 0,
  ackLate: 0,
  ackReplayed: 0,
  ackSpoilt: 0,
  ackForged: 0,
  ackWrong: 0,
};

const LATENCY_MS = 20;
const LATE_MS_MAX = 4000;
const KEPT_ACKS_MAX = 50;
const ACK_FORGED_LANES = ["critical", "state", "track"] as const;

type Line = {
  open: boolean;
  readonly events: TransportEvents;
  readonly end: (why: string) => void;
};
type Seen = {
  readonly log: Uint8Array;
  readonly lane: string;
  readonly number: number;
  readonly hash: Uint8Array;
};

export class Network implements Downlink {
  weather: Weather = FAIR;
  /** The key of acknowledgements of a log, as the harness knows it. */
  ackKey: (log: Uint8Array) => Uint8Array | undefined = () => undefined;
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #lines = new Set<Line>();
  readonly #seen: Seen[] = [];
  readonly #acks: Uint8Array[] = [];
  cloud: Cloud | undefined;
  /** Everything that cars sent on `up`, for whoever looks into it. */
  observe: (payload: Uint8Array) => void = () => undefined;

  constructor(timeline: Timeline, random: Random) {
    this.#timeline = timeline;
    this.#random = random;
  }

  #is(what: keyof Weather): boolean {
    return this.weather[what] > 0 && this.#random.bool(this.weather[what]);
  }

  /** Whether a segment is between a car and its store now. */
  get busy(): boolean {
    return this.#underWay > 0;
  }
  #underWay = 0;

  transport(boot: Boot): Transport {
    return {
      connect: (events, _will, signal) =>
        new Promise((resolve, reject) => {
          const refuse = (): void => reject(new ProtocolError("unavailable", "no line"));
          signal.addEventListener("abort", refuse);
          this.#timeline.after(LATENCY_MS, () => {
            if (!boot.alive || signal.aborted) return;
            if (this.#is("dead")) refuse();
            else resolve(this.#connect(events, boot));
          });
        }),
    };
  }

  #connect(events: TransportEvents, boot: Boot): Awaited<ReturnType<Transport["connect"]>> {
    const waiting = new Set<(error: Error) => void>();
    const line: Line = {
      open: true,
      events: {
        message: (channel, payload) => {
          if (boot.alive) events.message(channel, payload);
        },
        closed: events.closed,
      },
      end: (why) => {
        if (!line.open) return;
        line.open = false;
        this.#lines.delete(line);
        for (const reject of waiting) reject(new ProtocolError("unavailable", why));
        if (boot.alive) events.closed(why);
      },
    };
    this.#lines.add(line);
    return {
      publish: (topic, payload) =>
        new Promise((resolve, reject) => {
          if (!line.open || !boot.alive) {
            reject(new ProtocolError("unavailable", "closed"));
            return;
          }
          waiting.add(reject);
          const taken = (): void => {
            waiting.delete(reject);
            if (line.open && boot.alive) resolve();
          };
          this.#up(line, topic, payload, taken);
        }),
      close: () => {
        line.end("closed");
        return Promise.resolve();
      },
    };
  }

  cut(): void {
    for (const line of [...this.#lines]) line.end("cut");
  }

  #up(line: Line, topic: string, payload: Uint8Array, taken: () => void): void {
    this.#timeline.after(LATENCY_MS, () => {
      if (!line.open || this.#is("dead") || this.#is("upSilent")) return;
      const parsed = parseTopic(topic);
      if (parsed.channel !== "up" || parsed.lane === undefined) {
        taken();
        return;
      }
      this.observe(payload);
      this.#remember(parsed, payload);
      if (this.#is("lose")) {
        taken();
        return;
      }
      if (this.#is("early")) taken();
      const spoilt = this.#is("spoil") ? this.#flip(payload) : payload;
      const copies = this.#is("double") ? 2 : 1;
      for (let i = 0; i < copies; i += 1) {
        const late = this.#is("shuffle") || i > 0 ? this.#random.int(LATE_MS_MAX) : 0;
        this.#timeline.after(late, () => void this.#hand(line, parsed, spoilt, taken));
      }
    });
  }

  async #hand(
    line: Line,
    topic: ReturnType<typeof parseTopic>,
    payload: Uint8Array,
    taken: () => void,
  ): Promise<void> {
    const { tenant, vehicle } = topic;
    this.#underWay += 1;
    const cutAfter = this.#is("cutBeforeAck");
    const done = await this.cloud?.take({
      topic,
      payload,
      certificate: { tenant, vehicle, serial: "00" },
    });
    this.#underWay -= 1;
    if (cutAfter) line.end("cut");
    else if (done === true) taken();
    else line.end("the broker's side failed");
  }

  #remember(sender: Address, payload: Uint8Array): void {
    const { header: envelope } = parseSegmentMessage(payload, sender);
    const { log, lane, number } = decode(headerCodec, parseSign1(envelope).payload);
    this.#seen.push({ log, lane, number, hash: headerHash(envelope) });
  }

  #flip(payload: Uint8Array): Uint8Array {
    const copy = payload.slice();
    const at = this.#random.int(copy.length);
    copy[at] = (copy[at] ?? 0) ^ (1 << this.#random.int(8));
    return copy;
  }

  send(to: Address, channel: Channel, payload: Uint8Array): Promise<void> {
    if (this.#lines.size === 0)
      return Promise.reject(new ProtocolError("vehicle_offline", "nobody listens"));
    this.#acks.push(payload);
    if (this.#acks.length > KEPT_ACKS_MAX) this.#acks.shift();
    if (!this.#is("ackLost"))
      this.#down(channel, this.#is("ackSpoilt") ? this.#flip(payload) : payload);
    if (this.#is("ackDouble")) this.#down(channel, payload);
    if (this.#is("ackReplayed")) this.#down(channel, this.#random.pick(this.#acks));
    if (this.#is("ackForged")) this.#down(channel, this.#forged(to, payload));
    if (this.#is("ackWrong")) this.#down(channel, this.#wrong(to, payload));
    return Promise.resolve();
  }

  #down(channel: Channel, payload: Uint8Array): void {
    const late = this.#is("ackLate") ? this.#random.int(LATE_MS_MAX) : 0;
    this.#timeline.after(LATENCY_MS + late, () => {
      if (this.#is("dead") || this.#is("downSilent")) return;
      for (const line of [...this.#lines]) line.events.message(channel, payload);
    });
  }

  #claim(
    to: Address,
    payload: Uint8Array,
    hashOf: (seen: Seen) => Uint8Array,
    key: Uint8Array,
  ): Uint8Array {
    const { log } = parseAck(payload).ack;
    const same = this.#seen.filter((seen) => Buffer.compare(seen.log, log) === 0);
    const lanes = ACK_FORGED_LANES.flatMap((lane) => {
      const last = same
        .filter((seen) => seen.lane === lane)
        .sort((a, b) => a.number - b.number)
        .at(-1);
      return last === undefined
        ? []
        : [{ lane, upTo: last.number, hash: hashOf(last), ranges: [] }];
    });
    return sealAck(key, { ...to, log, lanes });
  }

  #forged(to: Address, payload: Uint8Array): Uint8Array {
    return this.#claim(to, payload, ({ hash }) => hash, this.#random.bytes(32));
  }

  #wrong(to: Address, payload: Uint8Array): Uint8Array {
    const key = this.ackKey(parseAck(payload).ack.log) ?? this.#random.bytes(32);
    return this.#claim(to, payload, () => this.#random.bytes(32), key);
  }
}
