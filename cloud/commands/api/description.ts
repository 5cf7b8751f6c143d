/** The API's description without an API: the tables of routes as OpenAPI 3.1, for what is made from it. */
import Fastify from "fastify";
import { ROUTES } from "./api.ts";
import { registerDocs } from "./docs.ts";
import { PLATFORM_ROUTES } from "./platform-routes.ts";
import { sendNotFound } from "./problem.ts";
import { PLATFORM_PREFIX, PREFIX, platformSchema, routeSchema } from "./route-schema.ts";

/** What a server answers at `/openapi.json`. Listens nowhere. */
export async function apiDescription(): Promise<object> {
  const app = Fastify();
  await registerDocs(app);
  const rows = [
    ...ROUTES.map((route) => ({ ...route, url: PREFIX + route.path, schema: routeSchema(route) })),
    ...PLATFORM_ROUTES.map((route) => ({
      ...route,
      url: PLATFORM_PREFIX + route.path,
      schema: platformSchema(route),
    })),
  ];
  // The description is made as routes are registered, and those of a plugin are once it is loaded.
  app.register((scope, _options, done) => {
    for (const { method, url, schema } of rows)
      scope.route({ method, url, schema, handler: (_request, reply) => sendNotFound(reply) });
    done();
  });
  try {
    await app.ready();
    return app.swagger();
  } finally {
    await app.close();
  }
}
