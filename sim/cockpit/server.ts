/**
 * The cockpit over HTTPS, and nothing else: the page's own files to anybody who can reach the port, the API only with
 * the key. A state fifteen times a second to each page that watches.
 */
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { type Clock, sameMac, sha256, type Timer, utf8 } from "@kerbside/protocol";
import { type Answer, problem, ROUTES } from "./routes.ts";
import { framesView, stateView, type ViewParts } from "./view.ts";

export type CockpitOptions = ViewParts & {
  /** On the loopback address; 0 takes any free port. */
  readonly port: number;
  /** PEM. */
  readonly certificate: string;
  readonly privateKey: string;
  /** The bearer key of the API. */
  readonly key: string;
  readonly clock: Clock;
};
export type Cockpit = { readonly port: number; readonly close: () => Promise<void> };

const BODY_BYTES_MAX = 16 * 1024;
const WATCHERS_MAX = 8;
const STATE_EVERY_MS = 66;
/** Frames go with each so many states. */
const FRAMES_EVERY = 3;
/** A page that lags by this much misses pictures. */
const WATCHER_BYTES_MAX = 256 * 1024;

const STYLES = "text/css; charset=utf-8";
const JAVASCRIPT = "text/javascript; charset=utf-8";
const PAGE: Readonly<Record<string, { readonly file: string; readonly type: string }>> = {
  "/": { file: "index.html", type: "text/html; charset=utf-8" },
  "/cockpit.css": { file: "cockpit.css", type: STYLES },
  "/car.css": { file: "car.css", type: STYLES },
  "/instruments.css": { file: "instruments.css", type: STYLES },
  "/controls.css": { file: "controls.css", type: STYLES },
  "/tables.css": { file: "tables.css", type: STYLES },
  "/module.css": { file: "module.css", type: STYLES },
  "/module.js": { file: "module.js", type: JAVASCRIPT },
  "/tap.js": { file: "tap.js", type: JAVASCRIPT },
  "/cockpit.js": { file: "cockpit.js", type: JAVASCRIPT },
  "/link.js": { file: "link.js", type: JAVASCRIPT },
  "/car.js": { file: "car.js", type: JAVASCRIPT },
  "/dials.js": { file: "dials.js", type: JAVASCRIPT },
  "/map.js": { file: "map.js", type: JAVASCRIPT },
  "/frames.js": { file: "frames.js", type: JAVASCRIPT },
  "/controls.js": { file: "controls.js", type: JAVASCRIPT },
  "/pedals.js": { file: "pedals.js", type: JAVASCRIPT },
  "/dom.js": { file: "dom.js", type: JAVASCRIPT },
  "/icon.svg": { file: "icon.svg", type: "image/svg+xml" },
};

const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
} as const;

/** Rejects where the port is taken or certificate and key do not fit. */
export async function serveCockpit(options: CockpitOptions): Promise<Cockpit> {
  const watchers = new Watchers(options);
  const server = createTlsServer(options, (request, response) => {
    serve(options, watchers, request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined);
    });
  });
  await listen(server, options.port);
  const address = server.address() as AddressInfo;
  watchers.start();
  return {
    port: address.port,
    close: () => {
      watchers.stop();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** Throws Error naming what of the two does not fit. */
function createTlsServer(
  { certificate, privateKey }: CockpitOptions,
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  try {
    return createServer(
      {
        cert: certificate,
        key: privateKey,
        minVersion: "TLSv1.3",
        headersTimeout: 10_000,
        requestTimeout: 15_000,
      },
      listener,
    );
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`certificate and key of the cockpit: ${words}`, { cause });
  }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const refused = (error: NodeJS.ErrnoException): void => {
      const words = error.code === "EADDRINUSE" ? "another process uses it" : error.message;
      reject(new Error(`port ${port} of the cockpit: ${words}`, { cause: error }));
    };
    server.once("error", refused);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", refused);
      resolve();
    });
  });
}

