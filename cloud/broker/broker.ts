import { randomBytes } from "node:crypto";
import type { EventEmitter } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import {
  createServer as createTlsServer,
  type TLSSocket,
  type Server as TlsServer,
} from "node:tls";
import {
  type Address,
  CHANNELS,
  type Channel,
  type Clock,
  clientIdOf,
  type Downlink,
  type Log,
  ProtocolError,
  type Source,
  type SourceHandler,
  type TenantId,
  type Timer,
  topicOf,
} from "@kerbside/protocol";
import { Aedes } from "aedes";
import { Gates } from "./gates.ts";
import { PacketGuard } from "./guard.ts";
import type { IdentifyCar } from "./identity.ts";
import { BROKER_LIMITS, type BrokerLimits } from "./limits.ts";
import { RefusalCounter } from "./refusal-counter.ts";
import { type Refusal, RefusedError } from "./refusals.ts";
import { type Session, Sessions } from "./sessions.ts";

/** PEM. `ca` are the authorities that certificates of cars end at; `crl` must hold a current list for each CA of the chain, or none. */
export type BrokerTls = {
  readonly key: string;
  readonly cert: string;
  readonly ca: readonly string[];
  readonly crl?: readonly string[];
};

export type BrokerOptions = {
  /** 0: any free one. */
  readonly port: number;
  readonly host: string;
  readonly tls: BrokerTls;
  readonly identify: IdentifyCar;
  readonly log: Log;
  readonly clock: Clock;
  readonly limits?: Partial<BrokerLimits>;
  /** Network addresses whose connections are closed unread. */
  readonly blocked?: (address: string | undefined) => boolean;
};

export type Broker = {
  readonly port: number;
  /** Messages wait in the cars' sockets until it is started. */
  readonly source: Source;
  readonly downlink: Downlink;
  /** Whether cars can come in now. */
  readonly listening: () => boolean;
  readonly connected: (address: Address) => boolean;
  /** Ends the car's connection; its `gone` is handed over. */
  readonly disconnect: (address: Address) => void;
  /** The same for all cars of a tenant. */
  readonly disconnectTenant: (tenant: TenantId) => void;
  /**
   * Takes new certificates and revocation lists. No TLS session of before can be resumed, and every live connection
   * whose car is no longer who it may be is ended.
   */
  readonly reload: (tls: BrokerTls) => Promise<void>;
  /** Connections refused and ended since the start, by reason (P-53). */
  readonly refusals: () => Readonly<Record<Refusal, number>>;
  /** Ends all connections, waits until each `gone` was handed over, closes the port. */
  readonly close: () => Promise<void>;
};

const TICKET_KEY_BYTES = 48;

/** Listens with mutual TLS 1.3. Rejects where the port cannot be had or the certificates do not load. */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const broker = new EmbeddedBroker(options);
  const port = await broker.listen().catch(async (error: unknown) => {
    // Its timers would keep alive the process that it could not serve.
    await broker.close();
    throw error;
  });
  return {
    port,
    source: { start: (handler) => broker.start(handler), stop: () => broker.stop() },
    downlink: { send: (to, channel, payload) => broker.send(to, channel, payload) },
    listening: () => broker.listening(),
    connected: (address) => broker.connected(address),
    disconnect: (address) => broker.disconnect(address),
    disconnectTenant: (tenant) => broker.disconnectTenant(tenant),
    reload: (tls) => broker.reload(tls),
    refusals: () => broker.refusals.counts(),
    close: () => broker.close(),
  };
}

class EmbeddedBroker {
  readonly refusals: RefusalCounter;
  readonly #options: BrokerOptions;
  readonly #limits: BrokerLimits;
  readonly #aedes: Aedes;
  readonly #front: Server;
  readonly #tls: TlsServer;
  readonly #gates: Gates;
  readonly #sessions: Sessions;
  readonly #handler = Promise.withResolvers<SourceHandler>();
  readonly #raw = new Set<Socket>();
  #stopped = false;

