/** What a module imports: read from its text, as the question is asked before it is loaded. */
const NAMED = /(?:\bfrom|^\s*import|\bimport\()\s*["']([^"'\n]+)["']/gm;
const ANY_IMPORT = /\bimport\(\s*[^"'\s]/;

/** URLs of what is imported, by a name in the text; `text` is without its types. Packages that are not there are left out. */
export function importsOf(url: string, text: string): readonly string[] {
  if (ANY_IMPORT.test(text)) throw new Error(`${url}: imports what only a run of it tells`);
  return [...text.matchAll(NAMED)].flatMap(([, name = ""]) => {
    if (name.startsWith(".")) return [new URL(name, url).href];
    return name.startsWith("@kerbside/") ? [import.meta.resolve(name)] : [];
  });
}
