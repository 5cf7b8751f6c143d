/**
 * A broker that is not ours: any that speaks MQTT 5 with shared subscriptions (§ 4.8.2) and asks for certificates. Cars
 * connect to it and are told apart by it (see `carRules`); the cloud is one of its clients. What it says of who sent a
 * message is not believed: each carries the car's own signature. A message is acknowledged to the broker once the handler
 * has taken it over, one of `up` in any case: the car keeps it until it has our word. The broker acknowledges to the car by
 * itself, which proves nothing, here as anywhere.
 */
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import {
  type Address,
  CHANNELS,
  type Channel,
  type Clock,
  type Downlink,
  type Log,
  ProtocolError,
  type Source,
  type SourceHandler,
  topicOf,
} from "@kerbside/protocol";
import { type IClientOptions, MqttClient } from "mqtt";
import { Taker } from "./taker.ts";
import { Untaken } from "./untaken.ts";

/** A connection hands over one message at a time, the next after it was taken; so there are several, and one to send by. */
const CONNECTIONS = 4;
const GROUP = "kerbside";
/** Messages that the broker may have under way to one connection: they wait in memory. */
const RECEIVE_MAX = 32;
/** The longest message of a car, its topic and properties. */
const PACKET_BYTES_MAX = 260 * 1024;
/** How long the broker keeps what came for a node that is away, in seconds: then cars have sent their segments anew. */
const SESSION_S = 600;
const RECONNECT_MS = 1000;
const CONNECT_MS_MAX = 10_000;
const KEEPALIVE_S = 30;
const SUBSCRIPTION_REFUSED = 128;

export type OutsideBrokerOptions = {
  readonly host: string;
  readonly port: number;
  /** PEM: who vouches for the broker, and the certificate and key that the cloud shows it. */
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
  /** Names this node to the broker, the same at each start and another for each node. */
  readonly node: string;
  readonly clock: Clock;
  readonly log: Log;
};
export type OutsideBroker = {
  /** Rejects on `start` where a subscription is refused. */
  readonly source: Source;
  /** Whether a car listens is not known here; `vehicle_offline` where the broker itself is away. */
  readonly downlink: Downlink;
  readonly close: () => Promise<void>;
};

/** Rejects with ProtocolError `unavailable` where the broker cannot be reached, or refuses; later losses are made up for. */
export async function connectOutsideBroker(options: OutsideBrokerOptions): Promise<OutsideBroker> {
  const handler = Promise.withResolvers<SourceHandler>();
  const { clock, log, node } = options;
  const untaken = new Untaken({ handler: handler.promise, clock, log });
  const takers: Taker[] = [];
  const clients: MqttClient[] = [];
  const close = async (): Promise<void> => {
    untaken.close();
    await Promise.all([...clients, sender].map((client) => client?.endAsync(true)));
  };
  const takenBy = (client: MqttClient): void => {
    takers.push(new Taker(client, { handler: handler.promise, untaken, clock, log }));
  };
  let sender: MqttClient | undefined;
  try {
    for (let i = 0; i < CONNECTIONS; i += 1)
      clients.push(await connected(options, receiving(`${node}-${i}`), takenBy));
    sender = await connected(options, sending(`${node}-send`));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    source: {
      start: async (found) => {
        handler.resolve(found);
        await Promise.all(clients.map(subscribe));
      },
      stop: async () => {
        await Promise.all(clients.map((client) => client.unsubscribeAsync(sharedTopics())));
        await Promise.all(takers.map((taker) => taker.settled()));
      },
    },
    downlink: { send: (to, channel, payload) => send(sender, to, channel, payload) },
    close,
  };
}

/** What mosquitto's `acl_file` is to say of a car, with `use_identity_as_username`: the same as the embedded broker allows. */
export function carRules(car: Address & { readonly clientId: string }): string {
  const at = `kb/v1/${car.tenant}/${car.vehicle}`;
  const rules = Object.entries(CHANNELS).map(([channel, { from }]) =>
    from === "car"
      ? `topic write ${at}/${channel}${channel === "up" ? "/+" : ""}`
      : `topic read ${at}/${channel}`,
  );
  return [`user ${car.clientId}`, ...rules, ""].join("\n");
}

