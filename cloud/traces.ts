/**
 * Traces by OpenTelemetry, off unless a file says where they go. Of each trace that begins here a share is taken; what
 * may be said is a table (`SPANS`, `SPAN_FIELDS`). Spans wait in a bounded queue and are posted as OTLP in JSON, over TLS;
 * those that find no place, or no collector, are counted and gone: nothing waits for them. Only this module needs
 * OpenTelemetry's packages, and only whoever switches traces on loads it.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Begun,
  type Clock,
  type Log,
  ProtocolError,
  SPANS,
  type SpanFields,
  type SpanName,
  siftSpanFields,
  type Timer,
  type Tracing,
} from "@kerbside/protocol";
import {
  type Span as OtelSpan,
  ROOT_CONTEXT,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { JsonTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { AlwaysOnSampler, type ReadableSpan, TracerProvider } from "@opentelemetry/sdk-trace";
import { readOutward, tell } from "./outward.ts";

/** Spans that wait at a time; those above are dropped. */
export const SPANS_WAITING_MAX = 2048;
const SPANS_A_POST_MAX = 512;
const POST_MS = 2000;
/** Later than this nothing more is added to a trace: a loop that began within it goes on for others. */
const TRACE_MS_MAX = 120_000;
/** W3C Trace Context § 3.2: version 00; all zeros are no ids. */
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}$/;

export type TracesOptions = {
  /** See `readOutward`; read for each post. */
  readonly file: string;
  /** Which part of the traces is taken, 0 to 1. */
  readonly share: number;
};
export type TracesParts = TracesOptions & {
  readonly service: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly fraction: () => number;
  readonly everyMs?: number;
};
export type Traces = {
  readonly tracing: Tracing;
  /** Prometheus' text: how many spans were sent, and how many dropped. */
  readonly metrics: () => string;
  /** Posts what waits; never rejects. */
  readonly post: () => Promise<void>;
  /** Posts once more, and ends. */
  readonly close: () => Promise<void>;
};
type Running = { readonly span: OtelSpan; readonly sinceMs: number };

export function startTraces(parts: TracesParts): Traces {
  const outbox = new Outbox(parts);
  const name = `kerbside.${parts.service}`;
  const provider = new TracerProvider({
    // Not the default one, which tells how the process was started.
    resource: resourceFromAttributes({ "service.name": name }),
    sampler: new AlwaysOnSampler(),
    spanProcessors: [
      {
        onStart: () => undefined,
        onEnd: (span) => outbox.add(span),
        forceFlush: () => outbox.post(),
        shutdown: async () => undefined,
      },
    ],
  });
  return {
    tracing: tracingOf(provider.getTracer(name), parts),
    metrics: () => outbox.metrics(),
    post: () => outbox.post(),
    close: () => outbox.close(),
  };
}

function tracingOf(
  tracer: Tracer,
  { share, fraction, clock }: Pick<TracesParts, "share" | "fraction" | "clock">,
): Tracing {
  const here = new AsyncLocalStorage<Running | undefined>();
  const running = (): Running | undefined => {
    const now = here.getStore();
    return now !== undefined && clock.bootMs() - now.sinceMs < TRACE_MS_MAX ? now : undefined;
  };
  const start = (name: SpanName, { fields, agoMs = 0, caller }: Begun): OtelSpan => {
    const parent = running();
    const link = linkOf(caller);
    return tracer.startSpan(
      name,
      {
        attributes: siftSpanFields(fields ?? {}),
        startTime: nowMs() - agoMs,
        ...(link === undefined ? {} : { links: [link] }),
      },
      parent === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, parent.span),
    );
  };
  const note = (span: OtelSpan) => (fields: SpanFields) =>
    void span.setAttributes(siftSpanFields(fields));
  return {
    span: async (name, begun, work) => {
      const parent = running();
      const taken = parent !== undefined || (SPANS[name].begins && fraction() < share);
      if (!taken) return work({ note: () => undefined });
      const span = start(name, begun);
      const sinceMs = parent?.sinceMs ?? clock.bootMs();
      try {
        return await here.run({ span, sinceMs }, () => work({ note: note(span) }));
      } catch (error) {
        const code = error instanceof ProtocolError ? error.code : "unexpected";
        span.setAttributes(siftSpanFields({ code })).setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.end(nowMs());
      }
    },
    open: (name, fields) => {
      if (running() === undefined) return undefined;
      const span = start(name, { fields });
      return { note: note(span), end: () => span.end(nowMs()) };
    },
    running: () => running() !== undefined,
    apart: (work) => here.exit(work),
  };
}

/** Unix milliseconds with fractions. */
const nowMs = (): number => performance.timeOrigin + performance.now();

function linkOf(caller: string | undefined) {
  const [, traceId, spanId] = TRACEPARENT.exec(caller ?? "") ?? [];
  if (traceId === undefined || spanId === undefined) return undefined;
  return { context: { traceId, spanId, traceFlags: TraceFlags.NONE, isRemote: true } };
}

/** Spans on their way out. */
class Outbox {
  readonly #parts: TracesParts;
  readonly #waiting: ReadableSpan[] = [];
  #timer: Timer | undefined;
  #turn: Promise<void> = Promise.resolve();
  #sent = 0;
  #dropped = 0;
  #closed = false;

  constructor(parts: TracesParts) {
    this.#parts = parts;
  }

  add(span: ReadableSpan): void {
    if (this.#closed || this.#waiting.length >= SPANS_WAITING_MAX) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(span);
    this.#timer ??= this.#parts.clock.after(this.#parts.everyMs ?? POST_MS, () => void this.post());
  }

  /** One post after another; never rejects. */
  post(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#postAll());
    return this.#turn;
  }

  async #postAll(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    while (this.#waiting.length > 0) {
      const spans = this.#waiting.splice(0, SPANS_A_POST_MAX);
      try {
        const body = Buffer.from(JsonTraceSerializer.serializeRequest(spans) ?? []).toString();
        await tell(readOutward(this.#parts.file), { type: "application/json", body });
        this.#sent += spans.length;
      } catch (error) {
        this.#dropped += spans.length;
        const what = error instanceof Error ? error.message : "bug";
        this.#parts.log.warn("traces.not_sent", { what, count: spans.length });
        // Where one post failed the next would too: what waits has its turn later.
        break;
      }
    }
    if (this.#waiting.length > 0 && !this.#closed)
      this.#timer ??= this.#parts.clock.after(
        this.#parts.everyMs ?? POST_MS,
        () => void this.post(),
      );
  }

  metrics(): string {
    const name = "kerbside_trace_spans_total";
    return [
      `# HELP ${name} spans by what became of them`,
      `# TYPE ${name} counter`,
      `${name}{outcome="sent"} ${this.#sent}`,
      `${name}{outcome="dropped"} ${this.#dropped}\n`,
    ].join("\n");
  }

  async close(): Promise<void> {
    await this.post();
    this.#closed = true;
    this.#timer?.cancel();
    this.#dropped += this.#waiting.splice(0).length;
  }
}
