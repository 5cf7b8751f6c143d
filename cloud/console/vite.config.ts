/** Builds the operators' page from `web/` into `site/`, with its own files only: no request leaves its origin. */
import { fileURLToPath } from "node:url";
import type { UserConfig } from "vite";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

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
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  logLevel: "warn",
};

// biome-ignore lint/style/noDefaultExport: that is where Vite looks for it.
export default config;
