/**
 * The API's description held against the API: every route is in it and everything in it is a route; each example is what
 * its schema says; each is sent to the running server, and what comes back is what the description promises.
 */
import { apiDescription } from "@kerbside/commands";
import { type PlatformDesk, ProtocolError, ROLES } from "@kerbside/protocol";
import { Ajv2020 } from "ajv/dist/2020.js";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openRig, type Reply, type Rig } from "./rig.ts";

type Media = { readonly schema: object; readonly example?: unknown };
type Part = { readonly description?: string; readonly content?: Readonly<Record<string, Media>> };
type Parameter = {
  readonly name: string;
  readonly in: string;
  readonly description?: string;
  readonly example?: unknown;
};
type Operation = {
  readonly operationId: string;
  readonly summary?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Part;
  readonly responses: Readonly<Record<string, Part>>;
};
type Endpoint = Operation & { readonly method: string; readonly path: string };
type Context = { rig: Rig; endpoints: readonly Endpoint[]; routes: readonly string[] };

const test = suite<Context>("the API's description");
/** A desk without tenants. */
const NOT_THERE = new ProtocolError("not_found", "tenant: there is none such");
const platform: PlatformDesk = {
  tenants: async () => [],
  order: async () => undefined,
  agree: () => Promise.reject(NOT_THERE),
  remove: () => Promise.reject(NOT_THERE),
  benchmark: () => Promise.reject(NOT_THERE),
};
const ajv = new Ajv2020({ strict: false, allErrors: true });
/** Not for callers of the API: documentation, probes, and the answer for what is not there. */
const UNDESCRIBED = /^\/(?:docs|files\/|health|metrics|openapi\.json|v1(?:\/?\*)?$|\*$)/;

test.before(async (context) => {
  const routes: string[] = [];
  context.rig = await openRig(
    (app) => {
      routes.push(app.printRoutes({ commonPrefix: false }));
    },
    { platform },
  );
  const { body } = await context.rig.ask({ path: "/openapi.json" });
  assert.is(body.openapi, "3.1.0");
  const alone: unknown = JSON.parse(JSON.stringify(await apiDescription()));
  assert.equal(body, alone, "what is made from the description is made from this one");
  const paths = Object.entries<Record<string, Operation>>(body.paths);
  context.endpoints = paths.flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...operation,
      method: method.toUpperCase(),
      path,
    })),
  );
  context.routes = routes;
});
test.after(({ rig }) => rig.close());

/** The framework prints them as a tree: four columns a level, and the rest of the path at each. */
function routesOf(tree: string): readonly string[] {
  const above: string[] = [];
  return tree.split("\n").flatMap((line) => {
    const [, indent = "", rest = "", methods = ""] =
      /^([│ ]*)[├└]── (\S*)(?: \(([A-Z, ]+)\))?/.exec(line) ?? [];
    const depth = indent.length / 4;
    const path = `${depth === 0 ? "" : (above[depth - 1] ?? "")}${rest}`;
    above[depth] = path;
    return methods === "" ? [] : methods.split(", ").map((method) => `${method} ${path}`);
  });
}

test("every route is described, and everything described is a route", ({ endpoints, routes }) => {
  const found = routes
    .flatMap(routesOf)
    .filter((route) => !UNDESCRIBED.test(route.split(" ")[1] ?? ""));
  const described = endpoints.map(
    ({ method, path }) => `${method} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`,
  );
  assert.equal([...found].sort(), [...described].sort());
  assert.ok(found.length > 60, "the routes were read");
});

function media({ content = {} }: Part): readonly Media[] {
  return Object.entries(content).flatMap(([type, of]) => (type.endsWith("json") ? [of] : []));
}

/** Names of leaves without a value. */
function holes(example: unknown, where: string): readonly string[] {
  if (example === undefined) return [where];
  if (typeof example !== "object" || example === null) return [];
  return Object.entries(example).flatMap(([name, inner]) => holes(inner, `${where}.${name}`));
}

