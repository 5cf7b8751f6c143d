/** A real broker with real certificates, and cars that speak to it over real TLS. */
import { once } from "node:events";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { type Broker, type BrokerLimits, startBroker } from "@kerbside/broker";
import { carGate } from "@kerbside/identity";
import { clientIdOf, type SourceMessage, topicOf, type VehicleRecord } from "@kerbside/protocol";
import { connect, type IClientOptions, type MqttClient } from "mqtt";
import { realClock, silentLog } from "../../support/runtime.ts";
import { makePki, type Pki, recordOf, type TestCar, vehicleKey } from "../identity/pki.ts";

export type World = {
  readonly pki: Pki;
  readonly broker: Broker;
  /** By `tenant.vehicle`: who is enrolled. */
  readonly records: Map<string, VehicleRecord>;
  /** Every message that was handed over, in order. */
  readonly messages: SourceMessage[];
  /** Resolves with the first message, old or new, for which this holds. */
  readonly message: (wanted: (message: SourceMessage) => boolean) => Promise<SourceMessage>;
  /** An enrolled car. */
  readonly enrolled: (tenant: string, vehicle: string) => Promise<TestCar>;
  /** A client of this car, connected. Rejects where it is refused. */
  readonly connect: (car: TestCar, options?: IClientOptions) => Promise<MqttClient>;
  /** A bare TLS connection with this car's certificate, for bytes that no library would send. */
  readonly raw: (car: TestCar) => Promise<TLSSocket>;
  readonly close: () => Promise<void>;
};

export type Handler = (message: SourceMessage) => Promise<void>;

export async function makeWorld(
  options: {
    readonly handler?: Handler;
    readonly limits?: Partial<BrokerLimits>;
    /** What the broker takes for the time of day. */
    readonly nowMs?: () => number;
    /** Milliseconds that the broker's clock is ahead of the real one: time that passes at once. */
    readonly aheadMs?: () => number;
    readonly blocked?: (address: string | undefined) => boolean;
  } = {},
): Promise<World> {
  const pki = await makePki();
  const { nowMs = Date.now, aheadMs = () => 0, blocked = () => false } = options;
  const records = new Map<string, VehicleRecord>();
  const messages: SourceMessage[] = [];
  const waiting = new Set<() => void>();
  const broker = await startBroker({
    port: 0,
    host: "127.0.0.1",
    tls: { ...pki.server, ca: [pki.platform.rootCertificate] },
    identify: carGate({
      authority: async (tenant) => (await pki.tenant(tenant)).certificate,
      vehicle: async (address) => records.get(vehicleKey(address)),
      confirm: async (car) => {
        const record = records.get(vehicleKey(car));
        if (record?.renewedSerial !== car.serial) return false;
        records.set(vehicleKey(car), { ...record, certificateSerial: car.serial });
        return true;
      },
      nowMs,
    }),
    clock: { ...realClock, wallMs: nowMs, bootMs: () => realClock.bootMs() + aheadMs() },
    log: silentLog,
    blocked,
    limits: { refusalsMax: 10_000, ...options.limits },
  });
  await broker.source.start(async (message) => {
    messages.push(message);
    for (const look of waiting) look();
    await options.handler?.(message);
  });
  const clients = new Set<MqttClient>();
  const sockets = new Set<TLSSocket>();
  const tls = (car: TestCar): { key: string; cert: string; ca: string } => ({
    key: car.key,
    cert: car.cert,
    ca: pki.platform.rootCertificate,
  });
  return {
    pki,
    broker,
    records,
    messages,
    message: (wanted) => firstOf(messages, waiting, wanted),
    enrolled: async (tenant, vehicle) => {
      const car = await pki.car(tenant, vehicle);
      records.set(vehicleKey(car), recordOf(car));
      return car;
    },
    connect: async (car, more) => {
      const client = connect({
        host: "localhost",
        port: broker.port,
        protocol: "mqtts",
        protocolVersion: 4,
        clientId: clientIdOf(car),
        reconnectPeriod: 0,
        keepalive: 60,
        clean: true,
        ...tls(car),
        ...more,
      });
      clients.add(client);
      await connected(client);
      return client;
    },
    raw: async (car) => {
      const socket = connectTls({ host: "localhost", port: broker.port, ...tls(car) });
      socket.on("error", () => undefined);
      sockets.add(socket);
      await once(socket, "secureConnect");
      return socket;
    },
    close: async () => {
      for (const client of clients) client.end(true);
      for (const socket of sockets) socket.destroy();
      await broker.close();
    },
  };
}

function firstOf(
  messages: readonly SourceMessage[],
  waiting: Set<() => void>,
  wanted: (message: SourceMessage) => boolean,
): Promise<SourceMessage> {
  return new Promise((resolve) => {
    const look = (): void => {
      const found = messages.find(wanted);
      if (found === undefined) return;
      waiting.delete(look);
      resolve(found);
    };
    waiting.add(look);
    look();
  });
}

function connected(client: MqttClient): Promise<void> {
  return new Promise((resolve, reject) => {
    client.on("error", reject);
    client.once("connect", () => resolve());
    client.once("close", () => reject(new Error("closed before CONNACK")));
  });
}

/** Resolves when the client's connection is over. */
export function ended(client: MqttClient): Promise<void> {
  return new Promise((resolve) => {
    if (!client.connected) resolve();
    else client.once("close", () => resolve());
  });
}

export function willOf(car: TestCar, payload: string): NonNullable<IClientOptions["will"]> {
  return { topic: topicOf(car, "gone"), payload: Buffer.from(payload), qos: 0, retain: false };
}

/** A CONNECT as MQTT 3.1.1 § 3.1 writes it. */
export function connectPacket(
  clientId: string,
  { clean = true, version = 4 }: { readonly clean?: boolean; readonly version?: number } = {},
): Buffer {
  const id = Buffer.from(clientId);
  const head = Buffer.from([0, 4, 77, 81, 84, 84, version, clean ? 2 : 0, 0, 60]);
  const length = Buffer.from([id.length >> 8, id.length & 0xff]);
  const body = Buffer.concat([head, length, id]);
  return Buffer.concat([Buffer.from([0x10, body.length]), body]);
}

/** A fixed header (§ 2.2). */
export function packetHead(first: number, length: number): Buffer {
  const varint: number[] = [];
  for (let left = length; ; left = Math.floor(left / 128)) {
    varint.push(left >= 128 ? (left % 128) | 0x80 : left);
    if (left < 128) return Buffer.from([first, ...varint]);
  }
}
