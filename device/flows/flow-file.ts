/**
 * A flow file: an operator's own event rule for the car. It says what it wants to be fed, what it may report, and the
 * Node-RED nodes that do it. Whatever it does not declare, it neither hears nor says.
 */
import { isSignalName, ProtocolError, type SignalName } from "@kerbside/protocol";
import Type, { type Static } from "typebox";
import { Check, Errors } from "typebox/value";
import { EVENT_OUT, NODE_TYPES, SIGNAL_IN } from "./node-types.ts";

/** What one message to a car may carry, and some room for its envelope. */
export const FLOW_BYTES_MAX: number = 252 * 1024;
const NODES_MAX = 500;
const SIGNALS_MAX = 32;
const EVENTS_MAX = 16;
const FIELDS_MAX = 16;
const DEPTH_MAX = 16;
const PROBLEMS_MAX = 16;

const closed = { additionalProperties: false };
const NAME = "^[a-z0-9][a-z0-9.-]{0,63}$";
const FIELD_NAME = "^[a-z][A-Za-z0-9]{0,31}$";

const fieldSchema = Type.Union([
  Type.Object(
    { type: Type.Literal("number"), min: Type.Number(), max: Type.Number() },
    { ...closed, description: "A number within its bounds." },
  ),
  Type.Object({ type: Type.Literal("boolean") }, { ...closed, description: "True or false." }),
  Type.Object(
    {
      type: Type.Literal("choice"),
      of: Type.Array(Type.String({ pattern: "^[A-Za-z0-9_.-]{1,64}$" }), {
        minItems: 1,
        maxItems: 32,
      }),
    },
    {
      ...closed,
      description: "One of some words. Free text is not to be had: it could name a person.",
    },
  ),
]);

const eventSchema = Type.Object(
  {
    name: Type.String({ pattern: NAME, description: "What the feed calls it." }),
    title: Type.String({ maxLength: 120 }),
    perHourMax: Type.Integer({ minimum: 1, maximum: 3600, description: "More are refused." }),
    fields: Type.Record(Type.String({ pattern: FIELD_NAME }), fieldSchema, {
      maxProperties: FIELDS_MAX,
      ...closed,
    }),
  },
  closed,
);

/** Published as JSON Schema: `kerbside-agent flow schema`. */
export const flowSchema = Type.Object(
  {
    $schema: Type.Optional(Type.String({ maxLength: 200 })),
    format: Type.Literal(1),
    name: Type.String({ pattern: NAME }),
    version: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    title: Type.String({ maxLength: 120 }),
    signals: Type.Array(Type.String({ maxLength: 100 }), {
      maxItems: SIGNALS_MAX,
      description: "VSS names of the signals it is fed.",
    }),
    events: Type.Array(eventSchema, { maxItems: EVENTS_MAX }),
    nodes: Type.Array(
      Type.Object({
        id: Type.String({ pattern: "^[A-Za-z0-9_.-]{1,64}$" }),
        type: Type.String({ maxLength: 100 }),
      }),
      { minItems: 1, maxItems: NODES_MAX, description: "As the Node-RED editor exports them." },
    ),
  },
  closed,
);

export type FlowFile = Omit<Static<typeof flowSchema>, "signals"> & {
  readonly signals: readonly SignalName[];
};
export type FlowEvent = FlowFile["events"][number];
export type FlowField = Static<typeof fieldSchema>;
export type FlowNode = FlowFile["nodes"][number];

const isDocument = (value: unknown): value is Static<typeof flowSchema> => Check(flowSchema, value);

/** Everything that is wrong with a flow file, each with its JSON pointer (RFC 6901). Never throws. */
export function flowProblems(bytes: Uint8Array): readonly string[] {
  const read = readFlow(bytes);
  return "problems" in read ? read.problems : [];
}

