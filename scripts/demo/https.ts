/** JSON over HTTPS to the demo's own servers, trusting the demo's own authority and nothing else. */
import { request } from "node:https";
import type { Send } from "../../shared/client/index.ts";
import { DemoError } from "./processes.ts";

const ANSWER_BYTES_MAX = 8 * 1024 * 1024;
const ANSWER_MS_MAX = 60_000;

/** The connection could not be had or broke: the server may be starting again. */
export class ConnectionLost extends DemoError {}

export type Answer = { readonly status: number; readonly body: unknown };
export type Ask = {
  readonly method?: "GET" | "POST" | "PATCH";
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; a string is sent as it is, as a form. */
  readonly body?: unknown;
};
export type Caller = (path: string, ask?: Ask) => Promise<Answer>;

/** Calls `https://localhost:{port}`. Rejects with ConnectionLost, never on a status. */
export function httpsCaller(port: number, ca: string): Caller {
  return (path, { method = "GET", headers = {}, body } = {}) =>
    new Promise((resolve, reject) => {
      const lost = (error: Error): void =>
        reject(new ConnectionLost(`https://localhost:${port}: ${error.message}`));
      const form = typeof body === "string";
      const sent = body === undefined ? undefined : form ? body : JSON.stringify(body);
      const type = form ? "application/x-www-form-urlencoded" : "application/json";
      const outgoing = request(
        {
          host: "localhost",
          port,
          path,
          method,
          ca,
          headers: {
            accept: "application/json",
            ...(sent === undefined ? {} : { "content-type": type }),
            ...headers,
          },
          timeout: ANSWER_MS_MAX,
        },
        (incoming) => {
          let text = "";
          incoming.setEncoding("utf8");
          incoming.on("data", (chunk: string) => {
            text += chunk;
            if (text.length > ANSWER_BYTES_MAX) outgoing.destroy(new Error("answer too long"));
          });
          incoming.on("end", () =>
            resolve({ status: incoming.statusCode ?? 0, body: parse(text) }),
          );
          incoming.on("error", lost);
        },
      );
      outgoing.on("timeout", () =>
        outgoing.destroy(new Error(`no answer within ${ANSWER_MS_MAX} ms`)),
      );
      outgoing.on("error", lost);
      outgoing.end(sent);
    });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * Like `fetch` to `https://localhost:{port}`, whatever the URL's host, trusting one authority: what the typed client sends
 * by. The answer's body streams. Rejects with ConnectionLost, or with the signal's reason.
 */
export function httpsSend(port: number, ca: string): Send {
  return async (url, { method = "GET", headers, body, signal }) => {
    const { pathname, search } = new URL(url, `https://localhost:${port}`);
    const sent = new Uint8Array(await new Response(body ?? null).arrayBuffer());
    return new Promise((resolve, reject) => {
      const lost = (error: Error): void =>
        reject(
          signal?.aborted === true
            ? signal.reason
            : new ConnectionLost(`https://localhost:${port}: ${error.message}`),
        );
      const outgoing = request(
        {
          ...{ host: "localhost", port, path: pathname + search, method, ca, agent: false },
          ...(signal ? { signal } : {}),
          headers: Object.fromEntries(new Headers(headers)),
          timeout: ANSWER_MS_MAX,
        },
        (incoming) => {
          const known = Object.entries(incoming.headers).flatMap(([name, value]) =>
            typeof value === "string" ? [[name, value] as [string, string]] : [],
          );
          const stream = new ReadableStream<Uint8Array>({
            start: (out) => {
              incoming.on("data", (chunk: Uint8Array) => out.enqueue(new Uint8Array(chunk)));
              incoming.on("end", () => out.close());
              incoming.on("error", (error) => out.error(error));
            },
            cancel: () => void outgoing.destroy(),
          });
          resolve(new Response(stream, { status: incoming.statusCode ?? 0, headers: known }));
        },
      );
      outgoing.on("timeout", () =>
        outgoing.destroy(new Error(`no answer within ${ANSWER_MS_MAX} ms`)),
      );
      outgoing.on("error", lost);
      outgoing.end(sent);
    });
  };
}
