/**
 * The operators' web page: static files, each with the headers it must be sent with. The page is a client of the API
 * like any other: it signs in with client credentials, keeps them in its memory only, loads nothing from elsewhere,
 * and learns of changes by the feed of ids (P-33), after which it fetches what it may see.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

export type ConsoleFile = {
  /** The path it is served under; `/console/` for the page itself. */
  readonly url: string;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
};

const FOLDER = new URL("./static/", import.meta.url);
const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};
/** The page runs its own files and nothing else, and no frame of others holds it. */
const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "geolocation=(), camera=(), microphone=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cache-control": "no-cache",
};

/** All files of the page, read once: no request ever names a file of the disk. */
export function consoleFiles(): readonly ConsoleFile[] {
  return readdirSync(FOLDER).flatMap((name) => {
    const type = TYPES[name.slice(name.lastIndexOf(".") + 1)];
    if (type === undefined) return [];
    const body = readFileSync(new URL(name, FOLDER));
    const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
    const url = name === "index.html" ? "/console/" : `/console/${name}`;
    return [{ url, body, headers: { ...HEADERS, "content-type": type, etag } }];
  });
}
