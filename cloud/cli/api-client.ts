/** The API as the command line calls it: over HTTPS, trusting one authority, signed in by client credentials. */
import { request } from "node:https";
import { ProtocolError } from "@kerbside/protocol";

const ANSWER_BYTES_MAX = 1024 * 1024;
const ANSWER_MS_MAX = 60_000;

export type ApiAnswer = {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
};
export type ApiAsk = {
  readonly method: "GET" | "POST" | "PUT" | "PATCH";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
};

/** Rejects with ProtocolError `unavailable` on a broken connection, never on a status. */
export function callApi(base: URL, ca: string, ask: ApiAsk): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const fail = (words: string): void => reject(new ProtocolError("unavailable", words));
    const outgoing = request(
      new URL(ask.path, base),
      {
        method: ask.method,
        ca,
        minVersion: "TLSv1.3",
        headers: { accept: "application/json", ...ask.headers },
        timeout: ANSWER_MS_MAX,
      },
      (incoming) => {
        const parts: Buffer[] = [];
        let bytes = 0;
        incoming.on("data", (part: Buffer) => {
          bytes += part.length;
          if (bytes > ANSWER_BYTES_MAX) outgoing.destroy(new Error("the answer is too long"));
          else parts.push(part);
        });
        incoming.on("end", () =>
          resolve({ status: incoming.statusCode ?? 0, body: parse(Buffer.concat(parts)) }),
        );
        incoming.on("error", (error) => fail(`${base.origin}: ${error.message}`));
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer in ${ANSWER_MS_MAX} ms`)));
    outgoing.on("error", (error: NodeJS.ErrnoException) =>
      fail(
        error.code === "ECONNREFUSED"
          ? `nothing listens at ${base.origin}; is kerbside-cloud serve running?`
          : `${base.origin}: ${error.message}`,
      ),
    );
    outgoing.end(ask.body);
  });
}

function parse(content: Buffer): ApiAnswer["body"] {
  try {
    const value: unknown = JSON.parse(content.toString("utf8"));
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** An access token by client credentials (RFC 6749 § 4.4). Throws ProtocolError `unauthenticated`. */
export async function signIn(
  base: URL,
  ca: string,
  client: { readonly id: string; readonly secret: string },
): Promise<string> {
  const basic = Buffer.from(`${client.id}:${client.secret}`).toString("base64");
  const { status, body } = await callApi(base, ca, {
    method: "POST",
    path: "/oauth/token",
    headers: {
      authorization: `Basic ${basic}`,
      "content-type": "application/x-www-form-urlencoded",
    },
    body: "grant_type=client_credentials",
  });
  const token = body["access_token"];
  if (status !== 200 || typeof token !== "string")
    throw new ProtocolError(
      "unauthenticated",
      `client ${client.id}: the token endpoint answered ${status}`,
    );
  return token;
}
