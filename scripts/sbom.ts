/**
 * The bill of materials, CycloneDX 1.5, from the lock file alone: every package of others that an installation puts in
 * place, with what the registry said its hash is. `npm sbom` refuses this tree, because a package of Node-RED's asks for
 * another compiler than the one that checks our own code. `node scripts/sbom.ts > bom.json`
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export type Component = {
  readonly type: "library";
  readonly name: string;
  readonly version: string;
  /** https://github.com/package-url/purl-spec */
  readonly purl: string;
  /** `excluded`: for development only. */
  readonly scope: "required" | "optional" | "excluded";
  readonly hashes: readonly { readonly alg: "SHA-512"; readonly content: string }[];
};
export type Bill = {
  readonly bomFormat: "CycloneDX";
  readonly specVersion: "1.5";
  readonly version: 1;
  readonly components: readonly Component[];
};

type Locked = {
  readonly name?: string;
  readonly version?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly optional?: boolean;
};

/** By name and version, each once. Throws where it is no lock file of npm 7 or later. */
export function billOf(lock: unknown): Bill {
  const { packages } = Object(lock) as { packages?: unknown };
  if (typeof packages !== "object" || packages === null)
    throw new Error("lock file: expected `packages`, as npm 7 and later write them");
  const found = new Map<string, Component>();
  for (const [path, entry] of Object.entries(packages)) {
    const locked = entry as Locked;
    const at = path.lastIndexOf("node_modules/");
    if (at < 0 || locked.link === true || locked.version === undefined) continue;
    const component = componentOf(locked.name ?? path.slice(at + 13), locked.version, locked);
    const before = found.get(component.purl);
    // The same package may stand in several places: what needs it most counts.
    if (before === undefined || before.scope === "excluded") found.set(component.purl, component);
  }
  const components = [...found.values()].sort((a, b) => (a.purl < b.purl ? -1 : 1));
  return { bomFormat: "CycloneDX", specVersion: "1.5", version: 1, components };
}

function componentOf(
  name: string,
  version: string,
  { integrity, dev, optional }: Locked,
): Component {
  const [, sha512] = /(?:^| )sha512-([A-Za-z0-9+/=]+)/.exec(integrity ?? "") ?? [];
  const content = sha512 === undefined ? undefined : Buffer.from(sha512, "base64").toString("hex");
  return {
    type: "library",
    ...{ name, version },
    purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
    scope: dev === true ? "excluded" : optional === true ? "optional" : "required",
    hashes: content === undefined ? [] : [{ alg: "SHA-512", content }],
  };
}

if (import.meta.main) {
  const lock = join(fileURLToPath(new URL("..", import.meta.url)), "package-lock.json");
  const bill = billOf(JSON.parse(readFileSync(lock, "utf8")));
  process.stdout.write(`${JSON.stringify(bill, undefined, 2)}\n`);
}
