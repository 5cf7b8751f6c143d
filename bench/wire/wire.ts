/**
 * Bytes an event on the wire, from the car to the cloud: each message as an MQTT 3.1.1 PUBLISH with QoS 1 over a real
 * TLS 1.3 connection, counted below TLS once the handshake is over. What comes back (PUBACK, acknowledgements) is not in
 * it. The peers carry the same events over the same connection, one a message, without signature or encryption of their
 * own.
 */
import { once } from "node:events";
import { type AddressInfo, connect as connectTcp, type Socket } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { openPlatformAuthority } from "@kerbside/identity";
import {
  type CarEvent,
  cryptoReady,
  randomBytes,
  sealAck,
  sealKeyPair,
  tenantId,
  topicOf,
  upTopicOf,
  type Vault,
  vehicleId,
} from "@kerbside/protocol";
import type { Benchmark, Row } from "../benchmark.ts";
import { drive } from "../drive.ts";
import { BenchCar } from "../ingest/car.ts";
import { parkedRow } from "./parked.ts";

const ADDRESS = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
const DRIVES = 5;
const DRIVE_S = 3600;
const ANSWERS = 100;

function memoryVault(): Vault {
  const secrets = new Map<string, Uint8Array>();
  return {
    get: async (name) => secrets.get(name),
    put: async (name, secret) => void secrets.set(name, secret),
    names: async () => [...secrets.keys()],
  };
}

/** What the car is told of a segment: the broker's PUBACK (MQTT 3.1.1 § 3.4), and that the store has it. */
function answers(number: number): readonly Uint8Array[] {
  const lane = { lane: "track", upTo: number, hash: randomBytes(32), ranges: [] } as const;
  const ack = sealAck(randomBytes(32), { ...ADDRESS, log: randomBytes(16), lanes: [lane] });
  const topic = Buffer.from(topicOf(ADDRESS, "ack"));
  const length = 2 + topic.length + ack.length;
  const start = Buffer.from([0x30, (length % 128) | 128, length >> 7, 0, topic.length]);
  return [Uint8Array.of(0x40, 2, number >> 8, number & 255), Buffer.concat([start, topic, ack])];
}

/** A PUBLISH with QoS 1 (MQTT 3.1.1 § 3.3). */
function publish(payload: Uint8Array, id: number): Uint8Array {
  const topic = Buffer.from(upTopicOf(ADDRESS, "track"));
  const length: number[] = [];
  for (let rest = 4 + topic.length + payload.length; ; rest = Math.floor(rest / 128)) {
    length.push(rest >= 128 ? (rest % 128) | 128 : rest);
    if (rest < 128) break;
  }
  const start = Buffer.from([0x32, ...length, topic.length >> 8, topic.length & 255]);
  return Buffer.concat([start, topic, Buffer.from([id >> 8, id & 255]), payload]);
}

type Line = {
  readonly bytesOf: (messages: Iterable<Uint8Array>) => Promise<number>;
  /** Of messages from the cloud to the car. */
  readonly bytesBack: (messages: Iterable<Uint8Array>) => Promise<number>;
  close: () => void;
};

async function openLine(): Promise<Line> {
  const platform = await openPlatformAuthority(memoryVault(), Date.now);
  const { key, cert } = await platform.issueServer({ dns: ["localhost"], ip: [] });
  let far: TLSSocket | undefined;
  const server = createServer({ key, cert, minVersion: "TLSv1.3" }, (socket) => {
    far = socket;
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const raw: Socket = connectTcp({ port, host: "127.0.0.1", noDelay: true });
  const socket = connect({ socket: raw, servername: "localhost", ca: platform.rootCertificate });
  await new Promise<void>((resolve) => socket.once("secureConnect", () => resolve()));
  const write = (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) =>
      socket.write(bytes, (error) => (error ? reject(error) : resolve())),
    );
  return {
    bytesOf: async (messages) => {
      const before = raw.bytesWritten;
      let id = 0;
      for (const message of messages) {
        id = (id % 65_535) + 1;
        await write(publish(message, id));
      }
      return raw.bytesWritten - before;
    },
    bytesBack: async (messages) => {
      const before = raw.bytesRead;
      for (const message of messages) {
        let left = message.length;
        far?.write(message);
        while (left > 0) {
          const [part] = await once(socket, "data");
          left -= part.length;
        }
      }
      return raw.bytesRead - before;
    },
    close: () => {
      socket.destroy();
      server.close();
    },
  };
}

function hourOf(seed: number): readonly CarEvent[] {
  const stream = drive(seed);
  return Array.from({ length: DRIVE_S }, () => stream.next().value);
}

function* segments(hour: readonly CarEvent[], seconds: number): Generator<Uint8Array> {
  const car = new BenchCar(ADDRESS, "track", sealKeyPair().publicKey);
  for (let at = 0; at < hour.length; at += seconds)
    yield car.segment(hour.slice(at, at + seconds)).payload;
}

/** By the last part of each name, or the last two where it is taken: whole VSS names would double it. */
function* json(hour: readonly CarEvent[]): Generator<Uint8Array> {
  for (const event of hour) {
    if (event.kind !== "signals.sampled") continue;
    const values: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(event.data.values)) {
      const parts = name.split(".");
      const last = parts.slice(-1).join();
      values[last in values ? parts.slice(-2).join(".") : last] = value;
    }
    const at = event.bootMs + event.wallOffsetMs;
    yield Buffer.from(JSON.stringify({ at, ...values }));
  }
}

