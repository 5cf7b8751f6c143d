/**
 * Puts the packages under test, unchanged, on simulated disks: their imports of the file system and of SQLite lead to
 * the stand-ins, libsodium to one that looks on, and what other threads would do is done at once. A planted bug is a change of one place in one of their files, made
 * as it is loaded; a place that is not there (any more) is an error, so that no plant fades away.
 */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";

const root = new URL("../../", import.meta.url).href;
const UNDER_TEST = [
  "device/buffer/",
  "device/uplink/",
  "cloud/tenants/",
  "cloud/ingest/",
  "shared/protocol/",
];
const STAND_INS: ReadonlyMap<string, string> = new Map([
  ["node:fs", "disk/file-system.ts"],
  ["better-sqlite3", "disk/better-sqlite3.ts"],
  ["libsodium-wrappers", "world/sodium.ts"],
  ["node:crypto", "world/crypto.ts"],
]);

/** Replaces `from`, which must be there just once, in `file` (from the root of the repository). */
export type Edit = { readonly file: string; readonly from: string; readonly to: string };

export function edited(text: string, { file, from, to }: Edit): string {
  const [before, after, ...more] = text.split(from);
  if (before === undefined || after === undefined || more.length > 0) {
    throw new Error(`${file}: expected just one place that reads ${from}`);
  }
  return before + to + after;
}

/** Must run before anything under test is imported; once a thread. */
export function standIn(edits: readonly Edit[] = []): void {
  registerHooks({
    resolve: (specifier, context, next) => {
      const found = STAND_INS.get(specifier);
      const parent = context.parentURL ?? "";
      const ours = UNDER_TEST.some((folder) => parent.startsWith(root + folder));
      if (found === undefined || !ours) return next(specifier, context);
      return { url: new URL(found, import.meta.url).href, shortCircuit: true };
    },
    load: (url, context, next) => {
      const mine = edits.filter(({ file }) => url === root + file);
      if (mine.length === 0) return next(url, context);
      const source = mine.reduce(edited, readFileSync(new URL(url), "utf8"));
      return { format: "module-typescript", source, shortCircuit: true };
    },
  });
}
