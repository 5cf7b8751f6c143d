/** What a collector of traces reads out of what was posted to it (OTLP in JSON). */
import { isJson, type Json } from "../../scripts/demo/api.ts";

export type SeenSpan = {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly Json[];
  readonly ms: number;
};

/** Of bodies as `receive` keeps them: the authorization on a line before. */
export function spansOf(bodies: readonly string[]): readonly SeenSpan[] {
  return bodies
    .map((body): unknown => JSON.parse(body.slice(body.indexOf("\n") + 1)))
    .flatMap((body) => within(body, "resourceSpans"))
    .flatMap((resource) => within(resource, "scopeSpans"))
    .flatMap((scope) => within(scope, "spans"))
    .map(seen);
}

function within(of: unknown, name: string): readonly Json[] {
  const list = isJson(of) ? of[name] : undefined;
  return Array.isArray(list) ? list.filter(isJson) : [];
}

function seen(span: Json): SeenSpan {
  const parent = span["parentSpanId"];
  const attributes = within(span, "attributes").map(({ key, value }) => {
    const [told] = isJson(value) ? Object.values(value) : [];
    return [String(key), told] as const;
  });
  const [from, to] = [span["startTimeUnixNano"], span["endTimeUnixNano"]];
  return {
    name: String(span["name"]),
    traceId: String(span["traceId"]),
    spanId: String(span["spanId"]),
    parentSpanId: typeof parent === "string" && parent !== "" ? parent : undefined,
    attributes: Object.fromEntries(attributes),
    links: within(span, "links"),
    ms: Number(BigInt(String(to)) - BigInt(String(from))) / 1e6,
  };
}
