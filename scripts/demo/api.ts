/** The demo as a backend of the operator: signs in by client credentials and calls the API like anybody's. */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { Client, NoAnswer, Problem } from "../../shared/client/index.ts";
import { type Answer, type Ask, type Caller, ConnectionLost } from "./https.ts";
import type { Cloud, Paths } from "./parts.ts";
import { DemoError } from "./processes.ts";

/** A token is asked for anew this long before it ends. */
const TOKEN_SPARE_MS = 30_000;
/** A service that died is started again within seconds; until then the same request is sent again. */
const AWAY_MS_MAX = 20_000;
const AWAY_POLL_MS = 250;

export type Json = Readonly<Record<string, unknown>>;

export function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What the client asks; a problem, or that nobody answers, ends the demo in words. */
export async function told<T>(asked: Promise<T>): Promise<T> {
  return asked.catch((error: unknown) => {
    if (error instanceof NoAnswer) throw new DemoError(error.message);
    if (!(error instanceof Problem)) throw error;
    throw new DemoError(`the API answered ${error.status} ${error.title}: ${error.message}`);
  });
}

export type Where = {
  readonly cloud: Pick<Cloud, "call" | "send">;
  readonly paths: Pick<Paths, "clientSecret">;
};

export class Backend {
  readonly #call: Caller;
  readonly #credentials: string;
  readonly base: string;
  /** The same by the names of operations: as an operator would call it. */
  readonly client: Client;
  #token: { readonly value: string; readonly untilMs: number } | undefined;

  /** `client`: which of the tenant's clients it signs in as; the secret at hand is that one's. */
  constructor({ cloud, paths }: Where, tenant: string, client = "backend") {
    this.#call = cloud.call;
    this.base = `/v1/tenants/${tenant}`;
    this.client = new Client({
      ...{ origin: "", tenant, send: cloud.send, resendMs: AWAY_MS_MAX },
      token: () => this.#bearer(),
    });
    const secret = readFileSync(paths.clientSecret, "utf8").trim();
    this.#credentials = Buffer.from(`${tenant}-${client}:${secret}`).toString("base64");
  }

  async #bearer(): Promise<string> {
    if (this.#token !== undefined && Date.now() < this.#token.untilMs) return this.#token.value;
    const { status, body } = await this.#call("/oauth/token", {
      method: "POST",
      headers: { authorization: `Basic ${this.#credentials}` },
      body: "grant_type=client_credentials",
    });
    if (status !== 200 || !isJson(body) || typeof body["access_token"] !== "string") {
      throw new DemoError(`the token endpoint answered ${status}`);
    }
    const lifeMs = Number(body["expires_in"] ?? 60) * 1000;
    this.#token = { value: body["access_token"], untilMs: Date.now() + lifeMs - TOKEN_SPARE_MS };
    return this.#token.value;
  }

  /**
   * Calls a path below the tenant's. A request whose connection breaks is sent again: what changes anything carries an
   * idempotency key. Throws ConnectionLost where nobody answers for too long.
   */
  async ask(path: string, ask: Ask = {}): Promise<Answer> {
    for (const deadline = Date.now() + AWAY_MS_MAX; ; await delay(AWAY_POLL_MS)) {
      try {
        return await this.#askOnce(path, ask);
      } catch (error) {
        if (!(error instanceof ConnectionLost) || Date.now() > deadline) throw error;
      }
    }
  }

  async #askOnce(path: string, ask: Ask): Promise<Answer> {
    const authorization = `Bearer ${await this.#bearer()}`;
    return await this.#call(this.base + path, {
      ...ask,
      headers: { ...ask.headers, authorization },
    });
  }

  /** The same, where any other status than 2xx ends the demo with the problem's own words. */
  async must(path: string, ask: Ask = {}): Promise<Json> {
    const { status, body } = await this.ask(path, ask);
    if (status >= 200 && status < 300 && isJson(body)) return body;
    const words = isJson(body) ? [body["title"], body["detail"]].filter(Boolean).join(": ") : "";
    throw new DemoError(`${ask.method ?? "GET"} ${path} answered ${status} ${words}`);
  }

  /** All pages of a list. */
  async all(path: string): Promise<readonly Json[]> {
    const items: Json[] = [];
    for (let after = ""; ; ) {
      const join = path.includes("?") ? "&" : "?";
      const page = await this.must(
        after === "" ? path : `${path}${join}after=${encodeURIComponent(after)}`,
      );
      if (Array.isArray(page["items"])) items.push(...page["items"].filter(isJson));
      if (typeof page["next"] !== "string") return items;
      after = page["next"];
    }
  }
}
