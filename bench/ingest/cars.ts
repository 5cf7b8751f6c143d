/**
 * The cars of the benchmark, in a process of their own: what they cost is not ingest's to pay. They speak MQTT 3.1.1
 * over TLS 1.3 byte by byte, because a client library would take the core that is measured. Told to `prepare`, they
 * make the messages of a round; told to `go`, they send them, each car with a bounded window in flight.
 */
import { connect, type TLSSocket } from "node:tls";
import {
  type Address,
  clientIdOf,
  cryptoReady,
  signingKey,
  topicOf,
  upTopicOf,
} from "@kerbside/protocol";
import { BenchCar } from "./car.ts";
import { type Load, nextEvents, streamOf } from "./loads.ts";

/** In hexadecimal and PEM: what the process is told at its start. */
export type CarsSetup = {
  readonly port: number;
  readonly ca: string;
  readonly load: Load;
  readonly ingestKey: string;
  readonly cars: readonly {
    readonly address: Address;
    readonly key: string;
    readonly cert: string;
    readonly signingSeed: string;
  }[];
};
export type CarsOrder = { readonly setup: CarsSetup } | "hello" | "prepare" | "go";
/** `acks`: acknowledgements that came so far, by which a car would forget. */
export type CarsAnswer = { readonly done: CarsOrder; readonly acks: number };

/** As the uplink has it at most. */
const WINDOW = 32;
const SUBSCRIPTION_ID = 1;
/** Packet types in the upper four bits (MQTT 3.1.1 § 2.2.1). */
const CONNACK = 2;
const PUBLISH = 3;
const PUBACK = 4;
const SUBACK = 9;

function packet(head: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length: number[] = [];
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  for (let rest = bytes; ; rest = Math.floor(rest / 128)) {
    length.push(rest >= 128 ? (rest % 128) | 128 : rest);
    if (rest < 128) break;
  }
  return Buffer.concat([Uint8Array.of(head, ...length), ...parts]);
}

const uint16 = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 255);

function words(text: string): Uint8Array {
  const bytes = Buffer.from(text);
  return Buffer.concat([uint16(bytes.length), bytes]);
}

class Line {
  readonly #socket: TLSSocket;
  #rest: Buffer = Buffer.alloc(0);
  #queue: Uint8Array[] = [];
  #left = 0;
  #heard: (type: number) => void = () => undefined;
  acks = 0;

  constructor(setup: CarsSetup, { key, cert }: { readonly key: string; readonly cert: string }) {
    const { port, ca } = setup;
    this.#socket = connect({ host: "localhost", port, ca, key, cert });
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (chunk: Buffer) => this.#read(chunk));
  }

  #read(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      let [size, at, shift] = [0, 1, 0];
      for (; at < bytes.length; at += 1, shift += 7) {
        size |= ((bytes[at] ?? 0) & 127) << shift;
        if ((bytes[at] ?? 0) < 128) break;
      }
      const end = at + 1 + size;
      if (at >= bytes.length || end > bytes.length) break;
      this.#take((bytes[0] ?? 0) >> 4);
      bytes = bytes.subarray(end);
    }
    this.#rest = bytes;
  }

  #take(type: number): void {
    if (type === PUBLISH) this.acks += 1;
    else if (type === PUBACK) {
      this.#left -= 1;
      this.#send(1);
    }
    this.#heard(type);
  }

  #until(type: number): Promise<void> {
    return new Promise((resolve) => {
      this.#heard = (heard) => {
        if (heard === type) resolve();
      };
    });
  }

  async open(address: Address): Promise<void> {
    // Clean session, no keep-alive within the benchmark's time (§ 3.1).
    const keepAlive = uint16(1200);
    this.#socket.write(
      packet(0x10, words("MQTT"), Uint8Array.of(4, 2), keepAlive, words(clientIdOf(address))),
    );
    await this.#until(CONNACK);
    const topic = words(topicOf(address, "ack"));
    this.#socket.write(packet(0x82, uint16(SUBSCRIPTION_ID), topic, Uint8Array.of(0)));
    await this.#until(SUBACK);
  }

  /** Resolves when each of them has its PUBACK. */
  run(packets: readonly Uint8Array[]): Promise<void> {
    this.#queue = [...packets].reverse();
    this.#left = packets.length;
    const done = new Promise<void>((resolve) => {
      this.#heard = () => {
        if (this.#left === 0) resolve();
      };
    });
    this.#send(WINDOW);
    return done;
  }

  #send(count: number): void {
    for (let i = 0; i < count; i += 1) {
      const next = this.#queue.pop();
      if (next !== undefined) this.#socket.write(next);
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}

class Cars {
  readonly #load: Load;
  readonly #cars: readonly {
    readonly car: BenchCar;
    readonly line: Line;
    readonly stream: ReturnType<typeof streamOf>;
  }[];
  #prepared: (readonly Uint8Array[])[] = [];
  #id = SUBSCRIPTION_ID;

  constructor(setup: CarsSetup) {
    const { load, ingestKey } = setup;
    this.#load = load;
    this.#cars = setup.cars.map(({ address, signingSeed, ...tls }, i) => ({
      car: new BenchCar(
        address,
        load.lane,
        Buffer.from(ingestKey, "hex"),
        signingKey(Buffer.from(signingSeed, "hex")),
      ),
      line: new Line(setup, tls),
      stream: streamOf(load, i),
    }));
  }

  async open(): Promise<void> {
    await Promise.all(this.#cars.map(({ car, line }) => line.open(car.address)));
  }

  get acks(): number {
    return this.#cars.reduce((sum, { line }) => sum + line.acks, 0);
  }

  prepareRound(): void {
    this.#prepare(this.#load.segments, this.#load.events);
  }

  #prepare(segments: number, events: number): void {
    this.#prepared = this.#cars.map(({ car, stream }) =>
      Array.from({ length: segments }, () => {
        this.#id = (this.#id % 65_535) + 1;
        const topic = words(upTopicOf(car.address, this.#load.lane));
        const { payload } = car.segment(nextEvents(stream, events));
        return packet(0x32, topic, uint16(this.#id), payload);
      }),
    );
  }

  async go(): Promise<void> {
    const prepared = this.#prepared;
    await Promise.all(this.#cars.map(({ line }, i) => line.run(prepared[i] ?? [])));
  }

  /** The openings of the logs: what comes before them waits, and is stored after its handler has answered. */
  async hello(): Promise<void> {
    this.#prepare(1, 1);
    await this.go();
  }

  close(): void {
    for (const { line } of this.#cars) line.close();
  }
}

let cars: Cars | undefined;
process.on("disconnect", () => cars?.close());
process.on("message", (order: CarsOrder) => {
  const obey = async (): Promise<void> => {
    if (typeof order === "object") {
      await cryptoReady();
      cars = new Cars(order.setup);
      await cars.open();
    } else if (order === "hello") await cars?.hello();
    else if (order === "go") await cars?.go();
    else cars?.prepareRound();
    const answer: CarsAnswer = { done: order, acks: cars?.acks ?? 0 };
    process.send?.(answer);
  };
  void obey();
});
