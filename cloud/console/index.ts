/**
 * The operators' web page: static files, each with the headers it must be sent with. The page
 * (`web/`, built by Vite into `site/`) is a client of the API like any other: people sign in at the issuer, the token
 * stays in the page's memory, nothing is loaded from elsewhere, and changes are learned by the feed of ids (P-33), after
 * which it fetches what its role may see.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";

export type ConsoleFile = {
  /** The path it is served under; `/console/` for the page itself. */
  readonly url: string;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
};

/** Beside this file in the source; one folder up when built. */
const FOLDER = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "./site/" : "../site/", import.meta.url),
);
const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  mjs: "text/javascript; charset=utf-8",
  json: "application/json",
  svg: "image/svg+xml",
};
/** Pictures of streets for the map, of a server that the operator chose: it learns what is looked at. */
export type Tiles = {
  /** HTTPS, with `{z}`, `{x}` and `{y}`. */
  readonly url: string;
  /** Whose pictures they are, as their maker wants it said. */
  readonly credit?: string;
};

const PLACES = ["{z}", "{x}", "{y}"] as const;

/** The one origin that may be asked beside our own. Throws RangeError that says what was expected. */
export function tilesOrigin({ url }: Tiles): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const isFit =
    parsed?.protocol === "https:" &&
    parsed.username === "" &&
    parsed.password === "" &&
    PLACES.every((place) => url.split("?")[0]?.includes(place));
  if (parsed === undefined || !isFit)
    throw new RangeError(`tiles: expected https://HOST/…/${PLACES.join("/")}…, without a password`);
  return parsed.origin;
}

/** The page runs its own files and nothing else, and no frame of others holds it. */
function headersWith(tiles: Tiles | undefined): Readonly<Record<string, string>> {
  const from = tiles === undefined ? "'self'" : `'self' ${tilesOrigin(tiles)}`;
  return {
    "content-security-policy": [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      `img-src ${from}`,
      `connect-src ${from}`,
      "worker-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types default",
    ].join("; "),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "geolocation=(), camera=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  };
}
/** The names of what Vite puts there change with their content. */
const FOREVER = "public, max-age=31536000, immutable";

/**
 * All files of the page, read once: no request ever names a file of the disk. Throws where the page was not built, and
 * RangeError where the tiles' address is none.
 */
export function consoleFiles(tiles?: Tiles): readonly ConsoleFile[] {
  if (!existsSync(join(FOLDER, "index.html"))) {
    throw new Error("the console is not built: npm run build --workspace cloud/console");
  }
  const shared = headersWith(tiles);
  const names = readdirSync(FOLDER, { recursive: true, encoding: "utf8" });
  const files = names.flatMap((name) => {
    const type = TYPES[name.slice(name.lastIndexOf(".") + 1)];
    if (type === undefined) return [];
    const isPage = name === "index.html";
    const url = isPage ? "/console/" : `/console/${name.replaceAll(sep, "/")}`;
    return [fileOf(url, readFileSync(join(FOLDER, name)), type, isPage, shared)];
  });
  // What the page is told of this cloud; it may change with the next start.
  const settings = Buffer.from(JSON.stringify(tiles === undefined ? {} : { tiles }));
  return [...files, fileOf("/console/settings.json", settings, "application/json", true, shared)];
}

function fileOf(
  url: string,
  body: Buffer,
  type: string,
  changes: boolean,
  shared: Readonly<Record<string, string>>,
): ConsoleFile {
  const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
  const kept = { "content-type": type, "cache-control": changes ? "no-cache" : FOREVER, etag };
  return { url, body, headers: { ...shared, ...kept } };
}
