/** Services of others that are told something over HTTPS: where they are is in a file that only its owner can read. */
import { readFileSync, statSync } from "node:fs";
import { request as requestHttps } from "node:https";

const ANSWER_MS_MAX = 5000;
const OTHERS_MAY = 0o077;

export type Outward = { readonly url: URL; readonly token: string; readonly ca?: string };

/** JSON with `url` (HTTPS), `token` and, where the system does not trust it, `ca` (PEM). Throws Error, in words. */
export function readOutward(file: string): Outward {
  if ((statSync(file).mode & OTHERS_MAY) !== 0)
    throw new Error(`${file}: expected a file that only its owner can read`);
  const content: unknown = JSON.parse(readFileSync(file, "utf8"));
  const { url, token, ca } =
    typeof content === "object" && content !== null
      ? (content as Readonly<Record<string, unknown>>)
      : {};
  const target = typeof url === "string" && URL.canParse(url) ? new URL(url) : undefined;
  const isSane =
    target?.protocol === "https:" &&
    typeof token === "string" &&
    /^[\x21-\x7e]{16,512}$/.test(token);
  if (!isSane || !(ca === undefined || typeof ca === "string"))
    throw new Error(`${file}: expected url (https), token and perhaps ca (PEM)`);
  return { url: target, token, ...(ca === undefined ? {} : { ca }) };
}

/** Resolves once it was taken (2xx); rejects with Error, in words without what was answered. */
export function tell(
  { url, token, ca }: Outward,
  { type, body }: { readonly type: string; readonly body: string },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = requestHttps(
      url,
      {
        method: "POST",
        minVersion: "TLSv1.3",
        headers: { "content-type": type, authorization: `Bearer ${token}` },
        agent: false,
        timeout: ANSWER_MS_MAX,
        ...(ca === undefined ? {} : { ca }),
      },
      (response) => {
        response.resume();
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300) resolve();
        else reject(new Error(`${url.host} answered ${status}`));
      },
    );
    request.on("timeout", () => request.destroy(new Error(`${url.host} did not answer in time`)));
    request.on("error", reject);
    request.end(body);
  });
}
