/**
 * The issuer's addresses on the API's port: what comes in there is handed on to the issuer's process over its Unix
 * socket, with whom it is for said by this proxy alone, and its answer is handed back. Nothing is kept of either. A
 * request is handed on once it is there as a whole: whoever sends it slowly keeps nobody from the few places there are.
 */
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { ISSUER_PATHS } from "@kerbside/identity";
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from "fastify";

/** Requests under way at a time; more wait for their turn. */
const SOCKETS_MAX = 32;
/** An issuer that takes longer is away, for the caller. */
const ANSWER_MS_MAX = 10_000;
/** A request for a token is a line; what is longer is refused. */
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
        handler: async (incoming, reply) => {
          reply.hijack();
          const body = await bodyOf(incoming.raw);
          if (body === "gone") return;
          if (body === "too long") reply.raw.writeHead(413, { connection: "close" }).end();
          else handOn(incoming, reply, body, { agent, socketPath });
        },
      });
    done();
  });
}

/** The server bounds how long it may take. */
function bodyOf(incoming: IncomingMessage): Promise<Buffer | "too long" | "gone"> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let length = 0;
    incoming.on("data", (part: Buffer) => {
      length += part.length;
      if (length <= BODY_BYTES_MAX) parts.push(part);
      else resolve("too long");
    });
    incoming.once("end", () => resolve(Buffer.concat(parts)));
    incoming.once("close", () => resolve("gone"));
  });
}

function handOn(
  incoming: FastifyRequest,
  reply: FastifyReply,
  body: Buffer,
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
      ...(body.length === 0 ? {} : { "content-length": body.length }),
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
  outgoing.end(body);
}

function passedOn(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !NOT_PASSED_ON.has(name)));
}