async function serve(
  options: CockpitOptions,
  watchers: Watchers,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? "/").split("?")[0] ?? "/";
  if (!path.startsWith("/api/")) {
    servePage(path, request.method ?? "GET", response);
    return;
  }
  if (!mayEnter(options.key, request.headers.authorization)) {
    const answer = problem(401, "The key of this cockpit is needed", "Authorization: Bearer …");
    reply(response, answer, { "www-authenticate": "Bearer" });
    return;
  }
  if (request.method === "GET" && path === "/api/live") {
    if (!watchers.add(response))
      reply(response, problem(503, "Too many pages watch", `at most ${WATCHERS_MAX}`));
    return;
  }
  const handler = Object.hasOwn(ROUTES, `${request.method} ${path}`)
    ? ROUTES[`${request.method} ${path}`]
    : undefined;
  if (handler === undefined) {
    reply(response, problem(404, "There is no such thing here", `${request.method} ${path}`));
    return;
  }
  const body =
    request.method === "POST" ? await readBody(request) : { ok: true as const, body: undefined };
  reply(response, body.ok ? await handler(options, body.body) : body.answer);
}

/** In constant time, whatever is shown. */
function mayEnter(key: string, authorization: string | undefined): boolean {
  const shown = /^Bearer (\S+)$/.exec(authorization ?? "")?.[1] ?? "";
  return sameMac(sha256(utf8(shown)), sha256(utf8(key)));
}

function servePage(path: string, method: string, response: ServerResponse): void {
  const found = Object.hasOwn(PAGE, path) ? PAGE[path] : undefined;
  if (found === undefined || (method !== "GET" && method !== "HEAD")) {
    reply(response, problem(404, "There is no such page", path));
    return;
  }
  const bytes = readFileSync(new URL(`./page/${found.file}`, import.meta.url));
  response.writeHead(200, {
    ...HEADERS,
    "content-type": found.type,
    "content-length": bytes.length,
  });
  response.end(method === "HEAD" ? undefined : bytes);
}

function reply(
  response: ServerResponse,
  { status, body }: Answer,
  more: Readonly<Record<string, string>> = {},
): void {
  const type = status < 400 ? "application/json" : "application/problem+json";
  response.writeHead(status, { ...HEADERS, ...more, "content-type": type });
  response.end(JSON.stringify(body));
}

type Body =
  | { readonly ok: true; readonly body: unknown }
  | { readonly ok: false; readonly answer: Answer };

async function readBody(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    if (!(chunk instanceof Buffer)) continue;
    length += chunk.length;
    if (length > BODY_BYTES_MAX) {
      return {
        ok: false,
        answer: problem(413, "The request is too long", `at most ${BODY_BYTES_MAX} bytes`),
      };
    }
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  try {
    return { ok: true, body: text === "" ? {} : JSON.parse(text) };
  } catch {
    return { ok: false, answer: problem(400, "The request is not understood", "expected JSON") };
  }
}

/** The pages that watch, each on a stream of server-sent events. */
class Watchers {
  readonly #options: CockpitOptions;
  readonly #responses = new Set<ServerResponse>();
  #timer: Timer | undefined;
  #count = 0;

  constructor(options: CockpitOptions) {
    this.#options = options;
  }

  add(response: ServerResponse): boolean {
    if (this.#responses.size >= WATCHERS_MAX) return false;
    response.writeHead(200, { ...HEADERS, "content-type": "text/event-stream" });
    this.#responses.add(response);
    response.on("close", () => this.#responses.delete(response));
    return true;
  }

  start(): void {
    this.#timer = this.#options.clock.after(STATE_EVERY_MS, () => {
      if (this.#responses.size > 0) this.#show();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    for (const response of this.#responses) response.destroy();
  }

  #show(): void {
    this.#count += 1;
    let text = `event: state\ndata: ${JSON.stringify(stateView(this.#options))}\n\n`;
    if (this.#count % FRAMES_EVERY === 0) {
      text += `event: frames\ndata: ${JSON.stringify(framesView(this.#options))}\n\n`;
    }
    for (const response of this.#responses) {
      if (response.writableLength <= WATCHER_BYTES_MAX) response.write(text);
    }
  }
}
