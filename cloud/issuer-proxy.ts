/**
 * The issuer's addresses on the API's port: what comes in there is handed on to the issuer's process over its Unix
 * socket, with whom it is for said by this proxy alone, and its answer is handed back. Nothing is kept of either.
 */
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { ISSUER_PATHS } from "@kerbside/identity";
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from "fastify";

/** Requests under way at a time; more wait for their turn. */
const SOCKETS_MAX = 32;
/** An issuer that takes longer is away, for the caller. */
const ANSWER_MS_MAX = 10_000;
/** A request for a token is a line; what is longer is cut off, and so refused. */
const BODY_BYTES_MAX: number = 16 * 1024;
/** RFC 9110 § 7.6.1, and what only this proxy may say. */
const NOT_PASSED_ON: ReadonlySet<string> = new Set([
  ...["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"],
  ...["upgrade", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"],
]);
const HIDDEN: FastifySchema & { readonly hide: boolean } = { hide: true };
const AWAY = JSON.stringify({
  error: "temporarily_unavailable",
  error_description: "the token issuer does not answer",
});

/** To be called before the server listens. */
export async function registerIssuerProxy(app: FastifyInstance, socketPath: string): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX });
  app.addHook("onClose", async () => agent.destroy());
  await app.register((scope, _options, done) => {
    // The issuer reads its requests itself, so the framework must leave their bodies alone.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, _payload, parsed) => parsed(null));
    for (const url of Object.values(ISSUER_PATHS))
      scope.route({
        method: ["GET", "POST", "OPTIONS"],
        url,
        schema: HIDDEN,
        handler: (incoming, reply) => {
          reply.hijack();
          handOn(incoming, reply, { agent, socketPath });
        },
      });
    done();
  });
}

function handOn(
  incoming: FastifyRequest,
  reply: FastifyReply,
  to: { readonly agent: Agent; readonly socketPath: string },
): void {
  const { method = "GET", url = "/", headers } = incoming.raw;
  const away = (): void => {
    if (reply.raw.headersSent) reply.raw.destroy();
    else reply.raw.writeHead(503, { "content-type": "application/json" }).end(AWAY);
  };
  const outgoing = request({
    ...to,
    method,
    path: url,
    headers: {
      ...passedOn(headers),
      "x-forwarded-for": incoming.ip,
      "x-forwarded-proto": "https",
    },
  });
  outgoing.setTimeout(ANSWER_MS_MAX, () => outgoing.destroy());
  outgoing.once("error", away);
  outgoing.once("response", (answer: IncomingMessage) => {
    answer.once("error", away);
    reply.raw.writeHead(answer.statusCode ?? 502, passedOn(answer.headers));
    answer.pipe(reply.raw);
  });
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) outgoing.destroy();
  });
  let length = 0;
  incoming.raw.on("data", (part: Buffer) => {
    length += part.length;
    if (length > BODY_BYTES_MAX) outgoing.destroy();
  });
  incoming.raw.pipe(outgoing);
}

function passedOn(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !NOT_PASSED_ON.has(name)));
}