/** What protoc would write for a message with a field a signal: sint32 for whole numbers, double for places, else float. */
function* protobuf(hour: readonly CarEvent[]): Generator<Uint8Array> {
  for (const event of hour) {
    if (event.kind !== "signals.sampled") continue;
    const out: number[] = [8, ...varint(event.bootMs + event.wallOffsetMs)];
    for (const [i, [name, value]] of Object.entries(event.data.values).entries()) {
      if (typeof value !== "number") continue;
      const tag = (i + 2) * 8;
      if (/L(at|ong)itude$/.test(name)) out.push(...varint(tag | 1), ...floatBytes(value, 8));
      else if (Number.isInteger(value))
        out.push(...varint(tag), ...varint(value < 0 ? -2 * value - 1 : 2 * value));
      else out.push(...varint(tag | 5), ...floatBytes(value, 4));
    }
    yield Uint8Array.from(out);
  }
}

function varint(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) | 128);
  return [...out, rest];
}

function floatBytes(value: number, bytes: 4 | 8): Uint8Array {
  const view = new DataView(new ArrayBuffer(bytes));
  if (bytes === 4) view.setFloat32(0, value, true);
  else view.setFloat64(0, value, true);
  return new Uint8Array(view.buffer);
}

async function* run(): AsyncGenerator<Row, void, undefined> {
  await cryptoReady();
  const line = await openLine();
  try {
    const found = { minute: [0], ten: [0], json: [0], protobuf: [0] };
    for (const values of Object.values(found)) values.length = 0;
    for (let seed = 1; seed <= DRIVES; seed += 1) {
      const hour = hourOf(seed);
      const each = async (messages: Iterable<Uint8Array>): Promise<number> =>
        (await line.bytesOf(messages)) / DRIVE_S;
      found.minute.push(await each(segments(hour, 60)));
      found.ten.push(await each(segments(hour, 600)));
      found.json.push(await each(json(hour)));
      found.protobuf.push(await each(protobuf(hour)));
    }
    const unit = "bytes/event";
    const minute = { name: "segments of 60 s", values: found.minute };
    const ten = { name: "segments of 10 min", values: found.ten };
    const asJson = { name: "JSON, one a message", values: found.json };
    const asProtobuf = { name: "protobuf, one a message", values: found.protobuf };
    const what = "15 signals a second, an hour's drive";
    yield { what, unit, ours: minute, peer: null, goal: { of: "ours", atMost: 11 } };
    yield { what, unit, ours: ten, peer: null, goal: { of: "ours", atMost: 7.5 } };
    yield { what, unit, ours: minute, peer: asJson, goal: { of: "ratio", atMost: 1 / 25 } };
    yield { what, unit, ours: minute, peer: asProtobuf, goal: { of: "ratio", atMost: 1 / 5 } };
    const back: number[] = [];
    for (let number = 1; number <= ANSWERS; number += 1)
      back.push(await line.bytesBack(answers(number)));
    const down = { name: "cloud to car", values: back };
    const told = "PUBACK and acknowledgement of a segment";
    yield { what: told, unit: "bytes/segment", ours: down, peer: null, goal: null };
  } finally {
    line.close();
  }
  yield await parkedRow();
}

export const wireBenchmark: Benchmark = {
  name: "wire",
  why: "bytes an event from the car to the cloud, against JSON and protobuf one a message",
  run,
};
