/** What a row of the tables of routes says of itself to the framework, which checks by it and describes it. */
import type { FastifySchema } from "fastify";
import type { PlatformRoute } from "./platform-routes.ts";
import { PROBLEM_ANSWER } from "./problem.ts";
import type { Route, Scope } from "./route.ts";
import { KEY_HEADERS, querySchema } from "./schemas.ts";

export const PREFIX = "/v1/tenants/:tenant";
export const PLATFORM_PREFIX = "/v1/platform";
export const PLATFORM_SCOPE: Scope = "platform:admin";

type Described = Omit<Route, "method" | "path" | "handle">;

export function routeSchema(route: Described): FastifySchema {
  return {
    operationId: route.operation,
    summary: route.summary,
    tags: [route.tag],
    security: [{ oauth2: [...route.scopes] }],
    querystring: querySchema(route.query ?? []),
    ...bodySchema(route),
    ...(route.once === true ? { headers: KEY_HEADERS } : {}),
    response: { ...route.answers, default: PROBLEM_ANSWER },
  };
}

function bodySchema({ body, takes }: Described): { readonly body?: unknown } {
  if (takes === undefined) return body === undefined ? {} : { body };
  // Any bytes: what they are is seen from themselves.
  const content = takes.map((type) => [type, { schema: { description: "the file itself" } }]);
  return { body: { content: Object.fromEntries(content) } };
}

export function platformSchema({
  operation,
  summary,
  body,
  answers,
}: Omit<PlatformRoute, "method" | "path" | "handle">): FastifySchema {
  return {
    operationId: operation,
    summary,
    tags: ["platform"],
    security: [{ oauth2: [PLATFORM_SCOPE] }],
    querystring: querySchema([]),
    ...(body === undefined ? {} : { body }),
    response: { ...answers, default: PROBLEM_ANSWER },
  };
}
