/**
 * `Transport` over MQTT 3.1.1, mutual TLS 1.3 and a clean session, on mqtt.js. Of that library only the protocol is
 * used: it never reconnects, never stores and never queues; all of that is the uplink's and the buffer's.
 */
import type { TLSSocket } from "node:tls";
import {
  type Address,
  CHANNELS,
  type Channel,
  type Clock,
  clientIdOf,
  ProtocolError,
  parseTopic,
  type Transport,
  type TransportConnection,
  type TransportEvents,
  topicOf,
} from "@kerbside/protocol";
import { type IClientOptions, MqttClient } from "mqtt";
import { type JudgeLife, openServer } from "./server-trust.ts";

export type MqttTransportOptions = {
  readonly address: Address;
  readonly host: string;
  readonly port: number;
  /** PEM: who may vouch for the server, and this car's certificate chain and key. Read anew for each connection. */
  readonly tls: () => { readonly ca: string; readonly cert: string; readonly key: string };
  /** Whether the server's certificates are in force now; left out, the machine's clock judges. */
  readonly judge?: JudgeLife;
  readonly clock: Clock;
  /** Silence after which a ping is sent, in seconds; a connection that answers none within 1.5 times it is ended. */
  readonly keepaliveS?: number;
  /** Told of each connection that did not come about. */
  readonly onFailed?: () => void;
  /** How long TCP, TLS, CONNECT and SUBSCRIBE may take together, in milliseconds. */
  readonly connectMsMax?: number;
};

const KEEPALIVE_S = 60;
const CONNECT_MS_MAX = 20_000;
/** An orderly end that takes longer is cut, in milliseconds. */
const CLOSE_MS_MAX = 1000;
const FAILED_SUBSCRIPTION = 128;

type Will = { readonly topic: string; readonly payload: Uint8Array };
const DOWN_CHANNELS: readonly Exclude<Channel, "up">[] = ["ack", "command", "time", "artefact"];

export function mqttTransport(options: MqttTransportOptions): Transport {
  return { connect: (events, will, signal) => connect(options, events, will, signal) };
}

async function connect(
  options: MqttTransportOptions,
  events: TransportEvents,
  will: Will,
  signal: AbortSignal,
): Promise<TransportConnection> {
  if (signal.aborted) throw unavailable("stopped before it began");
  const late = new AbortController();
  const timer = options.clock.after(options.connectMsMax ?? CONNECT_MS_MAX, () =>
    late.abort("connecting took too long"),
  );
  const ending = AbortSignal.any([signal, late.signal]);
  try {
    return await connectBy(options, events, will, ending);
  } catch (error) {
    if (!signal.aborted) options.onFailed?.();
    throw error;
  } finally {
    timer.cancel();
  }
}

/** `ending` cuts it in whatever it is doing. */
async function connectBy(
  options: MqttTransportOptions,
  events: TransportEvents,
  will: Will,
  ending: AbortSignal,
): Promise<TransportConnection> {
  const { host, port, tls, judge, address } = options;
  const socket = await openServer({ host, port, tls: tls(), judge, signal: ending }).catch(
    (error: unknown) => {
      throw unavailable(error instanceof Error ? error.message : String(error));
    },
  );
  const client = new MqttClient(() => socket, clientOptions(options, will));
  // The library emits `error` also after the end of a connection; an unheard one would end the process.
  client.on("error", () => undefined);
  const link = watchLink(client, socket);
  const aborted = (): void => link.end(String(ending.reason));
  ending.addEventListener("abort", aborted, { once: true });
  try {
    deliver(client, address, events);
    await link.orEnd((done, failed) => {
      client.once("connect", () => done());
      client.once("error", (error) => failed(error));
    });
    await link.orEnd((done, failed) => subscribe(client, address, done, failed));
  } catch (error) {
    link.end("connecting failed");
    throw error;
  } finally {
    ending.removeEventListener("abort", aborted);
  }
  link.onEnd(events.closed);
  return connection(options, client, link);
}

