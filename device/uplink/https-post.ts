/** One JSON request over TLS 1.3, bounded in time and in what it takes in. */
import { request as requestHttps } from "node:https";
import { ProtocolError } from "@kerbside/protocol";

export type Post = {
  /** Base URL of the cloud's API; `path` is added. */
  readonly url: string;
  readonly path: string;
  /** For errors: what is being done. */
  readonly what: string;
  readonly tls: { readonly ca: string; readonly cert?: string; readonly key?: string };
  readonly body: object;
};

const ANSWER_BYTES_MAX = 64 * 1024;
const ANSWER_MS_MAX = 20_000;

/**
 * The body of a 2xx answer. Rejects with ProtocolError `unavailable` where asking again may help (nobody there, 429, 5xx),
 * else `forbidden`.
 */
export function post({ url, path, what, tls, body }: Post): Promise<string> {
  return new Promise((resolve, reject) => {
    const target = new URL(path, url.endsWith("/") ? url : `${url}/`);
    const fail = (code: "unavailable" | "forbidden", detail: string): void =>
      reject(new ProtocolError(code, `${what} at ${target.host}: ${detail}`));
    const request = requestHttps(
      target,
      {
        method: "POST",
        ...tls,
        minVersion: "TLSv1.3",
        headers: { "content-type": "application/json" },
        timeout: ANSWER_MS_MAX,
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size > ANSWER_BYTES_MAX) request.destroy(new Error("the answer is too long"));
          else chunks.push(chunk);
        });
        response.on("end", () => {
          const status = response.statusCode ?? 0;
          if (status >= 200 && status < 300) resolve(Buffer.concat(chunks).toString("utf8"));
          else if (status >= 500 || status === 429) fail("unavailable", `it answered ${status}`);
          else fail("forbidden", `it answered ${status}`);
        });
      },
    );
    request.on("timeout", () => request.destroy(new Error("no answer in time")));
    request.on("error", (error) =>
      fail("unavailable", "code" in error ? String(error.code) : error.message),
    );
    request.end(JSON.stringify(body));
  });
}
