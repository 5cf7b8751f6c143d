/**
 * The API on a Fastify instance made by `apiServer`: each row of the tables of routes behind the same
 * gate. A token of tenant A gets, on any path of tenant B, exactly what it gets on a path that does not exist (P-02).
 */
import {
  type AuditEntry,
  type Caller,
  type PlatformDesk,
  ProtocolError,
  type TenantStore,
  type TokenVerifier,
  type Tracing,
} from "@kerbside/protocol";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { asker } from "../signer/request-signature.ts";
import { ACCESS_ROUTES } from "./access-routes.ts";
import { AGGREGATE_ROUTES } from "./aggregate-routes.ts";
import { ARTEFACT_ROUTES } from "./artefact-routes.ts";
import { AUDIT_ROUTES } from "./audit-routes.ts";
import { BOOKING_ROUTES } from "./booking-routes.ts";
import { CallQuota } from "./call-quota.ts";
import { COMMAND_ROUTES } from "./command-routes.ts";
import { registerDocs } from "./docs.ts";
import { ERASURE_ROUTES } from "./erasure-routes.ts";
import { FEED_ROUTES, Streams } from "./feed-routes.ts";
import { FILE_ROUTES, registerFileLinks, takeFiles } from "./file-routes.ts";
import { FLEET_ROUTES } from "./fleet-routes.ts";
import { GRANT_ROUTES } from "./grant-routes.ts";
import { RequestMetrics } from "./metrics.ts";
import { OWN_DATA_ROUTES } from "./own-data-routes.ts";
import { PAYMENT_ROUTES } from "./payment-routes.ts";
import { PEOPLE_ROUTES } from "./people-routes.ts";
import { PLATFORM_TEMPLATES, registerPlatform } from "./platform-gate.ts";
import { PRIVACY_ROUTES } from "./privacy-routes.ts";
import { handleError, problem, sendNotFound, sendProblem } from "./problem.ts";
import { QUARANTINE_ROUTES } from "./quarantine-routes.ts";
import { RefusalNotes } from "./refusal-notes.ts";
import { REQUEST_KEY_ROUTES } from "./request-key-routes.ts";
import type { Answer, ApiParts, Call, Route } from "./route.ts";
import { PREFIX, routeSchema } from "./route-schema.ts";
import { keepSignedBodies, proofOf, type SignedBodies } from "./signed-requests.ts";
import { TRIP_ROUTES } from "./trip-routes.ts";
import { VEHICLE_ROUTES } from "./vehicle-routes.ts";
import { WEBHOOK_ROUTES } from "./webhook-routes.ts";

export const ROUTES: readonly Route[] = [
  ...VEHICLE_ROUTES,
  ...TRIP_ROUTES,
  ...FLEET_ROUTES,
  ...BOOKING_ROUTES,
  ...GRANT_ROUTES,
  ...ARTEFACT_ROUTES,
  ...COMMAND_ROUTES,
  ...REQUEST_KEY_ROUTES,
  ...FEED_ROUTES,
  ...WEBHOOK_ROUTES,
  ...AUDIT_ROUTES,
  ...PEOPLE_ROUTES,
  ...ERASURE_ROUTES,
  ...ACCESS_ROUTES,
  ...QUARANTINE_ROUTES,
  ...FILE_ROUTES,
  ...OWN_DATA_ROUTES,
  ...PRIVACY_ROUTES,
  ...AGGREGATE_ROUTES,
  ...PAYMENT_ROUTES,
];
const URL_CHARS_MAX = 2048;

/** Who asks, and the store of their tenant. */
type Known = { readonly caller: Caller; readonly store: TenantStore };
/** What all routes share. */
type Gate = {
  readonly options: ApiOptions;
  readonly callers: WeakMap<FastifyRequest, Known>;
  readonly closing: AbortSignal;
  readonly streams: Streams;
  readonly bodies: SignedBodies;
  readonly refusals: RefusalNotes;
};

export type ApiOptions = ApiParts & {
  readonly verifyToken: TokenVerifier;
  /** The operators on this platform; without it nobody can be ordered here. */
  readonly platform?: PlatformDesk;
  readonly requests?: RequestMetrics;
  /** What other parts add to `/metrics`: totals only (P-42), in Prometheus' text format. */
  readonly moreMetrics?: () => string;
  readonly tracing?: Tracing | undefined;
};

/**
 * Registers the API, its documentation at `/docs` and `/openapi.json`, `/health` and `/metrics`, and what holds for
 * every answer of this server: problems, headers. To be called before other routes are added.
 */
