/**
 * What changes, as ids only (P-33): pulled page by page, or followed as server-sent events. Both read the store's
 * durable feed by cursor, so a follower that was away misses nothing. A stream holds one page at a time: a slow
 * reader is waited for, nothing is queued for it.
 */
import type { ServerResponse } from "node:http";
import { type Clock, type FeedEntry, ProtocolError, type TenantStore } from "@kerbside/protocol";
import { lastCursor } from "../last-cursor.ts";
import { type Answer, type Call, cursorOf, limitOf, type Route, waitOf } from "./route.ts";
import { FeedSchema, pageOf } from "./schemas.ts";
import { feedView } from "./views.ts";

/** Streams at a time: of a tenant, and of this process. */
export const STREAMS_MAX = { tenant: 64, process: 1024 } as const;
/** How often the store is looked into for what is new. */
const LOOK_MS = 200;
/** A comment at least this often, so that a dead connection is noticed (WHATWG HTML § 9.2.7 suggests 15 s). */
export const HEARTBEAT_MS = 15_000;
/** How often a stream looks whether its token still lets in (P-71). */
const STILL_IN_MS = 1000;
const PAGE = 100;
/** What a browser waits before it connects again. */
const RETRY_MS = 1000;

/** How many streams a server has open, by tenant. */
export class Streams {
  readonly #open = new Map<string, number>();

  /** Throws ProtocolError `limit_reached`. */
  enter(tenant: string): void {
    const mine = this.#open.get(tenant) ?? 0;
    const all = [...this.#open.values()].reduce((sum, n) => sum + n, 0);
    if (mine >= STREAMS_MAX.tenant || all >= STREAMS_MAX.process) {
      throw new ProtocolError("limit_reached", `feed: at most ${STREAMS_MAX.tenant} streams`);
    }
    this.#open.set(tenant, mine + 1);
  }

  leave(tenant: string): void {
    const left = (this.#open.get(tenant) ?? 1) - 1;
    if (left === 0) this.#open.delete(tenant);
    else this.#open.set(tenant, left);
  }
}

function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) return done();
    const end = (): void => {
      timer.cancel();
      signal.removeEventListener("abort", end);
      done();
    };
    const timer = clock.after(ms, end);
    signal.addEventListener("abort", end);
  });
}

/** The next entries, as soon as there are any; none after `waitMs` or when aborted. */
async function nextEntries(
  store: TenantStore,
  clock: Clock,
  asked: { readonly after: number; readonly limit: number; readonly waitMs: number },
  signal: AbortSignal,
): Promise<readonly FeedEntry[]> {
  const untilMs = clock.bootMs() + asked.waitMs;
  for (;;) {
    const entries = await store.feed(asked.after, asked.limit);
    const leftMs = untilMs - clock.bootMs();
    if (entries.length > 0 || leftMs <= 0 || signal.aborted) return entries;
    await sleep(clock, Math.min(LOOK_MS, leftMs), signal);
  }
}

/** A cursor, or `end` for what comes from now on. Throws ProtocolError `malformed`. */
async function startOf(call: Call, after: string | undefined): Promise<number> {
  return after === "end" ? lastCursor(call.store) : cursorOf(after);
}

async function feed(call: Call): Promise<Answer> {
  if (call.accepts.includes("text/event-stream")) return follow(call);
  const after = await startOf(call, call.query.after);
  const asked = { after, limit: limitOf(call.query), waitMs: waitOf(call.query) };
  const entries = await nextEntries(call.store, call.parts.clock, asked, call.signal);
  const next = String(entries.at(-1)?.cursor ?? after);
  return { status: 200, body: { items: entries.map(feedView), next } };
}

async function follow(call: Call): Promise<Answer> {
  const { caller, parts, reply } = call;
  const after = await startOf(call, call.lastEventId ?? call.query.after);
  call.streams.enter(caller.tenant);
  const expiry = new AbortController();
  const leftMs = caller.expiresAtMs - parts.clock.wallMs();
  const timer = parts.clock.after(leftMs, () => expiry.abort());
  const ended = AbortSignal.any([call.signal, expiry.signal]);
  void endWithAccount(call, expiry, ended);
  reply.hijack();
  const raw: ServerResponse = reply.raw;
  raw.on("error", () => raw.destroy());
  try {
    raw.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    });
    raw.write(`retry: ${RETRY_MS}\n\n`);
    await pump(call, after, raw, ended);
  } catch {
    parts.log.warn("feed.stream_failed");
  } finally {
    timer.cancel();
    expiry.abort();
    raw.end();
    call.streams.leave(caller.tenant);
  }
  return "taken";
}

/** Aborts once whoever follows is locked out. */
async function endWithAccount(
  call: Call,
  expiry: AbortController,
  ended: AbortSignal,
): Promise<void> {
  while (!ended.aborted) {
    await sleep(call.parts.clock, STILL_IN_MS, ended);
    if (!ended.aborted && !(await call.stillIn())) expiry.abort();
  }
}

async function pump(
  call: Call,
  from: number,
  raw: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  let after = from;
  while (!signal.aborted && !raw.destroyed) {
    const asked = { after, limit: PAGE, waitMs: HEARTBEAT_MS };
    const entries = await nextEntries(call.store, call.parts.clock, asked, signal);
    if (signal.aborted) return;
    const text =
      entries.length === 0 ? ": still here\n\n" : entries.map((entry) => written(entry)).join("");
    after = entries.at(-1)?.cursor ?? after;
    if (!raw.write(text)) await drained(raw, signal);
  }
}

function written(entry: FeedEntry): string {
  const { cursor, ...rest } = feedView(entry);
  return `id: ${cursor}\nevent: ${entry.topic}\ndata: ${JSON.stringify({ cursor, ...rest })}\n\n`;
}

function drained(raw: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const end = (): void => {
      raw.off("drain", end);
      raw.off("close", end);
      signal.removeEventListener("abort", end);
      done();
    };
    raw.on("drain", end);
    raw.on("close", end);
    signal.addEventListener("abort", end);
  });
}

export const FEED_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/feed",
    operation: "feed",
    summary:
      "What changed, as ids only: a page after a cursor (`end`: from now on), or a stream of server-sent events " +
      "(Accept: text/event-stream)",
    scopes: ["feed:read"],
    tag: "feed",
    query: ["after", "limit", "wait"],
    answers: { 200: pageOf(FeedSchema) },
    handle: feed,
  },
];
