// Runs a TypeScript entry under Node 24. The command lines are stable and other people's scripts call
// them, often with an older Node first on the PATH; that one cannot run `.ts`, so it only hands over.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const NODE_MAJOR_MIN = 24;
const node24 = fileURLToPath(new URL("../node_modules/node/bin/node", import.meta.url));

/** Imports `entry` in this process, or in a child under Node 24 that shares its terminal. */
export async function launch(entry) {
  if (Number(process.versions.node.split(".")[0]) >= NODE_MAJOR_MIN) {
    await import(entry.href);
    return;
  }
  const args = [fileURLToPath(entry), ...process.argv.slice(2)];
  const child = spawn(node24, args, { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    process.stderr.write(`Node 24 is missing (${error.message}): run npm ci first.\n`);
    process.exitCode = 1;
  });
  child.on("close", (code, signal) => {
    process.exitCode = code ?? (signal === null ? 1 : 128 + 2);
  });
}
