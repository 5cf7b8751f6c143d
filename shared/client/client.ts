/** Calls by the name of the operation; lists page by page; commands to their end; the feed without an end. */
import { entriesOf, type FeedEntry } from "./feed.ts";
import type { AskCommandBody, Command } from "./generated/commands.ts";
import { OPERATIONS, type Operations } from "./generated/operations.ts";
import type { Content, Nothing, OperationRow, Page } from "./page.ts";
import { NoAnswer, Problem } from "./problem.ts";

type Name = keyof Operations;
type Ask<N extends Name> = Operations[N]["ask"];
export type Answer<N extends Name> = Operations[N]["answer"];
/** What a list has pages of. */
export type Item<N extends Name> = Answer<N> extends Page<infer T> ? T : never;
type ListName = { [N in Name]: Answer<N> extends Page<unknown> ? N : never }[Name];

/** May be left out where nothing in it is needed. */
type Args<N extends Name> =
  Nothing extends Ask<N>
    ? [ask?: Ask<N>, options?: CallOptions]
    : [ask: Ask<N>, options?: CallOptions];
type CallOptions = { readonly signal?: AbortSignal };

/** `fetch`, or something like it: what signs requests or trusts another authority. */
export type Send = (url: string, init: RequestInit) => Promise<Response>;

export type ClientOptions = {
  /** Where the API is, such as `https://kerbside.example`; "" for the page's own origin. */
  readonly origin: string;
  readonly tenant: string;
  /** A bearer token that is good for a while yet. Asked for each call. */
  readonly token: () => string | Promise<string>;
  readonly send?: Send;
  /** Ends everything that is under way. */
  readonly signal?: AbortSignal;
  /**
   * A request whose connection broke is sent again for so many milliseconds, with the same Idempotency-Key; none by
   * default. What changes something and takes no key is never sent again.
   */
  readonly resendMs?: number;
};

const RESEND_PAUSE_MS = 250;
const RECONNECT_MS_MIN = 1000;
const RECONNECT_MS_MAX = 15_000;
/** What one look at a command waits for its end; the API's bound is 30 s. */
const LOOK_MS = 25_000;

type Request = { readonly row: OperationRow; readonly url: string; readonly ask: Asked };
/** What any operation may be asked with. */
type Asked = {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  readonly file?: { readonly type: string; readonly content: Content };
  readonly idempotencyKey?: string;
};

export class Client {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /**
   * Rejects with Problem where the API says no, with NoAnswer where the connection broke, and with the signal's reason. What takes
   * an Idempotency-Key gets one, the same for each time it is sent.
   */
  async call<N extends Name>(name: N, ...[ask, options]: Args<N>): Promise<Answer<N>> {
    return this.#answer(name, ask ?? {}, options?.signal);
  }

  /** A list page by page, to its end or `pagesMax`. Rejects as `call` does. */
  async *pages<N extends ListName>(
    name: N,
    ask: Ask<N>,
    pagesMax: number = Number.POSITIVE_INFINITY,
  ): AsyncGenerator<readonly Item<N>[]> {
    let asked: Asked = ask;
    for (let page = 0; page < pagesMax; page += 1) {
      const { items, next } = await this.#answer<Page<Item<N>>>(name, asked, undefined);
      yield items;
      if (next === undefined) return;
      asked = { ...asked, query: { ...asked.query, after: next } };
    }
  }

  /** Each item of a list, to its end. Rejects as `call` does. */
  async *each<N extends ListName>(name: N, ask: Ask<N>): AsyncGenerator<Item<N>> {
    for await (const items of this.pages(name, ask)) yield* items;
  }

  /**
   * Asks a car for something and yields the command in each of its states until it is `final`. Rejects as `call` does: one
   * that failed for certain is a Problem that names the recorded command.
   */
  async *command(
    vehicle: string,
    body: AskCommandBody,
    { idempotencyKey, signal }: CallOptions & { readonly idempotencyKey?: string } = {},
  ): AsyncGenerator<Command> {
    const options = signal === undefined ? {} : { signal };
    const key = idempotencyKey === undefined ? {} : { idempotencyKey };
    let command = await this.call("askCommand", { path: { vehicle }, body, ...key }, options);
    yield command;
    while (!command.final) {
      const look = { path: { command: command.id }, query: { wait: LOOK_MS } };
      command = await this.call("getCommand", look, options);
      yield command;
    }
  }

