/**
 * The two ends of a real line, each as one file: a process that is killed as soon as it works must cost little to start,
 * and finding and reading some hundred modules is half of that.
 */
import { join } from "node:path";
import { build } from "rolldown";

/** They bring code of the machine, or load themselves. */
const APART: ReadonlySet<string> = new Set(["better-sqlite3", "libsodium-wrappers"]);
export type Programs = { readonly car: string; readonly cloud: string };

/** Writes them into `dir`; gives their paths. */
export async function bundled(dir: string): Promise<Programs> {
  const made = async (name: string): Promise<string> => {
    const file = join(dir, name.replace(".ts", ".mjs"));
    await build({
      input: new URL(name, import.meta.url).pathname,
      platform: "node",
      logLevel: "silent",
      plugins: [
        {
          name: "apart",
          resolveId: (source) =>
            APART.has(source) ? { id: import.meta.resolve(source), external: true } : undefined,
        },
      ],
      output: { file, format: "esm", codeSplitting: false },
    });
    return file;
  };
  return { car: await made("car-process.ts"), cloud: await made("cloud-process.ts") };
}
