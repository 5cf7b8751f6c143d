// @ts-check
/** The API as this page uses it. Credentials and token live in this object and nowhere else. */

/** A token is renewed this long before it ends. */
const RENEW_MS = 30_000;
const RECONNECT_MS_MIN = 1000;
const RECONNECT_MS_MAX = 15_000;

/** An answer that is a problem (RFC 9457). */
export class Problem extends Error {
  /** @param {{ title?: string, detail?: string, code?: string, status?: number, mayHaveSucceeded?: boolean, command?: string }} body */
  constructor(body) {
    super(body.detail === undefined ? (body.title ?? "The server did not answer.") : body.detail);
    this.code = body.code ?? "unavailable";
    this.title = body.title ?? "";
    this.command = body.command;
    this.mayHaveSucceeded = body.mayHaveSucceeded === true;
  }
}

/** @param {string} text */
const encoded = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

/**
 * What the token says of itself; the server, not this page, decides what it allows.
 * @param {string} token
 * @returns {{ tenant: string, scopes: ReadonlySet<string> }}
 */
function claimsOf(token) {
  const part = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
  const claims = JSON.parse(atob(part));
  return { tenant: String(claims.tenant), scopes: new Set(String(claims.scope).split(" ")) };
}

export class Api {
  #client = "";
  #secret = "";
  #token = "";
  #untilMs = 0;
  #closed = new AbortController();
  tenant = "";
  /** @type {ReadonlySet<string>} */
  scopes = new Set();

  /**
   * @param {string} client
   * @param {string} secret
   */
  async signIn(client, secret) {
    this.#client = client;
    this.#secret = secret;
    await this.#renew();
  }

  /** Forgets everything and ends what is under way. */
  close() {
    this.#closed.abort();
    this.#secret = "";
    this.#token = "";
  }

  get closed() {
    return this.#closed.signal.aborted;
  }

  async #renew() {
    const reply = await fetch("/oauth/token", {
      method: "POST",
      headers: {
        authorization: `Basic ${encoded(`${encodeURIComponent(this.#client)}:${encodeURIComponent(this.#secret)}`)}`,
        "content-type": "application/x-www-form-urlencoded",
      },
      body: "grant_type=client_credentials",
      signal: this.#closed.signal,
    });
    if (!reply.ok) {
      const refused = reply.status === 400 || reply.status === 401;
      const title = refused
        ? "Client or secret is wrong."
        : "Signing in is not possible right now.";
      throw new Problem({ title, code: refused ? "unauthenticated" : "unavailable" });
    }
    const body = await reply.json();
    this.#token = String(body.access_token);
    this.#untilMs = Date.now() + Number(body.expires_in) * 1000 - RENEW_MS;
    const { tenant, scopes } = claimsOf(this.#token);
    this.tenant = tenant;
    this.scopes = scopes;
  }

  /**
   * @param {string} path below the tenant's
   * @param {RequestInit} [init]
   */
  async #fetch(path, init = {}) {
    if (Date.now() > this.#untilMs) await this.#renew();
    const headers = { ...init.headers, authorization: `Bearer ${this.#token}` };
    const url = `/v1/tenants/${this.tenant}${path}`;
    return fetch(url, { signal: this.#closed.signal, ...init, headers });
  }

  /**
   * @param {string} path
   * @param {RequestInit} [init]
   * @returns {Promise<any>}
   */
  async ask(path, init) {
    const reply = await this.#fetch(path, init);
    const body = await reply.json().catch(() => ({}));
    if (!reply.ok) throw new Problem({ ...body, status: reply.status });
    return body;
  }

  /**
   * @param {string} path
   * @param {unknown} body
   */
  post(path, body) {
    return this.ask(path, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": crypto.randomUUID() },
      body: JSON.stringify(body),
    });
  }

  /**
   * Follows the feed until signed out, connecting again as often as needed and missing nothing.
   * @param {(entry: { topic: string, id: string }) => void} changed
   * @param {(state: "live" | "waiting") => void} state
   */
  async follow(changed, state) {
    let after = "";
    let pauseMs = RECONNECT_MS_MIN;
    while (!this.closed) {
      try {
        if (after === "") after = (await this.ask("/feed?after=end")).next;
        const headers = { accept: "text/event-stream" };
        const reply = await this.#fetch(`/feed?after=${after}`, { headers });
        if (!reply.ok || reply.body === null) throw new Problem({ status: reply.status });
        state("live");
        pauseMs = RECONNECT_MS_MIN;
        for await (const entry of entriesOf(reply.body)) {
          after = String(entry.cursor);
          changed(entry);
        }
      } catch {
        // Said by the state below; the loop tries again.
      }
      if (this.closed) return;
      state("waiting");
      await new Promise((done) => setTimeout(done, pauseMs));
      pauseMs = Math.min(RECONNECT_MS_MAX, pauseMs * 2);
    }
  }
}

/**
 * Server-sent events (WHATWG HTML § 9.2) whose data is JSON.
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<{ cursor: number, topic: string, id: string }>}
 */
async function* entriesOf(body) {
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
      if (data !== undefined) yield JSON.parse(data);
    }
  }
}
