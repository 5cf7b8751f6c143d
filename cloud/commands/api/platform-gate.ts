/** The gate before the platform's own routes: a client with the scope for it, of whichever tenant it was made. */
import {
  type Caller,
  type Clock,
  type PlatformDesk,
  ProtocolError,
  type TokenVerifier,
} from "@kerbside/protocol";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { PLATFORM_ROUTES } from "./platform-routes.ts";
import { PLATFORM_PREFIX, PLATFORM_SCOPE, platformSchema } from "./route-schema.ts";

export const PLATFORM_TEMPLATES: readonly string[] = PLATFORM_ROUTES.map(
  ({ path }) => PLATFORM_PREFIX + path,
);

/** Undefined where 401 has been answered. */
type CallerOf = (
  request: FastifyRequest,
  reply: FastifyReply,
  verifyToken: TokenVerifier,
) => Promise<Caller | undefined>;

export async function registerPlatform(
  app: FastifyInstance,
  options: {
    readonly platform?: PlatformDesk;
    readonly verifyToken: TokenVerifier;
    readonly clock: Clock;
  },
  callerOf: CallerOf,
): Promise<void> {
  await app.register((scope, _options, done) => {
    const callers = new WeakMap<FastifyRequest, Caller>();
    scope.addHook("onRequest", async (request, reply) => {
      reply.header("cache-control", "no-store");
      const caller = await callerOf(request, reply, options.verifyToken);
      if (caller === undefined) return reply;
      // A person's token never has it: the platform is run by programs and at the command line.
      if (!caller.scopes.has(PLATFORM_SCOPE) || caller.role !== undefined)
        throw new ProtocolError("forbidden", `token: expected scope ${PLATFORM_SCOPE}`);
      callers.set(request, caller);
      return undefined;
    });
    for (const { method, path, handle, ...described } of PLATFORM_ROUTES)
      scope.route({
        ...{ method, url: PLATFORM_PREFIX + path },
        schema: platformSchema(described),
        handler: async (request, reply) => {
          const caller = callers.get(request);
          if (caller === undefined)
            throw new ProtocolError("unauthenticated", "token: there is none");
          if (options.platform === undefined)
            throw new ProtocolError("unavailable", "platform: is not run from here");
          const params = request.params as Readonly<Record<string, string>>;
          const nowMs = options.clock.wallMs();
          const call = { desk: options.platform, caller, params, from: request.ip, nowMs };
          const answer = await handle({ ...call, body: request.body });
          return reply.code(answer.status).send(answer.body);
        },
      });
    done();
  });
}
