/**
 * What aedes asks before it does anything for a car. Each hook denies what no row allows. They are stated here in full,
 * because overriding one takes aedes' own checks away: its guard of `$SYS` is in the strict reading of topics.
 */
import { CHANNELS, clientIdOf, parseClientId, parseTopic, type Topic } from "@kerbside/protocol";
import type { AedesOptions, AedesPublishPacket, Client, ConnectPacket, PublishPacket } from "aedes";
import { PacketGuard } from "./guard.ts";
import type { IdentifyCar } from "./identity.ts";
import type { BrokerLimits } from "./limits.ts";
import { leaveToCar } from "./quota.ts";
import { type Refusal, RefusedError } from "./refusals.ts";
import type { Session, Sessions } from "./sessions.ts";

export type GateOptions = {
  readonly limits: BrokerLimits;
  readonly identify: IdentifyCar;
  readonly sessions: Sessions;
  /** Unix time, and time that never goes back, in ms. */
  readonly nowMs: () => number;
  readonly bootMs: () => number;
};

/** MQTT 3.1.1 in CONNECT (§ 3.1.2.2). */
const PROTOCOL_VERSION = 4;
/** CONNACK: not authorized (§ 3.2.2.3). */
const NOT_AUTHORIZED = 5;
const NO_FAREWELL: Uint8Array = new Uint8Array(0);

function guardOf(client: Client): PacketGuard | undefined {
  return client.conn instanceof PacketGuard ? client.conn : undefined;
}

export class Gates {
  readonly #options: GateOptions;
  readonly #sessions = new WeakMap<Client, Session>();
  readonly #farewells = new WeakMap<Client, Uint8Array>();

  constructor(options: GateOptions) {
    this.#options = options;
  }

  sessionOf(client: Client): Session | undefined {
    return this.#sessions.get(client);
  }

  readonly hooks: Required<
    Pick<
      AedesOptions,
      "preConnect" | "authenticate" | "authorizePublish" | "authorizeSubscribe" | "authorizeForward"
    >
  > = {
    preConnect: (client, packet, done) => {
      const refusal = this.#judgeConnect(client, packet);
      if (refusal === undefined) return done(null, true);
      guardOf(client)?.refuse(refusal);
      return done(new RefusedError(refusal), false);
    },
    authenticate: (client, _user, _password, done) => {
      this.#authenticate(client).then(
        () => done(null, true),
        (error: unknown) => {
          const refused = reported(client, error, "identity");
          done(Object.assign(refused, { returnCode: NOT_AUTHORIZED }), false);
        },
      );
    },
    authorizePublish: (client, packet, done) => {
      this.#publish(client, packet).then(
        () => done(null),
        (error: unknown) => done(reported(client, error, "handler")),
      );
    },
    authorizeSubscribe: (client, subscription, done) => {
      const allowed = this.#mayHear(client, subscription.topic);
      done(null, allowed ? subscription : null);
    },
    authorizeForward: (client, packet) => this.#forward(client, packet),
  };

  /** What can be seen in CONNECT alone. The will is taken out: `gone` is handed over by the session's end, whatever ends it. */
  #judgeConnect(client: Client, packet: ConnectPacket): Refusal | undefined {
    const topic = readClientId(packet.clientId);
    if (topic === undefined) return "client_id";
    if (packet.protocolVersion !== PROTOCOL_VERSION) return "protocol_version";
    if (packet.clean !== true) return "clean_session";
    const keepalive = packet.keepalive ?? 0;
    if (keepalive < 1 || keepalive > this.#options.limits.keepaliveSMax) return "keepalive";
    const { will } = packet;
    if (will === undefined) return undefined;
    const own = readTopic(will.topic);
    if (own?.channel !== "gone" || clientIdOf(own) !== packet.clientId) return "will";
    const payload = Uint8Array.from(Buffer.from(will.payload));
    if (will.retain === true || payload.length > CHANNELS.gone.bytesMax) return "will";
    this.#farewells.set(client, payload);
    delete packet.will;
    return undefined;
  }

  async #authenticate(client: Client): Promise<void> {
    const guard = guardOf(client);
    const certificate = guard?.socket.getPeerX509Certificate();
    if (guard === undefined || certificate === undefined) throw new RefusedError("certificate");
    const identity = await this.#options.identify(certificate);
    if (clientIdOf(identity) !== client.id) throw new RefusedError("client_id");
    if (identity.notAfterMs <= this.#options.nowMs()) throw new RefusedError("certificate_expired");
    const rates = this.#options.sessions.ratesOf(client.id);
    if (!rates.connect(this.#options.bootMs())) throw new RefusedError("connect_rate");
    const farewell = this.#farewells.get(client) ?? NO_FAREWELL;
    const answered = Promise.resolve();
    const topics = new Set<string>();
    this.#sessions.set(client, { client, guard, identity, rates, farewell, topics, answered });
  }

  async #publish(client: Client | null, packet: PublishPacket): Promise<void> {
    const session = client === null ? undefined : this.#sessions.get(client);
    // Nothing but a connected car publishes: wills were taken out, and there is no other source.
    if (session === undefined) throw new RefusedError("topic");
    const topic = readTopic(packet.topic);
    if (topic === undefined || clientIdOf(topic) !== session.client.id) {
      throw new RefusedError("topic");
    }
    const { from, bytesMax } = CHANNELS[topic.channel];
    if (from !== "car") throw new RefusedError("topic");
    const payload = Buffer.isBuffer(packet.payload) ? packet.payload : Buffer.from(packet.payload);
    if (payload.length > bytesMax) throw new RefusedError("payload_length");
    const { tenant, vehicle, serial } = session.identity;
    const certificate = { tenant, vehicle, serial };
    const handed = this.#options.sessions.handOver({ topic, payload, certificate });
    const done = handed.catch((error: unknown) => leaveToCar(topic, error));
    // It may fail while one before it is still under way, and nobody looks at it yet.
    done.catch(() => undefined);
    const before = session.answered;
    session.answered = before.then(() => done);
    session.answered.catch(() => undefined);
    try {
      await session.answered;
    } finally {
      session.guard.settle(packet.length ?? 0);
    }
  }

  #mayHear(client: Client, topic: string): boolean {
    const session = this.#sessions.get(client);
    const read = readTopic(topic);
    if (session === undefined || read === undefined) return false;
    return clientIdOf(read) === session.client.id && CHANNELS[read.channel].from === "cloud";
  }

  /** Again at each delivery, because aedes has been seen to deliver what its subscribe check denied. */
  #forward(client: Client, packet: AedesPublishPacket): AedesPublishPacket | null {
    return packet.retain !== true && this.#mayHear(client, packet.topic) ? packet : null;
  }
}

/** Counts why a hook says no; aedes then answers or closes. */
function reported(client: Client | null, error: unknown, otherwise: Refusal): RefusedError {
  const refused =
    error instanceof RefusedError ? error : new RefusedError(otherwise, { cause: error });
  if (client !== null) guardOf(client)?.report(refused.refusal);
  return refused;
}

function readClientId(clientId: string): string | undefined {
  try {
    return clientIdOf(parseClientId(clientId));
  } catch {
    return undefined;
  }
}

/** A wildcard, `$SYS` and everything else that is no topic of ours reads as undefined. */
function readTopic(topic: string): Topic | undefined {
  try {
    return parseTopic(topic);
  } catch {
    return undefined;
  }
}