/** The same of the cloud, which its own certificate names. */
export function nodeRules(name: string): string {
  const rules = Object.entries(CHANNELS).map(([channel, { from }]) =>
    from === "car"
      ? `topic read kb/v1/+/+/${channel}${channel === "up" ? "/+" : ""}`
      : `topic write kb/v1/+/+/${channel}`,
  );
  return [`user ${name}`, ...rules, ""].join("\n");
}

function sharedTopics(): string[] {
  return Object.entries(CHANNELS).flatMap(([channel, { from }]) =>
    from === "car" ? [`$share/${GROUP}/kb/v1/+/+/${channel}${channel === "up" ? "/+" : ""}`] : [],
  );
}

/** `prepare` comes before the connection does: what waited at the broker follows right upon it. */
async function connected(
  options: OutsideBrokerOptions,
  asked: IClientOptions,
  prepare: (client: MqttClient) => void = () => undefined,
): Promise<MqttClient> {
  const { host, port, tls, log } = options;
  const shown: ConnectionOptions = { host, port, ...tls, servername: host, minVersion: "TLSv1.3" };
  const open = (): TLSSocket => {
    const socket = connectTls(shown);
    // With Nagle's algorithm on one side a command takes 44 ms instead of less than one.
    socket.setNoDelay(true);
    return socket;
  };
  const client = new MqttClient(open, asked);
  prepare(client);
  const first = Promise.withResolvers<void>();
  client.once("connect", () => first.resolve());
  client.once("error", (error) => first.reject(error));
  client.once("close", () => first.reject(new Error("the connection was closed")));
  client.on("error", (error) => log.warn("broker.failed", { what: error.message }));
  client.on("close", () => log.warn("broker.lost"));
  try {
    await first.promise;
    return client;
  } catch (cause) {
    await client.endAsync(true);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ProtocolError("unavailable", `broker at ${host}:${port}: ${why}`, { cause });
  }
}

function receiving(clientId: string): IClientOptions {
  return {
    ...sending(clientId),
    // What came while this node was away waits for it.
    clean: false,
    properties: {
      sessionExpiryInterval: SESSION_S,
      receiveMaximum: RECEIVE_MAX,
      maximumPacketSize: PACKET_BYTES_MAX,
    },
    resubscribe: true,
  };
}

/** Nothing that goes to cars waits for what comes from them, and no failure of the one way breaks the other. */
function sending(clientId: string): IClientOptions {
  return {
    clientId,
    protocolId: "MQTT",
    protocolVersion: 5,
    clean: true,
    keepalive: KEEPALIVE_S,
    reconnectPeriod: RECONNECT_MS,
    connectTimeout: CONNECT_MS_MAX,
    // A command goes out now or never.
    queueQoSZero: false,
  };
}

async function subscribe(client: MqttClient): Promise<void> {
  const granted = await client.subscribeAsync(sharedTopics(), { qos: 1 });
  if (granted.some(({ qos }) => qos >= SUBSCRIPTION_REFUSED))
    throw new ProtocolError("unavailable", "broker: a shared subscription was refused");
}

async function send(
  client: MqttClient | undefined,
  to: Address,
  channel: Channel,
  payload: Uint8Array,
): Promise<void> {
  const { from, bytesMax } = CHANNELS[channel];
  if (channel === "up" || from !== "cloud" || payload.length > bytesMax)
    throw new ProtocolError("malformed", `${channel}: expected a message to a car within bounds`);
  if (client?.connected !== true)
    throw new ProtocolError("vehicle_offline", `${channel}: the broker is not reachable`);
  await new Promise<void>((done, fail) => {
    const end = (error?: Error): void => {
      client.off("close", lost);
      if (error instanceof Error)
        fail(new ProtocolError("unavailable", `${channel}: ${error.message}`));
      else done();
    };
    // The library says nothing of what was handed to a connection that broke: it may have gone out.
    const lost = (): void => end(new Error("the connection to the broker broke"));
    client.once("close", lost);
    const bytes = Buffer.from(payload);
    client.publish(topicOf(to, channel), bytes, { qos: 0, retain: false }, end);
  });
}