export async function registerApi(app: FastifyInstance, options: ApiOptions): Promise<void> {
  const closing = new AbortController();
  app.addHook("preClose", async () => closing.abort());
  app.setErrorHandler(handleError);
  app.setNotFoundHandler((_request, reply) => sendNotFound(reply));
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-content-type-options", "nosniff");
    reply.header("referrer-policy", "no-referrer");
    if (request.url.length > URL_CHARS_MAX) {
      return sendProblem(reply, problem("malformed", { status: 414, detail: "URL: too long" }));
    }
  });
  const metrics = countRequests(app, options.requests ?? requestMetrics());
  await registerDocs(app);
  app.get("/health", { schema: { hide: true } }, async () => ({ ok: true }));
  registerMetrics(app, options, metrics);
  await registerPlatform(app, options, callerOf);
  registerFileLinks(app, options.tenant);
  await app.register((scope, _options, done) => {
    const callers = new WeakMap<FastifyRequest, Known>();
    const calls = new CallQuota(options.clock);
    scope.addHook("onRequest", (request, reply) =>
      authenticate(request, reply, options, callers, calls),
    );
    const bodies = keepSignedBodies(scope);
    const gate: Gate = {
      options,
      callers,
      closing: closing.signal,
      streams: new Streams(),
      bodies,
      refusals: new RefusalNotes(options.clock),
    };
    for (const route of ROUTES) if (route.takes === undefined) addRoute(scope, route, gate);
    // Apart from the others, so that those take nothing but JSON.
    scope.register((files, _none, ready) => {
      takeFiles(files);
      for (const route of ROUTES) if (route.takes !== undefined) addRoute(files, route, gate);
      ready();
    });
    // Paths that do not exist are behind the same gate, so that they answer the same.
    for (const url of ["/v1", "/v1/*"]) {
      scope.all(url, { schema: { hide: true } }, (_request, reply) => sendNotFound(reply));
    }
    done();
  });
}

/** What `registerApi` counts requests in, for whoever wants to read it too. */
export function requestMetrics(): RequestMetrics {
  return new RequestMetrics([...ROUTES.map((route) => PREFIX + route.path), ...PLATFORM_TEMPLATES]);
}

function countRequests(app: FastifyInstance, metrics: RequestMetrics): RequestMetrics {
  app.addHook("onResponse", async (request, reply) => {
    const template = request.routeOptions.url;
    metrics.count(request.method, template, reply.statusCode, reply.elapsedTime / 1000);
  });
  return metrics;
}

function registerMetrics(
  app: FastifyInstance,
  { verifyToken, moreMetrics }: Pick<ApiOptions, "verifyToken" | "moreMetrics">,
  metrics: RequestMetrics,
): void {
  app.get("/metrics", { schema: { hide: true } }, async (request, reply) => {
    const caller = await callerOf(request, reply, verifyToken);
    if (caller === undefined) return reply;
    // A scope of its own: what collects metrics has no business with the tenants.
    if (!caller.scopes.has("platform:metrics")) {
      throw new ProtocolError("forbidden", "metrics: the token has no scope for it");
    }
    reply.type("text/plain; version=0.0.4; charset=utf-8");
    return metrics.text() + (moreMetrics?.() ?? "");
  });
}

/** Whoever the bearer token (RFC 6750 § 2.1) proves; else undefined, and 401 has been answered. */
async function callerOf(
  request: FastifyRequest,
  reply: FastifyReply,
  verifyToken: TokenVerifier,
): Promise<Caller | undefined> {
  const token = /^Bearer ([A-Za-z0-9\-._~+/]+=*)$/i.exec(request.headers.authorization ?? "")?.[1];
  try {
    if (token !== undefined) return await verifyToken(token);
  } catch (error) {
    if (!(error instanceof ProtocolError && error.code === "unauthenticated")) throw error;
  }
  sendProblem(reply, problem("unauthenticated", { status: 401 }));
  return undefined;
}

async function authenticate(
  request: FastifyRequest,
  reply: FastifyReply,
  options: ApiOptions,
  callers: WeakMap<FastifyRequest, Known>,
  calls: CallQuota,
): Promise<FastifyReply | undefined> {
  reply.header("cache-control", "no-store");
  const caller = await callerOf(request, reply, options.verifyToken);
  if (caller === undefined) return reply;
  const params = request.params as Readonly<Record<string, string | undefined>>;
  if (params["tenant"] !== caller.tenant) return sendNotFound(reply);
  const home = await options.tenant(caller.tenant);
  if (home === undefined) return sendNotFound(reply);
  if (home.quotas !== undefined) calls.take(caller, home.quotas());
  callers.set(request, { caller, store: home.store });
  return undefined;
}