function clientOptions({ address, keepaliveS }: MqttTransportOptions, will: Will): IClientOptions {
  return {
    clientId: clientIdOf(address),
    protocolId: "MQTT",
    protocolVersion: 4,
    clean: true,
    keepalive: keepaliveS ?? KEEPALIVE_S,
    // Else a car that sends into a dead connection would put the ping off for ever.
    reschedulePings: false,
    reconnectPeriod: 0,
    connectTimeout: CONNECT_MS_MAX,
    queueQoSZero: false,
    resubscribe: false,
    // Else it makes a buffer for each number of two bytes before its first packet: 65,536 of them, and all stay.
    writeCache: false,
    will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: false },
  };
}

type Link = {
  /** Ends the connection at once; the first reason counts. */
  readonly end: (reason: string) => void;
  /** Runs `start`; rejects with ProtocolError `unavailable` if the connection ends first. */
  readonly orEnd: (
    start: (done: () => void, failed: (error: Error) => void) => void,
  ) => Promise<void>;
  /** Calls back once with the reason, also where it has ended already. */
  readonly onEnd: (callback: (reason: string) => void) => void;
};

function watchLink(client: MqttClient, socket: TLSSocket): Link {
  let ended: string | undefined;
  const listeners = new Set<(reason: string) => void>();
  const end = (reason: string): void => {
    if (ended !== undefined) return;
    ended = reason;
    socket.destroy();
    client.end(true);
    for (const listener of listeners) listener(reason);
    listeners.clear();
  };
  socket.on("error", (error) => end(describe(error)));
  socket.on("close", () => end("the connection was closed"));
  client.on("close", () => end("the connection was closed"));
  const onEnd = (callback: (reason: string) => void): void => {
    if (ended === undefined) listeners.add(callback);
    else callback(ended);
  };
  return {
    end,
    onEnd,
    orEnd: (start) =>
      new Promise((done, failed) => {
        const gone = (reason: string): void => failed(unavailable(reason));
        onEnd(gone);
        const settle = (): void => {
          listeners.delete(gone);
        };
        start(
          () => {
            settle();
            done();
          },
          (error) => {
            settle();
            failed(unavailable(describe(error)));
          },
        );
      }),
  };
}

function deliver(client: MqttClient, address: Address, events: TransportEvents): void {
  client.on("message", (topic, payload) => {
    const channel = ownChannel(address, topic);
    if (channel === undefined || payload.length > CHANNELS[channel].bytesMax) return;
    events.message(channel, new Uint8Array(payload));
  });
}

/** The channel of a topic to this car; anything else that a broker sends is not for us. */
function ownChannel(address: Address, topic: string): Channel | undefined {
  try {
    const { tenant, vehicle, channel } = parseTopic(topic);
    const own = tenant === address.tenant && vehicle === address.vehicle;
    return own && CHANNELS[channel].from === "cloud" ? channel : undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

function subscribe(
  client: MqttClient,
  address: Address,
  done: () => void,
  failed: (error: Error) => void,
): void {
  const topics = DOWN_CHANNELS.map((channel) => topicOf(address, channel));
  client.subscribe(topics, { qos: 0 }, (error, granted) => {
    const refused = granted?.some(({ qos }) => qos === FAILED_SUBSCRIPTION) === true;
    if (error !== null) failed(error);
    else if (refused) failed(new Error("a subscription was refused"));
    else done();
  });
}

function connection(
  { clock }: MqttTransportOptions,
  client: MqttClient,
  link: Link,
): TransportConnection {
  const publish = (topic: string, payload: Uint8Array): Promise<void> =>
    link.orEnd((done, failed) => {
      const view = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
      client.publish(topic, view, { qos: 1 }, (error) => (error ? failed(error) : done()));
    });
  return {
    publish,
    close: async (farewell) => {
      const timer = clock.after(CLOSE_MS_MAX, () => link.end("closed"));
      if (farewell !== undefined) {
        // A farewell that does not get through is said by the broker, as the will.
        await publish(farewell.topic, farewell.payload).catch(() => undefined);
      }
      await link
        .orEnd((done) => {
          client.end(false, {}, () => done());
        })
        .catch(() => undefined);
      timer.cancel();
      link.end("closed");
    },
  };
}

function describe(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}

function unavailable(reason: string): ProtocolError {
  return new ProtocolError("unavailable", `broker: ${reason}`);
}
