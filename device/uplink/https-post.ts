/** One JSON request over TLS 1.3, bounded in time and in what it takes in. */
import { request as requestHttps } from "node:https";
import { ProtocolError } from "@kerbside/protocol";
import { type JudgeLife, openServer } from "./server-trust.ts";

export type Post = {
  /** Base URL of the cloud's API; `path` is added. */
  readonly url: string;
  readonly path: string;
  /** For errors: what is being done. */
  readonly what: string;
  readonly tls: { readonly ca: string; readonly cert?: string; readonly key?: string };
  readonly body: object;
  /** Whether the server's certificates are in force now; left out, the machine's clock judges. */
  readonly judge?: JudgeLife | undefined;
};

const ANSWER_BYTES_MAX = 64 * 1024;
const ANSWER_MS_MAX = 20_000;
const HTTPS_PORT = 443;

/**
 * The body of a 2xx answer. Rejects with ProtocolError `unavailable` where asking again may help (nobody there, 429, 5xx),
 * else `forbidden`.
 */
export async function post({ url, path, what, tls, body, judge }: Post): Promise<string> {
  const target = new URL(path, url.endsWith("/") ? url : `${url}/`);
  const signal = AbortSignal.timeout(ANSWER_MS_MAX);
  const at = {
    host: target.hostname.replace(/^\[|\]$/g, ""),
    port: Number(target.port || HTTPS_PORT),
  };
  const socket = await openServer({ ...at, tls, judge, signal }).catch((error: unknown) => {
    const detail = error instanceof Error ? error.message : String(error);
    throw new ProtocolError("unavailable", `${what} at ${target.host}: ${detail}`);
  });
  return new Promise((resolve, reject) => {
    const fail = (code: "unavailable" | "forbidden", detail: string): void =>
      reject(new ProtocolError(code, `${what} at ${target.host}: ${detail}`));
    const request = requestHttps(
      target,
      {
        method: "POST",
        // Without an agent, which would connect by itself.
        createConnection: () => socket,
        headers: { "content-type": "application/json" },
        timeout: ANSWER_MS_MAX,
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