  /**
   * What changes, from `after` on (the cursor of the last one taken; `end`: from now on), connecting again as often as needed and
   * missing nothing, until the signal. Rejects where there is no token and with Problem where the API refuses (401, 403), never
   * for a broken connection.
   * `live` is told when a connection stands and when it is gone.
   */
  async *follow(
    after: string,
    { live, signal }: CallOptions & { readonly live?: (is: boolean) => void } = {},
  ): AsyncGenerator<FeedEntry> {
    const end = this.#end(signal);
    let [cursor, pauseMs] = [after, RECONNECT_MS_MIN];
    while (!end.aborted) {
      try {
        if (cursor === "end") {
          const { next } = await this.call("feed", { query: { after: "end" } }, { signal: end });
          cursor = next ?? "0";
        }
        const reply = await this.#stream(cursor, signal);
        live?.(true);
        pauseMs = RECONNECT_MS_MIN;
        for await (const entry of reply.body === null ? [] : entriesOf(reply.body)) {
          cursor = String(entry.cursor);
          yield entry;
        }
      } catch (error) {
        const isBroken = error instanceof NoAnswer || (error instanceof Problem && error.temporary);
        if (!end.aborted && !isBroken) throw error;
      }
      if (end.aborted) return;
      live?.(false);
      await pause(pauseMs, end);
      pauseMs = Math.min(RECONNECT_MS_MAX, pauseMs * 2);
    }
  }

  #request(name: Name, ask: Asked): Request {
    const row = OPERATIONS[name];
    const places: Asked["path"] = { tenant: this.#options.tenant, ...ask.path };
    const path = row.path.replaceAll(/\{(\w+)\}/g, (_, place: string) =>
      encodeURIComponent(places[place] ?? ""),
    );
    const query = Object.entries(ask.query ?? {}).flatMap(([key, value]): [string, string][] =>
      value === undefined ? [] : [[key, String(value)]],
    );
    const url = `${this.#options.origin}${path}`;
    return { row, ask, url: query.length === 0 ? url : `${url}?${new URLSearchParams(query)}` };
  }

  /** What the server answers is held against the same description by the server's own tests. */
  #answer<T>(name: Name, ask: Asked, signal: AbortSignal | undefined): Promise<T> {
    const whole = async (reply: Response): Promise<T> => (await reply.json()) as T;
    return this.#send(this.#request(name, ask), signal, "application/json", whole);
  }

  #stream(cursor: string, signal: AbortSignal | undefined): Promise<Response> {
    const request = this.#request("feed", { query: { after: cursor } });
    return this.#send(request, signal, "text/event-stream", async (reply) => reply);
  }

  #end(signal: AbortSignal | undefined): AbortSignal {
    return AbortSignal.any([signal, this.#options.signal].filter((one) => one !== undefined));
  }

  /** What `take` makes of an answer that is no problem. */
  async #send<T>(
    { row, url, ask }: Request,
    signal: AbortSignal | undefined,
    accept: string,
    take: (reply: Response) => Promise<T>,
  ): Promise<T> {
    const key = row.once === true ? (ask.idempotencyKey ?? crypto.randomUUID()) : undefined;
    const changes = row.method !== "GET";
    const end = this.#end(signal);
    const body = row.json === true ? JSON.stringify(ask.body ?? {}) : ask.file?.content;
    const type = row.json === true ? "application/json" : ask.file?.type;
    const deadlineMs = Date.now() + (this.#options.resendMs ?? 0);
    for (;;) {
      const headers = {
        accept,
        authorization: `Bearer ${await this.#options.token()}`,
        ...(type === undefined ? {} : { "content-type": type }),
        ...(key === undefined ? {} : { "idempotency-key": key }),
      };
      const init = { method: row.method, headers, signal: end };
      try {
        const send = this.#options.send ?? fetch;
        const reply = await send(url, body === undefined ? init : { ...init, body });
        if (reply.ok) return await take(reply);
        throw await Problem.of(reply, changes);
      } catch (error) {
        if (error instanceof Problem) throw error;
        end.throwIfAborted();
        const again = (!changes || key !== undefined) && Date.now() < deadlineMs;
        if (!again) throw new NoAnswer(error, changes, key);
      }
      await pause(RESEND_PAUSE_MS, end);
    }
  }
}

/** Shorter where the signal comes. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) return done();
    const over = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", over);
      done();
    };
    const timer = setTimeout(over, ms);
    signal.addEventListener("abort", over);
  });
}
