/**
 * Stands in front of the HTTPS server (P-63): it counts connections and requests by network address before anything of
 * them is read, so that one address takes neither all the room nor all the time. What it remembers is bounded, and
 * forgotten with a restart. It goes by the address that the connection has: behind a proxy, limits are the proxy's.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server, Socket } from "node:net";
import { networkOf } from "@kerbside/identity";
import type { Clock, Log } from "@kerbside/protocol";
import type { Blocked } from "./block-list.ts";

export type FrontDoorLimits = {
  /** Connections at once, of all and of one network; more are closed unread. */
  readonly connectionsMax: number;
  readonly connectionsPerNetworkMax: number;
  /** From the TCP connection to the end of its TLS handshake. */
  readonly handshakeMsMax: number;
  /** Requests of one network each second, and as a burst; more are answered 429. */
  readonly requestsPerS: number;
  readonly requestsBurst: number;
  /** The same of requests that anybody may make and that cost a hash or a signature. */
  readonly costlyPerS: number;
  readonly costlyBurst: number;
  /** Networks remembered; the longest unseen is forgotten first. */
  readonly networksMax: number;
};

export const FRONT_DOOR_LIMITS: FrontDoorLimits = {
  connectionsMax: 4096,
  connectionsPerNetworkMax: 256,
  handshakeMsMax: 10_000,
  requestsPerS: 200,
  requestsBurst: 1000,
  costlyPerS: 50,
  costlyBurst: 200,
  networksMax: 10_000,
};

/** Anybody may call these, with nothing to show for it. */
const COSTLY: ReadonlySet<string> = new Set(["/oauth/token", "/enrol", "/renew"]);
/** Refusals are summed up in the log, so that whoever causes them does not fill it. */
const TOLD_EVERY_MS = 10_000;
/** A network that did not ask for so long is forgotten when the next one asks: its bucket is full again long since. */
const FORGOTTEN_MS = 60_000;
const TOO_MANY = JSON.stringify({
  type: "about:blank",
  title: "A bound was reached.",
  status: 429,
  code: "limit_reached",
  detail: "too many requests from this address",
  mayHaveSucceeded: false,
  temporary: true,
});

export type FrontDoorParts = {
  readonly clock: Clock;
  readonly log: Log;
  readonly blocked: Blocked;
  readonly limits?: Partial<FrontDoorLimits>;
};
type Refused = "blocked" | "connections" | "handshake" | "requests";
type Bucket = { readonly tokens: number; readonly atMs: number };

/** To be called once all listeners of `server` are there. */
export function guardServer(server: Server, parts: FrontDoorParts): void {
  const door = new FrontDoor({ ...FRONT_DOOR_LIMITS, ...parts.limits }, parts);
  behind(server, "connection", (socket: Socket) => door.admits(socket));
  server.on("secureConnection", (secured: Socket) => door.secured(secured));
  behind(server, "request", (request: IncomingMessage, response: ServerResponse) => {
    for (const [name, value] of Object.entries(headersFor(request)))
      response.setHeader(name, value);
    return door.serves(request, response);
  });
}

/**
 * What every answer carries, whoever gives it, where it says nothing of its own (OWASP ASVS 5.0 V3.4). A page that needs
 * more than nothing says what.
 */
const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cross-origin-opener-policy": "same-origin",
};
/** Two years (RFC 6797). */
const HTTPS_ONLY = "max-age=63072000; includeSubDomains";

/** A browser would keep to HTTPS for all that a developer runs on their own machine, so that name is left out. */
function headersFor({ headers }: IncomingMessage): Readonly<Record<string, string>> {
  const isOwnMachine = /^localhost(?::\d+)?$/i.test(headers.host ?? "");
  return isOwnMachine ? HEADERS : { ...HEADERS, "strict-transport-security": HTTPS_ONLY };
}

/** Puts a gate before whoever listens to an event so far. */
function behind<Args extends unknown[]>(
  server: Server,
  event: string,
  opens: (...args: Args) => boolean,
): void {
  const listeners = server.listeners(event);
  server.removeAllListeners(event);
  server.on(event, (...args: Args) => {
    if (opens(...args)) for (const listener of listeners) Reflect.apply(listener, server, args);
  });
}

