/** P-41, P-42: traces are off until they are switched on, say what a table allows, and hold nothing up. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Log, ProtocolError, siftSpanFields } from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeCertificate } from "../sim/rig.ts";
import { spansOf } from "../support/otlp.ts";
import { receive } from "../support/receiver.ts";
import { realClock, silentLog } from "../support/runtime.ts";

type Context = { dir: string; tls: Awaited<ReturnType<typeof makeCertificate>> };
const test = suite<Context>("traces");
test.before(async (context) => {
  context.dir = mkdtempSync(join(tmpdir(), "kerbside-traces-"));
  context.tls = await makeCertificate();
});
test.after(({ dir }) => rmSync(dir, { recursive: true }));

const resolved: string[] = [];
registerHooks({
  resolve: (specifier, context, next) => {
    if (specifier.startsWith("@opentelemetry/")) resolved.push(specifier);
    return next(specifier, context);
  },
});
const { sift, tracedNode } = await import("@kerbside/cloud");

function fileFor({ dir, tls }: Context, port: number): string {
  const file = join(dir, `${port}.json`);
  const to = { url: `https://localhost:${port}/v1/traces`, token: "a-token-of-the-collector" };
  writeFileSync(file, JSON.stringify({ ...to, ca: tls.certificate }), { mode: 0o600 });
  return file;
}
const parts = { clock: realClock, log: silentLog };

test("without the option nothing of OpenTelemetry is loaded, and the parts are the parts", async () => {
  const node = await tracedNode(undefined, parts);
  const downlink = { send: async () => undefined };
  assert.is(node.downlink(downlink), downlink);
  assert.is(node.tracing, undefined);
  assert.is(node.metrics(), "");
  await node.close();
  assert.equal(resolved, []);
});

test("P-41 P-42 a field without a row, or of another form, is told nowhere", () => {
  const good = { tenant: "demo", method: "GET", route: "/v1/tenants/:tenant/people/:person" };
  assert.equal(siftSpanFields(good), good);
  const rows: readonly [why: string, fields: Readonly<Record<string, unknown>>][] = [
    ["no row", { person: "ann" }],
    ["a car", { vehicle: "car-1" }],
    ["a route with an id", { route: "/v1/tenants/:tenant/people/17" }],
    ["a route with a query", { route: "/v1/tenants/:tenant/events?from=1" }],
    ["an address as an operation", { operation: "ann@example.org" }],
    ["a number as an outcome", { outcome: "+4930111" }],
    ["a fraction, as positions have", { bytes: 52.51627 }],
    ["an object", { operation: { toString: () => "ann" } }],
    ["a name from the prototype", { constructor: "ann" }],
  ];
  for (const [why, fields] of rows) assert.equal(siftSpanFields(fields), {}, why);
});

test("a trace goes to the collector as OTLP, with its parents, its errors and the caller's as a link", async (context) => {
  const { certificate: cert, key } = context.tls;
  await using collector = await receive({ cert, key });
  const node = await tracedNode({ file: fileFor(context, collector.port), share: 1 }, parts);
  const { tracing } = node;
  if (tracing === undefined) throw new Error("traces are on");
  assert.ok(resolved.length > 0);
  const caller = `00-${"ab".repeat(16)}-${"cd".repeat(8)}-01`;
  const fields = { tenant: "demo", method: "GET" } as const;
  const failed = await tracing
    .span("api.request", { fields, caller, agoMs: 500 }, async (span) => {
      await tracing.span("store", { fields: { operation: "latest" } }, () => delay(20));
      tracing.apart(() => assert.not(tracing.running(), "what is apart is in no trace"));
      // What a caller of ours hands on by mistake.
      span.note(Object.assign({ status: 404 }, { person: "ann" }));
      throw new ProtocolError("not_found", "vehicle ann-s-car: there is none");
    })
    .catch((error: unknown) => error);
  assert.instance(failed, ProtocolError);
  await tracing.span("api.request", { caller: "00-ann" }, async () => undefined);
  await tracing.span("store", {}, async () => undefined);
  await node.close();
  assert.match(collector.bodies[0] ?? "", /^Bearer a-token-of-the-collector\n/);
  assert.not.match(collector.bodies.join(), /ann|test\/|argv|host\.name/);
  const [store, request, other, ...more] = spansOf(collector.bodies);
  assert.equal(more, [], "a span that begins no trace is told only within one");
  assert.is(store?.parentSpanId, request?.spanId);
  assert.is(store?.traceId, request?.traceId);
  assert.ok((store?.ms ?? 0) >= 19 && (request?.ms ?? 0) >= 519, `${store?.ms} ${request?.ms}`);
  const { tenant, method, status, code } = request?.attributes ?? {};
  assert.equal([tenant, method, Number(status), code], ["demo", "GET", 404, "not_found"]);
  assert.not(request?.traceId.startsWith("abab"), "the caller does not choose our ids");
  assert.is(request?.links[0]?.["traceId"], "ab".repeat(16));
  assert.equal(other?.links, [], "what is no traceparent is no link");
  assert.equal(sift(node.metrics()).refused, [], "P-42 how many there were may leave");
  assert.match(node.metrics(), /\{outcome="sent"\} 3\n.*\{outcome="dropped"\} 0\n/);
});

test("of many traces the share that was asked for is taken, whole", async (context) => {
  const { certificate: cert, key } = context.tls;
  await using collector = await receive({ cert, key });
  const node = await tracedNode({ file: fileFor(context, collector.port), share: 0.1 }, parts);
  for (let i = 0; i < 2000; i += 1)
    await node.tracing?.span("ingest.segment", {}, async () =>
      node.tracing?.span("ingest.store", {}, async () => undefined),
    );
  await node.close();
  const spans = spansOf(collector.bodies);
  const traces = new Set(spans.map(({ traceId }) => traceId));
  assert.is(spans.length, 2 * traces.size);
  // 200 are expected, with a standard deviation of 13.
  assert.ok(traces.size > 120 && traces.size < 280, `${traces.size} of 2000`);
});

test("a collector that is away costs spans, which are counted, and nothing else", async (context) => {
  const { certificate: cert, key } = context.tls;
  const gone = await receive({ cert, key });
  await gone[Symbol.asyncDispose]();
  const warned: string[] = [];
  const log: Log = { ...silentLog, warn: (event) => warned.push(event) };
  const file = fileFor(context, gone.port);
  const node = await tracedNode({ file, share: 1 }, { ...parts, log });
  const rounds = 4000;
  for (let i = 0; i < rounds; i += 1)
    assert.is(await node.tracing?.span("api.request", {}, async () => i), i);
  const dropped = (): number => Number(/outcome="dropped"\} (\d+)/.exec(node.metrics())?.[1]);
  // Nothing of that let a timer run, so nothing was posted yet.
  assert.is(dropped(), rounds - 2048, "no more than these wait");
  await node.close();
  assert.is(dropped(), rounds, "each is counted, whether it found no place or no collector");
  assert.ok(warned.includes("traces.not_sent"));
});

test.run();
