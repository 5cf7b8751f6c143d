/** One caller with one kept connection, the same for both sides of the comparison. */
import { Agent, request } from "node:https";

export type Answer = { readonly status: number; readonly body: Readonly<Record<string, unknown>> };
export type Ask = {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
};

export class Caller implements Disposable {
  readonly #agent: Agent;
  readonly #port: number;

  constructor(port: number, ca: string) {
    this.#port = port;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1, ca });
  }

  ask({ method = "GET", path, headers = {}, body }: Ask): Promise<Answer> {
    return new Promise((done, fail) => {
      const options = { host: "localhost", port: this.#port, agent: this.#agent };
      const outgoing = request({ ...options, method, path, headers }, (incoming) => {
        const parts: Buffer[] = [];
        incoming.on("data", (part: Buffer) => parts.push(part));
        incoming.on("end", () => {
          const text = Buffer.concat(parts).toString();
          done({ status: incoming.statusCode ?? 0, body: text === "" ? {} : JSON.parse(text) });
        });
      });
      outgoing.setNoDelay(true);
      outgoing.on("error", fail);
      outgoing.end(body);
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
