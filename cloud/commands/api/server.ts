/**
 * The HTTPS server of the API: TLS 1.3 and nothing else (P-01), nothing unknown stripped in silence, nothing coerced,
 * every size and time bounded, and no log of its own, which would hold addresses and URLs (P-41).
 */
import Fastify, { type FastifyInstance } from "fastify";
import { type ApiOptions, registerApi } from "./api.ts";
import { PROBLEM_TYPE, problem } from "./problem.ts";

/** Request line and headers together; a token takes up to 8 KB of it. */
const HEADER_BYTES_MAX: number = 16 * 1024;
/** The largest body anybody has a reason to send. */
export const BODY_BYTES_MAX: number = 16 * 1024;
/** A request must have arrived whole within this; answering may take longer. */
const REQUEST_MS_MAX = 15_000;

export type ServerTls = {
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
  /** Asks clients for a certificate below this authority, which routes may look at; none needs one to connect. */
  readonly clientCa?: string;
};

/** With the API registered and not listening yet: other routes may be added. */
export async function apiServer(
  options: ApiOptions & { readonly tls: ServerTls },
): Promise<FastifyInstance> {
  const { key, cert, clientCa } = options.tls;
  const asked =
    clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: false };
  const app: FastifyInstance = Fastify({
    https: {
      key,
      cert,
      ...asked,
      minVersion: "TLSv1.3",
      maxHeaderSize: HEADER_BYTES_MAX,
      noDelay: true,
    },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false } },
    bodyLimit: BODY_BYTES_MAX,
    routerOptions: { maxParamLength: 128 },
    requestTimeout: REQUEST_MS_MAX,
    keepAliveTimeout: 65_000,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    // For URLs that cannot even be routed.
    frameworkErrors: (_error, _request, reply) => {
      const body = problem("malformed", { detail: "URL: cannot be read" });
      reply.hijack();
      reply.raw.writeHead(body.status, { "content-type": PROBLEM_TYPE }).end(JSON.stringify(body));
    },
  });
  await registerApi(app, options);
  return app;
}
