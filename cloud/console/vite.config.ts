/** Builds the operators' page from `web/` into `site/`, with its own files only: no request leaves its origin. */
import { fileURLToPath } from "node:url";
import type { Plugin, UserConfig } from "vite";
import { outlinesOf } from "./web/outlines.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const OUTLINES = "virtual:outlines";

/** `import url from "virtual:outlines"`: the address of the countries' outlines. */
const outlines: Plugin = {
  name: "outlines",
  resolveId: (id) => (id === OUTLINES ? `\0${OUTLINES}` : null),
  load(id) {
    if (id !== `\0${OUTLINES}`) return null;
    const source = outlinesOf(fileURLToPath(import.meta.resolve("world-atlas/countries-50m.json")));
    const file = this.emitFile({ type: "asset", name: "outlines.json", source });
    return `export default import.meta.ROLLUP_FILE_URL_${file};`;
  },
};

const config: UserConfig = {
  root: here("./web"),
  base: "/console/",
  build: {
    outDir: here("./site"),
    emptyOutDir: true,
    target: "es2022",
    // Nothing is inlined: the page's policy forbids `data:`.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1200,
  },
  plugins: [outlines],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  logLevel: "warn",
};

// biome-ignore lint/style/noDefaultExport: that is where Vite looks for it.
export default config;
