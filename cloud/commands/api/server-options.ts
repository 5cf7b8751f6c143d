/**
 * What the HTTP server must be made with for the API to keep its promises: nothing unknown is stripped in silence,
 * nothing coerced, every size and time bounded, no line of the log with an address or a URL in it.
 */
import { PROBLEM_TYPE, problem } from "./problem.ts";

/** The largest body anybody has a reason to send. */
export const BODY_BYTES_MAX: number = 16 * 1024;
export const URL_CHARS_MAX = 2048;

type RawReply = {
  readonly code: (status: number) => unknown;
  readonly type: (type: string) => unknown;
  readonly send: (body: string) => unknown;
};
export type ApiServerOptions = {
  readonly ajv: { readonly customOptions: Readonly<Record<string, boolean>> };
  readonly bodyLimit: number;
  readonly routerOptions: { readonly maxParamLength: number };
  readonly requestTimeout: number;
  readonly keepAliveTimeout: number;
  readonly exposeHeadRoutes: boolean;
  readonly disableRequestLogging: boolean;
  readonly forceCloseConnections: boolean;
  readonly frameworkErrors: (error: unknown, request: unknown, reply: RawReply) => void;
};
export const API_SERVER_OPTIONS: ApiServerOptions = {
  ajv: {
    customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false },
  },
  bodyLimit: BODY_BYTES_MAX,
  routerOptions: { maxParamLength: 128 },
  /** A request must have arrived whole within this; answering may take longer. */
  requestTimeout: 15_000,
  keepAliveTimeout: 65_000,
  exposeHeadRoutes: false,
  disableRequestLogging: true,
  forceCloseConnections: true,
  /** For URLs that cannot even be routed. */
  frameworkErrors: (_error: unknown, _request: unknown, reply: RawReply): void => {
    reply.code(400);
    reply.type(PROBLEM_TYPE);
    reply.send(JSON.stringify(problem("malformed", { detail: "URL: cannot be read" })));
  },
};
