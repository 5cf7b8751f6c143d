/** The API's description as what a client needs of it: operations with their places, queries, bodies and answers. */
import { typeText } from "./type-text.ts";

export type Json = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export type Body = {
  /** Undefined: bytes of one of the types. */
  readonly schema: Json | undefined;
  readonly types: readonly string[];
  /** Nothing in it is needed. */
  readonly optional: boolean;
};
export type Answer = {
  readonly schema: Json;
  /** Of a page. */
  readonly item: Json | undefined;
};
export type Operation = {
  readonly id: string;
  readonly tag: string;
  readonly method: string;
  readonly path: string;
  readonly summary: string;
  /** Without the tenant's own, which the client knows. */
  readonly places: readonly string[];
  readonly query: readonly { readonly name: string; readonly type: string; readonly doc: string }[];
  readonly once: boolean;
  readonly body: Body | undefined;
  readonly answers: readonly Answer[];
};

const JSON_TYPE = "application/json";
/** A number that is sent as text. */
const DIGITS = "^[0-9]{1,15}$";

function object(value: unknown, what: string): Json {
  if (!isObject(value)) throw new Error(`${what}: expected an object`);
  return value;
}
function text(value: unknown, what: string): string {
  if (typeof value !== "string") throw new Error(`${what}: expected a text`);
  return value;
}

function schemaIn(content: unknown, what: string): Json {
  const media = object(object(content, what)[JSON_TYPE], `${what} ${JSON_TYPE}`);
  return object(media["schema"], `${what} schema`);
}

function bodyOf(given: unknown, what: string): Body | undefined {
  if (given === undefined) return undefined;
  const content = object(object(given, what)["content"], what);
  const types = Object.keys(content);
  if (types.length > 1) return { schema: undefined, types, optional: false };
  const schema = schemaIn(content, what);
  return { schema, types, optional: !Array.isArray(schema["required"]) };
}

/** A page is a list of items and where it goes on. */
function itemOf(schema: Json): Json | undefined {
  const { items, next, ...rest } = isObject(schema["properties"]) ? schema["properties"] : {};
  if (!isObject(items) || !isObject(next) || Object.keys(rest).length > 0) return undefined;
  return isObject(items["items"]) ? items["items"] : undefined;
}

function operationOf(path: string, method: string, given: unknown): Operation {
  const operation = object(given, `${method} ${path}`);
  const id = text(operation["operationId"], `${method} ${path} operationId`);
  const parameters = Array.isArray(operation["parameters"]) ? operation["parameters"] : [];
  const all = parameters.map((one: unknown) => object(one, id));
  const of = (where: string): readonly Json[] => all.filter((one) => one["in"] === where);
  const tags = Array.isArray(operation["tags"]) ? operation["tags"] : [];
  const ownTenant = path.startsWith("/v1/tenants/{tenant}/");
  const answers = Object.entries(object(operation["responses"], id))
    .filter(([status]) => status.startsWith("2"))
    .map(([status, answer]) => {
      const schema = schemaIn(object(answer, id)["content"], `${id} ${status}`);
      return { schema, item: itemOf(schema) };
    });
  return {
    id,
    path,
    answers,
    tag: text(tags[0], `${id} tag`),
    method: method.toUpperCase(),
    summary: text(operation["summary"], `${id} summary`),
    places: of("path")
      .map((one) => text(one["name"], id))
      .filter((name) => !(ownTenant && name === "tenant")),
    query: of("query").map((one) => {
      const schema = object(one["schema"], id);
      return {
        name: text(one["name"], id),
        type: schema["pattern"] === DIGITS ? "number" : typeText(schema, ""),
        doc: text(one["description"], `${id} ${String(one["name"])}`),
      };
    }),
    once: of("header").some((one) => one["name"] === "idempotency-key"),
    body: bodyOf(operation["requestBody"], id),
  };
}

export function operationsOf(description: object): readonly Operation[] {
  const paths = object({ ...description }, "description")["paths"];
  return Object.entries(object(paths, "paths"))
    .flatMap(([path, methods]) =>
      Object.entries(object(methods, path)).map(([method, operation]) =>
        operationOf(path, method, operation),
      ),
    )
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

type Named = { readonly name: string; readonly tag: string; readonly schema: Json };
type Candidate = Named & { readonly rank: number };

/** `getBooking` answers a Booking, a list has items, and what else there is goes by its operation. */
function candidates({ id, tag, answers, body }: Operation): readonly Candidate[] {
  const pascal = id.charAt(0).toUpperCase() + id.slice(1);
  const found = answers.map(({ schema, item }): Candidate => {
    if (item !== undefined)
      return {
        name: `${pascal.replace(/^List|^Get/, "")}Item`,
        tag,
        schema: item,
        rank: id.startsWith("list") ? 1 : 2,
      };
    return /^get[A-Z]/.test(id)
      ? { name: pascal.slice("Get".length), tag, schema, rank: 0 }
      : { name: `${pascal}Answer`, tag, schema, rank: 3 };
  });
  return body?.schema === undefined
    ? found
    : [...found, { name: `${pascal}Body`, tag, schema: body.schema, rank: 3 }];
}

/** One name for each shape, however many operations have it; the plainest name wins. */
export function namedTypes(operations: readonly Operation[]): {
  readonly types: readonly Named[];
  readonly names: ReadonlyMap<string, string>;
} {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  const types: Named[] = [];
  for (const one of operations.flatMap(candidates).toSorted((a, b) => a.rank - b.rank)) {
    const shape = typeText(one.schema, "");
    if (names.has(shape) || !shape.startsWith("{")) continue;
    if (taken.has(one.name)) throw new Error(`${one.name}: two shapes of that name`);
    taken.add(one.name);
    names.set(shape, one.name);
    types.push(one);
  }
  return { types: types.toSorted((a, b) => (a.name < b.name ? -1 : 1)), names };
}
