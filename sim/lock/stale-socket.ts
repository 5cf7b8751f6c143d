import { rmSync, statSync } from "node:fs";
import { createConnection } from "node:net";

/** Removes a socket file that a killed process left. Rejects if somebody listens there or if it is no socket. */
export async function clearStaleSocket(path: string): Promise<void> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`${path}: expected a socket or nothing`);
  const alive = await new Promise<boolean>((resolve) => {
    const probe = createConnection(path);
    probe.on("error", () => resolve(false));
    probe.on("connect", () => {
      probe.destroy();
      resolve(true);
    });
  });
  if (alive) throw new Error(`${path}: another process serves it`);
  rmSync(path);
}