  constructor(options: BrokerOptions) {
    const { clock, log, identify } = options;
    this.#options = options;
    this.#limits = { ...BROKER_LIMITS, ...options.limits };
    this.refusals = new RefusalCounter(this.#limits, clock, log);
    const handler = this.#handler.promise;
    this.#sessions = new Sessions(handler, this.#limits, clock, log);
    this.#gates = new Gates({
      limits: this.#limits,
      identify,
      sessions: this.#sessions,
      nowMs: () => clock.wallMs(),
      bootMs: () => clock.bootMs(),
    });
    this.#aedes = new Aedes({
      ...this.#gates.hooks,
      connectTimeout: this.#limits.acceptMsMax,
      drainTimeout: this.#limits.drainMsMax,
      maxTopicLevels: 8,
    });
    this.#tls = createTlsServer({
      ...contextOf(options.tls),
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: this.#limits.acceptMsMax,
      ticketKeys: randomBytes(TICKET_KEY_BYTES),
    });
    this.#front = createServer((socket) => this.#admit(socket));
  }

  async listen(): Promise<number> {
    await this.#aedes.listen();
    this.#listenToClients();
    this.#tls.on("secureConnection", (socket) => this.#secured(socket));
    this.#tls.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
      this.refusals.refused("tls", socket.remoteAddress, error.code);
      // Node does this for failures, and leaves a handshake that ran out of time open.
      socket.destroy();
    });
    const { port, host } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#front.once("error", reject);
      this.#front.listen(port, host, () => {
        this.#front.off("error", reject);
        resolve();
      });
    });
    const address = this.#front.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  async start(handler: SourceHandler): Promise<void> {
    this.#handler.resolve(handler);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const session of this.#sessions.all()) this.#end(session, "disconnected");
    await this.#sessions.settled();
  }

  async send(to: Address, channel: Channel, payload: Uint8Array): Promise<void> {
    const { from, bytesMax } = CHANNELS[channel];
    if (channel === "up" || from !== "cloud" || payload.length > bytesMax) {
      throw new ProtocolError("malformed", `${channel}: expected a message to a car within bounds`);
    }
    const topic = topicOf(to, channel);
    const session = this.#sessions.find(clientIdOf(to));
    if (session === undefined || !session.topics.has(topic) || session.guard.destroyed) {
      throw new ProtocolError("vehicle_offline", `${channel}: the car does not listen`);
    }
    if (session.guard.writableLength + payload.length > this.#limits.unsentBytesMax) {
      throw new ProtocolError("limit_reached", `${channel}: the car does not take what is sent`);
    }
    const packet = { cmd: "publish", topic, qos: 0, retain: false, dup: false } as const;
    session.client.publish({ ...packet, payload: Buffer.from(payload) }, () => undefined);
  }

  listening(): boolean {
    return this.#front.listening && !this.#stopped;
  }

  connected(address: Address): boolean {
    return this.#sessions.find(clientIdOf(address)) !== undefined;
  }

  disconnect(address: Address): void {
    const session = this.#sessions.find(clientIdOf(address));
    if (session !== undefined) this.#end(session, "disconnected");
  }

  disconnectTenant(tenant: TenantId): void {
    for (const session of this.#sessions.all())
      if (session.identity.tenant === tenant) this.#end(session, "disconnected");
  }

  async reload(tls: BrokerTls): Promise<void> {
    this.#tls.setSecureContext(contextOf(tls));
    this.#tls.setTicketKeys(randomBytes(TICKET_KEY_BYTES));
    await Promise.all(this.#sessions.all().map((session) => this.#judgeAgain(session)));
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#front.close(() => resolve()));
    // What was never started has no handler to wait for.
    this.#handler.resolve(() => Promise.reject(new RefusedError("handler")));
    await this.stop();
    for (const socket of this.#raw) socket.destroy();
    await new Promise<void>((resolve) => this.#aedes.close(resolve));
    await closed;
  }

  async #judgeAgain(session: Session): Promise<void> {
    const certificate = session.guard.socket.getPeerX509Certificate();
    try {
      if (certificate === undefined) throw new RefusedError("certificate");
      const identity = await this.#options.identify(certificate);
      if (clientIdOf(identity) !== clientIdOf(session.identity)) throw new RefusedError("identity");
    } catch {
      this.#end(session, "identity");
    }
  }

  #end(session: Session, refusal: Refusal): void {
    session.guard.refuse(refusal);
    this.#sessions.end(session);
  }

  /** Ends the connection with the certificate it stands on. A timer may be shorter than asked for, so it is asked again. */
  #endAt(session: Session): Timer {
    const { clock } = this.#options;
    const leftMs = (): number => session.identity.notAfterMs - clock.wallMs();
    const look = (): Timer =>
      clock.after(leftMs(), () => {
        if (leftMs() <= 0) session.guard.refuse("certificate_expired");
        else timer = look();
      });
    let timer = look();
    return { cancel: () => timer.cancel() };
  }

  /** Before TLS, which costs 2 ms of CPU: is there room, and has this address been refused too often. */
  #admit(socket: Socket): void {
    const { connectionsMax, unacceptedMax } = this.#limits;
    const unaccepted = this.#raw.size - this.#sessions.size;
    const full = this.#raw.size >= connectionsMax || unaccepted >= unacceptedMax;
    const { remoteAddress } = socket;
    const refusal = full
      ? "too_many_connections"
      : this.#options.blocked?.(remoteAddress) === true
        ? "blocked"
        : this.refusals.blocked(remoteAddress)
          ? "too_many_refusals"
          : undefined;
    if (refusal !== undefined || this.#stopped) {
      if (refusal !== undefined && !this.#stopped) this.refusals.closedUnread(refusal);
      socket.on("error", () => undefined);
      socket.destroy();
      return;
    }
    this.#raw.add(socket);
    socket.once("close", () => this.#raw.delete(socket));
    socket.setNoDelay(true);
    this.#tls.emit("connection", socket);
  }

  #secured(socket: TLSSocket): void {
    socket.setNoDelay(true);
    const { clock } = this.#options;
    const { remoteAddress } = socket;
    const refused = (refusal: Refusal): void => {
      // A car that was accepted does not make its neighbours behind the same address wait.
      this.refusals.refused(refusal, guard.accepted ? undefined : remoteAddress);
    };
    const limits = this.#limits;
    const guard: PacketGuard = new PacketGuard(socket, { limits, clock, refused });
    const late = clock.after(this.#limits.acceptMsMax, () => guard.refuse("accept_timeout"));
    guard.once("accepted", () => late.cancel());
    guard.once("close", () => late.cancel());
    this.#aedes.handle(guard);
  }

  #listenToClients(): void {
    // `client` comes with the registration, after a connection that was there before has been closed.
    this.#aedes.on("client", (client) => {
      const session = this.#gates.sessionOf(client);
      if (session === undefined) return;
      this.#sessions.begin(session);
      const expiry = this.#endAt(session);
      session.guard.once("close", () => {
        expiry.cancel();
        this.#sessions.end(session);
      });
    });
    this.#aedes.on("clientReady", (client) => {
      const session = this.#gates.sessionOf(client);
      session?.guard.accept(session.rates);
    });
    this.#aedes.on("subscribe", (subscriptions, client) => {
      const topics = this.#gates.sessionOf(client)?.topics;
      // aedes tells of refused ones too, with 128 in place of the QoS (§ 3.9.3).
      for (const { topic, qos } of subscriptions) if (qos <= 2) topics?.add(topic);
    });
    this.#aedes.on("unsubscribe", (topics, client) => {
      for (const topic of topics) this.#gates.sessionOf(client)?.topics.delete(topic);
    });
    const emitter: EventEmitter = this.#aedes;
    emitter.on("error", (error: Error) => {
      this.#options.log.error("broker.failed", { what: error.message });
    });
  }
}

function contextOf(tls: BrokerTls): {
  key: string;
  cert: string;
  ca: string[];
  crl?: string[];
  minVersion: "TLSv1.3";
} {
  const { key, cert, ca, crl } = tls;
  const minVersion = "TLSv1.3";
  return {
    key,
    cert,
    ca: [...ca],
    minVersion,
    ...(crl === undefined ? {} : { crl: [...crl] }),
  };
}
