/**
 * Examples for the API's own description: each request and each answer gets one, put together from its schema and from
 * what things of that name look like. A test holds them against the schemas and sends them to a running server.
 */
type Schema = Readonly<Record<string, unknown>>;

const UUID = "7b0e2f4c-3a51-4d8e-9c07-1f2a3b4c5d6e";
const HEX = "0123456789abcdef0123456789abcdef";
const TIME = "2026-11-21T08:00:00.000Z";

/** By name: the first that is of the schema's type and fits its pattern. */
const BY_NAME: Readonly<Record<string, readonly unknown[]>> = {
  action: ["command.unlock"],
  actor: ["demo-backend"],
  address: ["1 Main Street, 80331 Munich"],
  after: ["17"],
  agentVersion: ["1.4.0"],
  alarm: ["towing"],
  armMs: [600_000],
  askedBy: [`person:${UUID}`],
  attempts: [12],
  batteryLowV: [11.6],
  birthDate: ["1990-04-01"],
  booking: ["b-20261121-1"],
  bookings: [{ booking: "b-20261121-1" }],
  bytes: [4096],
  cars: ["car-1"],
  carried: ["0oRDoQEnoFgg"],
  code: ["P0420"],
  command: [HEX],
  condition: ["doors_closed"],
  confirmedListVersion: [7],
  content: ["eyJmb3JtYXQiOjF9"],
  count: [3],
  credentials: [{ credential: "card" }],
  cursor: [17],
  data: [{ locked: true }],
  dead: [1],
  decidedBy: [`person:${UUID}`],
  deliveries: [5],
  delivery: [5],
  detail: ["vehicle: there is none such"],
  email: ["ada@operator.example"],
  entries: [1042],
  fault: ["P0420"],
  file: [UUID],
  first: [1],
  from: [TIME, "192.0.2.17"],
  gap: [18],
  grant: [HEX],
  hold: [UUID],
  holder: ["driver-17"],
  id: ["b-20261121-1"],
  "idempotency-key": ["8f14e45f-ceea-467f"],
  items: [{}],
  key: [HEX],
  kind: ["trip.ended", "scheme"],
  last: [17],
  latitude: [48.137],
  licence: ["B072RRE2I55"],
  limit: ["100"],
  listVersion: [7],
  log: [HEX],
  longitude: [11.575],
  message: [4, "4"],
  minutes: [60],
  month: ["2026-10"],
  name: ["night-shift", "Ada Example"],
  nationalId: ["L01X00T47"],
  next: ["17"],
  operator: ["demo"],
  openedBy: [`person:${UUID}`],
  outcome: ["done"],
  owner: ["vehicle:car-1"],
  paymentToken: ["tok_7b0e2f4c3a51"],
  person: [UUID],
  phone: ["+4989123456", "A".repeat(43)],
  pin: ["4711"],
  problems: ["entry 17: does not follow from the one before"],
  profile: ["kerbside-sim/1"],
  publicKey: ["0badc0de"],
  readers: [`person:${UUID}`],
  reason: ["asked by the driver"],
  region: ["eu-central"],
  request: [UUID],
  secretVersion: [1],
  seq: [17],
  signature: ["0badc0de"],
  state: ["applied"],
  statement: ["erased"],
  status: ["executed", 404],
  subject: ["vehicle:car-1"],
  target: [HEX],
  tenant: ["demo"],
  term: ["used"],
  ticket: [UUID],
  title: ["There is no such thing here."],
  to: ["2026-11-21T18:00:00.000Z"],
  topic: ["kb/v1/demo/car-1/up/state"],
  type: ["about:blank"],
  url: ["https://localhost:8443/files/demo/7b0e2f4c?key=4f1c"],
  uid: ["04a1b2c3d4e5f6"],
  unanchored: [0],
  vehicle: ["car-1"],
  vehicles: ["car-1"],
  version: [2, "2026-01"],
  wait: ["10000"],
  wakeMs: [20_000],
  webhook: [UUID],
  why: ["status 500"],
  words: ["The car does not open."],
};
/** By the end of the name, where the name itself has no row. */
const BY_ENDING: readonly (readonly [ending: RegExp, example: unknown])[] = [
  [/(?:At|Since|Until|^at|^due|^since|^until)$/, TIME],
  [/Percent$/, 61],
  [/M$/, 18_200],
  [/S$/, 1260],
  [/Kmh$/, 31],
  [/Deg$/, 270],
];

