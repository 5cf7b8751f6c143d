/** The API as this page uses it: typed answers, problems (RFC 9457) as errors, and the feed of ids (P-33). */
import { type Session, SignedOut } from "./session.ts";
import type { FeedEntry, Page } from "./types.ts";

/** An answer that is a problem. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly code: string;
  readonly title: string;
  readonly command: string | undefined;

  constructor(body: { title?: string; detail?: string; code?: string; command?: string }) {
    super(body.detail ?? body.title ?? "");
    this.code = body.code ?? "unavailable";
    this.title = body.title ?? "";
    this.command = body.command;
  }
}

const RECONNECT_MS_MIN = 1000;
const RECONNECT_MS_MAX = 15_000;

export class Api {
  readonly session: Session;
  readonly #closed = new AbortController();

  constructor(session: Session) {
    this.session = session;
  }

  may(scope: string): boolean {
    return this.session.scopes.has(scope);
  }

  close(): void {
    this.#closed.abort();
  }

  async get<T>(path: string): Promise<T> {
    return this.#answer<T>(await this.#fetch(path));
  }

  async post<T>(path: string, body: unknown): Promise<T> {
    const headers = { "content-type": "application/json", "idempotency-key": crypto.randomUUID() };
    return this.#answer<T>(
      await this.#fetch(path, { method: "POST", headers, body: JSON.stringify(body) }),
    );
  }

  /** Every page of a list, up to `pagesMax`. */
  async *pages<T>(path: string, pagesMax: number): AsyncGenerator<readonly T[]> {
    let after = "";
    for (let page = 0; page < pagesMax; page += 1) {
      const join = path.includes("?") ? "&" : "?";
      const more = after === "" ? "" : `${join}after=${encodeURIComponent(after)}`;
      const { items, next } = await this.get<Page<T>>(path + more);
      yield items;
      if (next === undefined) return;
      after = next;
    }
  }

  /** Follows the feed until closed, connecting again as often as needed and missing nothing. */
  async follow(changed: (entry: FeedEntry) => void, live: (is: boolean) => void): Promise<void> {
    let after = "";
    let pauseMs = RECONNECT_MS_MIN;
    while (!this.#closed.signal.aborted) {
      try {
        if (after === "") after = (await this.get<{ next: string }>("/feed?after=end")).next;
        const headers = { accept: "text/event-stream" };
        const reply = await this.#fetch(`/feed?after=${after}`, { headers });
        if (!reply.ok || reply.body === null) throw new Problem({});
        live(true);
        pauseMs = RECONNECT_MS_MIN;
        for await (const entry of entriesOf(reply.body)) {
          after = String(entry.cursor);
          changed(entry);
        }
      } catch (error) {
        if (error instanceof SignedOut) throw error;
      }
      if (this.#closed.signal.aborted) return;
      live(false);
      await new Promise((done) => setTimeout(done, pauseMs));
      pauseMs = Math.min(RECONNECT_MS_MAX, pauseMs * 2);
    }
  }

  async #fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { ...init.headers, authorization: `Bearer ${await this.session.token()}` };
    const url = `/v1/tenants/${this.session.tenant}${path}`;
    return fetch(url, { signal: this.#closed.signal, ...init, headers });
  }

  async #answer<T>(reply: Response): Promise<T> {
    const body: unknown = await reply.json().catch(() => ({}));
    if (reply.ok) return body as T;
    if (reply.status === 401) throw new SignedOut("");
    throw new Problem(body as ConstructorParameters<typeof Problem>[0]);
  }
}

/** Server-sent events (WHATWG HTML § 9.2) whose data is JSON. */
async function* entriesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<FeedEntry> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    held += decoder.decode(value, { stream: true });
    const blocks = held.split("\n\n");
    held = blocks.pop() ?? "";
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (data !== undefined) yield JSON.parse(data) as FeedEntry;
    }
  }
}
