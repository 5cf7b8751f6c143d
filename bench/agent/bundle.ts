/**
 * The agent as it goes to a car: one file of JavaScript and one for the CAN receiver, with what stands beside them. Of
 * 1,300 files that Node would open otherwise, some 10 are left.
 */
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Native code, and what is loaded only where it is used. */
const EXTERNAL = [
  /^better-sqlite3$/,
  /^@serialport\//,
  /^socketcan$/,
  /^@node-red\//,
  /^cbor-extract$/,
];
const ENTRIES = {
  main: join(root, "device/main.ts"),
  "socketcan-child": join(root, "device/can/bus/socketcan-child.ts"),
  receiver: join(root, "bench/agent/receiver.ts"),
};

/** Writes it to `dir/app/agent`; returns the file to start. */
export async function bundleAgent(dir: string): Promise<string> {
  const out = join(dir, "app", "agent");
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  await build({
    cwd: root,
    input: ENTRIES,
    platform: "node",
    external: EXTERNAL,
    logLevel: "silent",
    output: { dir: out, format: "esm", minify: true, entryFileNames: "[name].js" },
  });
  cpSync(join(root, "device/can/profiles"), join(dir, "app", "profiles"), { recursive: true });
  cpSync(join(root, "device/can/schemes/shipped"), join(out, "shipped"), { recursive: true });
  // Without it Node would read each file twice to see what it is.
  writeFileSync(join(dir, "app", "package.json"), '{ "type": "module" }\n');
  symlinkSync(join(root, "node_modules"), join(dir, "node_modules"));
  return join(out, "main.js");
}