/** Requests whose fields exclude each other. */
const REQUESTS: Readonly<Record<string, unknown>> = {
  createBooking: {
    ...{ vehicle: "car-1", holder: "driver-17" },
    ...{ from: TIME, to: "2026-11-21T18:00:00.000Z" },
  },
  askCommand: { action: "unlock", booking: "b-20261121-1" },
  createGrant: { actions: ["lock", "unlock"], phone: "A".repeat(43) },
  publishArtefact: {
    version: 3,
    document: { endConditions: ["doors_closed"], zones: [], unstartedMs: 900_000 },
    vehicles: ["car-1"],
  },
  placeHold: { person: UUID, reason: "case 7", readers: [`person:${UUID}`] },
  changeWebhook: { on: true, topics: ["booking", "command"] },
};

function isObject(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
function fits({ type, pattern, minimum }: Schema, value: unknown): boolean {
  const isOfType =
    type === undefined || (type === "integer" ? Number.isInteger(value) : typeof value === type);
  const isAbove = typeof minimum !== "number" || (typeof value === "number" && value >= minimum);
  return (
    isOfType && isAbove && (typeof pattern !== "string" || new RegExp(pattern).test(String(value)))
  );
}

/** Undefined where nothing is known of a thing of that name; a test finds such. */
export function exampleOf(schema: Schema, name = ""): unknown {
  const { examples, enum: names, anyOf, const: only, properties, items, type } = schema;
  if (Array.isArray(examples)) return examples[0];
  if (Array.isArray(names)) return names[0];
  if (only !== undefined) return only;
  if (Array.isArray(anyOf)) return isObject(anyOf[0]) ? exampleOf(anyOf[0], name) : undefined;
  if (isObject(properties)) {
    const fields = Object.entries(properties).map(
      ([field, inner]) => [field, isObject(inner) ? exampleOf(inner, field) : undefined] as const,
    );
    return Object.fromEntries(fields);
  }
  if (type === "array") return isObject(items) ? [exampleOf(items, name)] : undefined;
  if (type === "boolean") return true;
  // A file as it is.
  if (name === "" && (type === "string" || type === undefined)) return "…";
  const known = BY_NAME[name]?.find((value) => fits(schema, value));
  if (known !== undefined) return known;
  return (
    BY_ENDING.find(([ending, value]) => ending.test(name) && fits(schema, value))?.[1] ??
    (type === "object" ? {} : undefined)
  );
}

const PLACES: Readonly<Record<string, string>> = {
  tenant: "your tenant",
  vehicle: "pseudonym of the car",
  kind: "scheme, profile, rental or flow",
  name: "of its kind",
};

/** The description with what only a person needs: examples, and words for places and answers. */
export function withExamples<T extends object>(document: T): T {
  const { paths } = { paths: undefined, ...document };
  if (!isObject(paths)) return document;
  const filled = mapValues(paths, (methods) =>
    mapValues(methods, (operation) => (isObject(operation) ? filledIn(operation) : operation)),
  );
  return { ...document, paths: filled };
}

function mapValues(of: unknown, change: (value: unknown, key: string) => unknown): unknown {
  if (!isObject(of)) return of;
  return Object.fromEntries(Object.entries(of).map(([key, value]) => [key, change(value, key)]));
}

function filledIn(operation: Schema): Schema {
  const { operationId, summary, parameters, requestBody, responses } = operation;
  const request = REQUESTS[String(operationId)];
  const parts = Array.isArray(parameters) ? parameters.map(parameter) : undefined;
  return {
    ...operation,
    ...(parts === undefined ? {} : { parameters: parts }),
    ...(isObject(requestBody) ? { requestBody: withContent(requestBody, request) } : {}),
    responses: mapValues(responses, (response, status) => {
      if (!isObject(response)) return response;
      return {
        ...withContent(response, undefined),
        ...(status === "default" ? {} : { description: summary }),
      };
    }),
  };
}

function parameter(given: unknown): unknown {
  if (!isObject(given) || !isObject(given["schema"])) return given;
  const { name, schema, description } = given;
  const words = description ?? schema["description"] ?? PLACES[String(name)] ?? `its id`;
  return { ...given, description: words, example: exampleOf(schema, String(name)) };
}

function withContent(part: Schema, given: unknown): Schema {
  const content = mapValues(part["content"], (media, type) => {
    // Of bytes there is nothing to show.
    if (!type.endsWith("json") || !isObject(media) || !isObject(media["schema"])) return media;
    return { ...media, example: given ?? exampleOf(media["schema"]) };
  });
  return content === undefined ? part : { ...part, content };
}