function addRoute(scope: FastifyInstance, route: Route, gate: Gate): void {
  scope.route({
    method: route.method,
    url: PREFIX + route.path,
    ...(route.bodyBytesMax === undefined ? {} : { bodyLimit: route.bodyBytesMax }),
    schema: routeSchema(route),
    onRequest: async (request) => {
      const known = gate.callers.get(request);
      if (known !== undefined && !route.scopes.some((s) => known.caller.scopes.has(s))) {
        const { operation } = route;
        const { caller, store } = known;
        await gate.refusals.note(store, { caller, operation, from: request.ip });
        throw new ProtocolError("forbidden", `token: expected scope ${route.scopes.join(" or ")}`);
      }
    },
    handler: async (request, reply) => {
      const call = callOf(request, reply, gate);
      const { tracing } = gate.options;
      return tracing === undefined ? respond(route, call) : traced(tracing, request, route, call);
    },
  });
}

function callOf(
  request: FastifyRequest,
  reply: FastifyReply,
  { options, callers, closing, streams, bodies }: Gate,
): Call {
  const known = callers.get(request);
  if (known === undefined) throw new ProtocolError("unauthenticated", "token: there is none");
  const { caller, store } = known;
  const { headers } = request;
  // Made where somebody asks for it: most calls are answered before anything could end them.
  let signal: AbortSignal | undefined;
  return {
    parts: options,
    caller: asker(caller, proofOf(request, bodies)),
    store,
    params: request.params as Readonly<Record<string, string>>,
    query: request.query as Call["query"],
    body: request.body,
    idempotencyKey: textHeader(headers["idempotency-key"]) ?? "",
    from: request.ip,
    get signal() {
      signal ??= endOf(reply, closing);
      return signal;
    },
    stillIn: () => isGood(options.verifyToken, caller.token),
    accepts: headers.accept ?? "",
    lastEventId: textHeader(headers["last-event-id"]),
    streams,
    reply,
  };
}

/** What fails otherwise says nothing of the token. */
function isGood(verifyToken: TokenVerifier, token: string): Promise<boolean> {
  return verifyToken(token).then(
    () => true,
    (error: unknown) => !(error instanceof ProtocolError && error.code === "unauthenticated"),
  );
}

/** Ends when the caller goes away or the server closes. */
function endOf(reply: FastifyReply, closing: AbortSignal): AbortSignal {
  const gone = new AbortController();
  if (reply.raw.destroyed) gone.abort();
  else reply.raw.once("close", () => gone.abort());
  return AbortSignal.any([gone.signal, closing]);
}

function textHeader(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

async function respond(route: Route, call: Call): Promise<unknown> {
  const answer: Answer = await route.handle(call);
  if (answer === "taken") return call.reply;
  if (route.personal === true) await auditRead(route, call);
  if (answer.location !== undefined) call.reply.header("location", answer.location);
  return call.reply.code(answer.status).send(answer.body);
}

/** With the time that it took to look at the token. */
function traced(
  tracing: Tracing,
  { headers }: FastifyRequest,
  route: Route,
  call: Call,
): Promise<unknown> {
  const { method, path } = route;
  const begun = {
    fields: { tenant: call.caller.tenant, method, route: PREFIX + path },
    agoMs: call.reply.elapsedTime,
    caller: textHeader(headers["traceparent"]),
  };
  return tracing.span("api.request", begun, async (span) => {
    const answer = await respond(route, call);
    span.note({ status: call.reply.statusCode });
    return answer;
  });
}

/** P-52: whose data was shown to whom, recorded before it is shown. */
function auditRead(route: Route, call: Call): Promise<void> {
  const { vehicle, booking, person, owner } = { ...call.query, ...call.params } as Partial<
    Record<"vehicle" | "booking" | "person" | "owner", string>
  >;
  const subject =
    // It was looked up by the route, so it is one: person:…, booking:… or vehicle:…
    owner !== undefined
      ? owner
      : person !== undefined
        ? `person:${person}`
        : booking !== undefined
          ? `booking:${booking}`
          : vehicle !== undefined
            ? `vehicle:${vehicle}`
            : `tenant:${call.caller.tenant}`;
  const entry: AuditEntry = {
    actor: call.caller.subject,
    action: `read.${route.operation}`,
    subject,
    outcome: "done",
    from: call.from,
  };
  return call.store.audit(entry, "soon");
}
