/** What the operator's API says of the car's last commands, for the cockpit: asked for now and then, kept. */
import { readFileSync } from "node:fs";
import { request } from "node:https";
import type { Clock } from "@kerbside/protocol";
import { isObject } from "../car/fields.ts";

const EVERY_MS = 2000;
const ANSWER_MS_MAX = 5000;
const ANSWER_BYTES_MAX = 256 * 1024;
const COMMANDS_SHOWN = 6;
/** A token is asked for anew this long before it ends. */
const TOKEN_SPARE_MS = 30_000;

export type CommandShown = {
  readonly id: string;
  readonly action: string;
  readonly state: string;
  readonly steps: readonly { readonly state: string; readonly at: string }[];
  readonly unmet: readonly string[];
};
export type CloudView = {
  readonly commands: () => readonly CommandShown[];
  /** Why the API says nothing, in words. */
  readonly problem: () => string | undefined;
  readonly close: () => Promise<void>;
};

/** Where the API is, and as whom to ask; a file that only its owner reads. */
type Access = {
  readonly url: string;
  readonly ca: string;
  readonly tenant: string;
  readonly vehicle: string;
  readonly client: string;
  readonly secret: string;
};
const FIELDS = ["url", "ca", "tenant", "vehicle", "client", "secret"] as const;

/** Throws Error naming the file and what is missing. */
export function readAccess(file: string): Access {
  const said: unknown = JSON.parse(readFileSync(file, "utf8"));
  const missing = FIELDS.find((name) => !isObject(said) || typeof said[name] !== "string");
  if (missing !== undefined) throw new Error(`${file}: expected ${missing}`);
  return said as Access;
}

export function watchCloud(access: Access, clock: Clock): CloudView {
  let commands: readonly CommandShown[] = [];
  let problem: string | undefined;
  let isOver = false;
  const api = new Api(access);
  const look = async (): Promise<void> => {
    try {
      const { tenant, vehicle } = access;
      const path = `/v1/tenants/${tenant}/vehicles/${vehicle}/commands?limit=${COMMANDS_SHOWN}`;
      const { items } = await api.get(path);
      commands = Array.isArray(items) ? items.filter(isObject).map(shown) : [];
      problem = undefined;
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    if (!isOver) timer = clock.after(EVERY_MS, () => void look());
  };
  let timer = clock.after(0, () => void look());
  return {
    commands: () => commands,
    problem: () => problem,
    close: async () => {
      isOver = true;
      timer.cancel();
    },
  };
}

function shown(command: Readonly<Record<string, unknown>>): CommandShown {
  const { id, action, state, steps, result } = command;
  const unmet = isObject(result) && Array.isArray(result["unmet"]) ? result["unmet"] : [];
  return {
    id: String(id).slice(0, 8),
    action: String(action),
    state: String(state),
    steps: Array.isArray(steps)
      ? steps
          .filter(isObject)
          .map((step) => ({ state: String(step["state"]), at: String(step["at"]) }))
      : [],
    unmet: unmet.filter(isObject).map(({ words }) => String(words)),
  };
}

class Api {
  readonly #access: Access;
  #token: { readonly value: string; readonly untilMs: number } | undefined;

  constructor(access: Access) {
    this.#access = access;
  }

  async get(path: string): Promise<Readonly<Record<string, unknown>>> {
    return await this.#ask("GET", path, { authorization: `Bearer ${await this.#bearer()}` });
  }

  async #bearer(): Promise<string> {
    const known = this.#token;
    if (known !== undefined && performance.now() < known.untilMs) return known.value;
    const { client, secret } = this.#access;
    const basic = Buffer.from(`${client}:${secret}`).toString("base64");
    const headers = {
      authorization: `Basic ${basic}`,
      "content-type": "application/x-www-form-urlencoded",
    };
    const said = await this.#ask("POST", "/oauth/token", headers, "grant_type=client_credentials");
    const lifeMs = Number(said["expires_in"] ?? 60) * 1000 - TOKEN_SPARE_MS;
    const value = String(said["access_token"]);
    this.#token = { value, untilMs: performance.now() + lifeMs };
    return value;
  }

  #ask(
    method: "GET" | "POST",
    path: string,
    headers: Readonly<Record<string, string>>,
    body?: string,
  ): Promise<Readonly<Record<string, unknown>>> {
    const { url, ca } = this.#access;
    return new Promise((resolve, reject) => {
      const options = { method, ca, headers, timeout: ANSWER_MS_MAX, agent: false } as const;
      const asked = request(new URL(path, url), options, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
          if (text.length > ANSWER_BYTES_MAX) asked.destroy(new Error("the answer is too long"));
        });
        response.on("error", reject);
        response.on("end", () => {
          const status = response.statusCode ?? 0;
          try {
            const said: unknown = JSON.parse(text);
            if (status === 200 && isObject(said)) resolve(said);
            else reject(new Error(`the API answered ${status}`));
          } catch {
            reject(new Error(`the API answered ${status}, and no JSON`));
          }
        });
      });
      asked.on("timeout", () => asked.destroy(new Error("the API does not answer")));
      asked.on("error", reject);
      asked.end(body);
    });
  }
}
