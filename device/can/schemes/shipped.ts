/** The schemes that come with the agent, run from source or built. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

function folder(): string {
  const candidates = ["./shipped/", "../../schemes/shipped/"].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined) throw new Error(`no schemes in ${candidates.join(" or ")}`);
  return found;
}

export function shippedSchemes(): string[] {
  return readdirSync(folder())
    .filter((name) => name.endsWith(".json"))
    .map((name) => name.slice(0, -".json".length))
    .sort();
}

/** The text of one of `shippedSchemes`. Throws for any other name. */
export function readShippedScheme(name: string): Uint8Array {
  if (!shippedSchemes().includes(name)) throw new Error(`no scheme ${name} comes with the agent`);
  return readFileSync(`${folder()}${name}.json`);
}
