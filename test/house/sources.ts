/** The project's own source files with what they import, for the checks on the house itself. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

export const root: string = fileURLToPath(new URL("../..", import.meta.url));

export type SourceFile = {
  /** Relative to the root. */
  readonly path: string;
  readonly text: string;
  /** The specifiers of its imports and re-exports, static and dynamic. */
  readonly imports: readonly string[];
  /** Base names of source files that it names in quotes: what it starts as a process or loads as a page's script. */
  readonly mentions: readonly string[];
};

const IMPORT =
  /(?:\bfrom|\bimport)\s*\(?\s*"([^"\n]+)"|new URL\(\s*"(\.[^"\n]+\.(?:tsx?|mjs|js))"/g;
const MENTION = /["'`/]([\w.-]+\.(?:tsx?|mjs|js))["'`]/g;
const SKIPPED = new Set([
  "node_modules",
  "dist",
  ".git",
  ".node24",
  ".kerbside",
  "coverage",
  "site",
]);

function* walk(folder: string): Generator<string> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    if (SKIPPED.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (/\.(tsx?|mjs|js|html)$/.test(entry.name)) yield path;
  }
}

export function readSources(): readonly SourceFile[] {
  return [...walk("")].map((path) => {
    const text = readFileSync(join(root, path), "utf8");
    const imports = [...text.matchAll(IMPORT)].flatMap((m) => m[1] ?? m[2] ?? []);
    const mentions = [...text.matchAll(MENTION)].flatMap((m) => m[1] ?? []);
    return { path, text, imports, mentions };
  });
}

const WORKSPACES: ReadonlyMap<string, string> = new Map(
  (
    JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { workspaces: string[] }
  ).workspaces.map((folder) => {
    const { name } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as {
      name: string;
    };
    return [name, folder];
  }),
);

/** The workspace folders, longest first, so that `device/can` is found before `device`. */
export const workspaceFolders: readonly string[] = [...WORKSPACES.values()].sort(
  (a, b) => b.length - a.length,
);

/** The workspace a file belongs to, or undefined for scripts at the root. */
export function workspaceOf(path: string): string | undefined {
  return workspaceFolders.find((folder) => path.startsWith(`${folder}/`));
}

/** The file of ours that an import names, relative to the root; undefined for packages of others. */
export function resolveImport(from: string, specifier: string): string | undefined {
  if (specifier.startsWith(".")) return normalize(join(dirname(from), specifier));
  const folder = WORKSPACES.get(specifier);
  return folder === undefined ? undefined : `${folder}/index.ts`;
}