/** Throws ProtocolError `malformed` that names everything that is wrong, up to a bound. */
export function parseFlow(bytes: Uint8Array): FlowFile {
  const read = readFlow(bytes);
  if (!("problems" in read)) return read.flow;
  throw new ProtocolError("malformed", `flow: ${read.problems.join("; ")}`);
}

type Read = { readonly flow: FlowFile } | { readonly problems: readonly string[] };

function readFlow(bytes: Uint8Array): Read {
  if (bytes.length > FLOW_BYTES_MAX) {
    return { problems: [`${bytes.length} bytes, more than ${FLOW_BYTES_MAX}`] };
  }
  const value = parseJson(bytes);
  if (typeof value === "string") return { problems: [value] };
  const { document } = value;
  if (!isDocument(document)) {
    const told = Errors(flowSchema, document)
      .slice(0, PROBLEMS_MAX)
      .map(({ instancePath, message }) => `${instancePath || "/"} ${message}`);
    return { problems: told };
  }
  const problems: string[] = [];
  const signals = document.signals.filter(isSignalName);
  for (const name of document.signals) {
    if (!isSignalName(name)) problems.push(`/signals: no signal ${name}`);
  }
  checkEvents(document.events, problems);
  checkNodes(document, problems);
  if (problems.length > 0) return { problems: problems.slice(0, PROBLEMS_MAX) };
  return { flow: { ...document, signals } };
}

function parseJson(bytes: Uint8Array): { readonly document: unknown } | string {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const document: unknown = JSON.parse(text, (key, item: unknown) => {
      if (key === "__proto__") throw new SyntaxError(`key ${key} is not allowed`);
      return item;
    });
    return depthOf(document) > DEPTH_MAX ? `deeper than ${DEPTH_MAX}` : { document };
  } catch (error) {
    return `no JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Counts no further than one beyond the bound. */
function depthOf(value: unknown, depth = 0): number {
  if (typeof value !== "object" || value === null || depth > DEPTH_MAX) return depth;
  let deepest = depth + 1;
  for (const item of Object.values(value)) deepest = Math.max(deepest, depthOf(item, depth + 1));
  return deepest;
}

function checkEvents(events: readonly FlowEvent[], problems: string[]): void {
  const names = new Set<string>();
  for (const [i, { name, fields }] of events.entries()) {
    if (names.has(name)) problems.push(`/events/${i}/name: ${name} is there twice`);
    names.add(name);
    for (const [key, field] of Object.entries(fields)) {
      if (field.type === "number" && !(field.min <= field.max)) {
        problems.push(`/events/${i}/fields/${key}: min is above max`);
      }
    }
  }
}

function checkNodes(flow: Static<typeof flowSchema>, problems: string[]): void {
  const ids = new Set<string>();
  const subflows = new Set(flow.nodes.filter(({ type }) => type === "subflow").map(({ id }) => id));
  for (const [i, node] of flow.nodes.entries()) {
    const at = `/nodes/${i}`;
    if (ids.has(node.id)) problems.push(`${at}/id: ${node.id} is there twice`);
    ids.add(node.id);
    const isSubflow =
      node.type === "subflow" ||
      (node.type.startsWith("subflow:") && subflows.has(node.type.slice("subflow:".length)));
    if (!isSubflow && !NODE_TYPES.has(node.type)) {
      problems.push(`${at}/type: a car has no node ${node.type}`);
    }
    const text = (key: string): unknown => (node as Readonly<Record<string, unknown>>)[key];
    if (node.type === SIGNAL_IN && !flow.signals.some((name) => name === text("signal"))) {
      problems.push(`${at}/signal: not among /signals`);
    }
    if (node.type === EVENT_OUT && !flow.events.some(({ name }) => name === text("event"))) {
      problems.push(`${at}/event: not among /events`);
    }
    const libs = text("libs");
    if (Array.isArray(libs) && libs.length > 0) {
      problems.push(`${at}/libs: a function cannot bring modules into a car`);
    }
  }
}