class FrontDoor {
  readonly #limits: FrontDoorLimits;
  readonly #parts: FrontDoorParts;
  readonly #open = new Map<string, number>();
  #all = 0;
  /** Handshakes under way, by the port and address of the other end, which TLS hands on. */
  readonly #handshakes = new Map<string, () => void>();
  readonly #requests = new Map<string, Bucket>();
  readonly #costly = new Map<string, Bucket>();
  readonly #refused: Partial<Record<Refused, number>> = {};
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(limits: FrontDoorLimits, parts: FrontDoorParts) {
    this.#limits = limits;
    this.#parts = parts;
  }

  admits(socket: Socket): boolean {
    const { remoteAddress = "" } = socket;
    const network = networkOf(remoteAddress);
    const mine = this.#open.get(network) ?? 0;
    const { connectionsMax, connectionsPerNetworkMax } = this.#limits;
    const full = this.#all >= connectionsMax || mine >= connectionsPerNetworkMax;
    if (full || this.#parts.blocked(remoteAddress)) {
      this.#refuse(full ? "connections" : "blocked");
      socket.on("error", () => undefined);
      socket.destroy();
      return false;
    }
    this.#all += 1;
    this.#open.set(network, mine + 1);
    const place = placeOf(socket);
    const late = this.#parts.clock.after(this.#limits.handshakeMsMax, () => {
      this.#handshakes.delete(place);
      this.#refuse("handshake");
      socket.destroy();
    });
    this.#handshakes.set(place, () => late.cancel());
    socket.once("close", () => {
      late.cancel();
      this.#handshakes.delete(place);
      this.#all -= 1;
      const left = (this.#open.get(network) ?? 1) - 1;
      if (left === 0) this.#open.delete(network);
      else this.#open.set(network, left);
    });
    return true;
  }

  secured(socket: Socket): void {
    const place = placeOf(socket);
    this.#handshakes.get(place)?.();
    this.#handshakes.delete(place);
  }

  /** Answers the request itself where it says no. */
  serves(request: IncomingMessage, response: ServerResponse): boolean {
    const { remoteAddress = "" } = request.socket;
    if (this.#parts.blocked(remoteAddress)) {
      this.#refuse("blocked");
      request.socket.destroy();
      return false;
    }
    const network = networkOf(remoteAddress);
    const { requestsPerS, requestsBurst, costlyPerS, costlyBurst } = this.#limits;
    const path = (request.url ?? "").split("?", 1).join("");
    const waitMs = Math.max(
      this.#take(this.#requests, network, requestsPerS, requestsBurst),
      COSTLY.has(path) ? this.#take(this.#costly, network, costlyPerS, costlyBurst) : 0,
    );
    if (waitMs === 0) return true;
    this.#refuse("requests");
    response.writeHead(429, {
      "content-type": "application/problem+json",
      "retry-after": String(Math.ceil(waitMs / 1000)),
      "cache-control": "no-store",
      connection: "close",
    });
    response.end(TOO_MANY);
    return false;
  }

  /** 0, or how long until there is one more; one that is refused costs nothing. */
  #take(buckets: Map<string, Bucket>, network: string, perS: number, burst: number): number {
    const atMs = this.#parts.clock.bootMs();
    const before = buckets.get(network) ?? { tokens: burst, atMs };
    const tokens = Math.min(burst, before.tokens + ((atMs - before.atMs) * perS) / 1000);
    const taken = tokens >= 1;
    buckets.delete(network);
    buckets.set(network, { tokens: taken ? tokens - 1 : tokens, atMs });
    // In the order of their last use; what is full again says nothing any more (P-22).
    for (const [oldest, bucket] of buckets) {
      if (buckets.size <= this.#limits.networksMax && atMs - bucket.atMs < FORGOTTEN_MS) break;
      buckets.delete(oldest);
    }
    return taken ? 0 : ((1 - tokens) * 1000) / perS;
  }

  /** Counts (P-53); no address goes into the log (P-41). */
  #refuse(why: Refused): void {
    this.#refused[why] = (this.#refused[why] ?? 0) + 1;
    const nowMs = this.#parts.clock.bootMs();
    if (nowMs - this.#toldMs < TOLD_EVERY_MS) return;
    this.#toldMs = nowMs;
    this.#parts.log.warn("door.refused", { ...this.#refused });
  }
}

function placeOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