test("each request, answer and parameter has an example that is what its schema says", ({
  endpoints,
}) => {
  const wrong: string[] = [];
  for (const { operationId, summary, parameters = [], requestBody, responses } of endpoints) {
    if (summary === undefined) wrong.push(`${operationId}: no summary`);
    for (const { name, description, example } of parameters)
      if (description === undefined || example === undefined)
        wrong.push(`${operationId}: parameter ${name}: ${description}, ${String(example)}`);
    const parts = [
      ...(requestBody === undefined ? [] : [["request", requestBody] as const]),
      ...Object.entries(responses),
    ];
    for (const [name, part] of parts)
      for (const { schema, example } of media(part)) {
        wrong.push(...holes(example, `${operationId} ${name}`));
        const validate = ajv.compile(schema);
        if (!validate(example))
          wrong.push(`${operationId} ${name}: ${ajv.errorsText(validate.errors)}`);
      }
  }
  assert.equal(wrong, []);
});

/** The answer is one that the description has, and is what it says. */
function mismatch({ operationId, responses }: Endpoint, { status, body, headers }: Reply): string {
  const part = responses[String(status)] ?? (status >= 400 ? responses["default"] : undefined);
  if (part === undefined) return `${operationId}: ${status} is not described`;
  const type = String(headers["content-type"]).split(";")[0] ?? "";
  const described = part.content?.[type];
  if (described === undefined) return `${operationId} ${status}: ${type} is not described`;
  const validate = ajv.compile(described.schema);
  return validate(body) ? "" : `${operationId} ${status}: ${ajv.errorsText(validate.errors)}`;
}

/** Each example as it stands, to a server that has none of it. */
/** When the examples were written: what they say of that day's evening was ahead of them. */
const WRITTEN_MS = Date.parse("2026-11-21T08:00:00.000Z");

/** The same with its times moved to today, so that what lies ahead in it does so whenever this runs. */
function asOfNow(example: unknown): unknown {
  if (example === undefined) return undefined;
  const byMs = Date.now() - WRITTEN_MS;
  const moved = JSON.stringify(example).replaceAll(/"(2026-11-21T[^"]*Z)"/g, (_text, time) =>
    JSON.stringify(new Date(Date.parse(String(time)) + byMs).toISOString()),
  );
  return JSON.parse(moved);
}

test("each example is understood by the server, and answered as described", async ({
  rig,
  endpoints,
}) => {
  const scopes = Object.values(ROLES).flatMap((role) => role.scopes);
  const all = [...new Set(scopes)].join(" ");
  const staff = await rig.issuer.mint({ scope: all, role: "manager" });
  const admin = await rig.issuer.mint({ scope: "platform:admin" });
  const wrong: string[] = [];
  for (const endpoint of endpoints) {
    const { method, parameters = [], requestBody } = endpoint;
    let path = endpoint.path;
    const token = path.startsWith("/v1/platform") ? admin : staff;
    const query = new URLSearchParams();
    for (const { name, in: where, example } of parameters) {
      if (where === "path")
        path = path.replaceAll(`{${name}}`, encodeURIComponent(String(example)));
      // A cursor is of the page before, and none is known here; waiting would take its time.
      if (where === "query" && name !== "after" && name !== "wait")
        query.set(name, String(example));
    }
    const example = requestBody === undefined ? undefined : asOfNow(media(requestBody)[0]?.example);
    const [bytes] = Object.keys(requestBody?.content ?? {}).filter((type) => !/json/.test(type));
    const answer = await rig.ask({
      ...{ method, path: query.size === 0 ? path : `${path}?${query}`, token, body: example },
      ...(example === undefined && bytes !== undefined ? { raw: "no picture" } : {}),
      headers: {
        "idempotency-key": `example-${endpoint.operationId}`,
        ...(bytes === undefined ? {} : { "content-type": bytes }),
      },
    });
    const text = mismatch(endpoint, answer);
    if (text !== "") wrong.push(text);
    const isJson = bytes === undefined;
    if ((answer.status === 400 && isJson) || answer.status >= 500 || answer.status === 415)
      wrong.push(`${endpoint.operationId}: ${answer.status} ${answer.text}`);
  }
  assert.equal(wrong, []);
});

test.run();
