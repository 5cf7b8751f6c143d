/** The car's end: a Unix socket at which the module's supervisor gets its orders and says how the module is. */
import { chmodSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { clearStaleSocket } from "../lock/stale-socket.ts";
import { FINE, type ModuleState, type Orders, readModuleState } from "./orders.ts";

export type ModuleLine = {
  /** Undefined while nobody supervises a module. */
  readonly state: () => ModuleState | undefined;
  readonly orders: () => Orders;
  readonly order: (change: Partial<Orders>) => void;
  readonly close: () => Promise<void>;
};

/** Opens the socket (mode 0600). Rejects if somebody else serves it. A new supervisor takes the line over. */
export async function serveModuleLine(path: string): Promise<ModuleLine> {
  await clearStaleSocket(path);
  let orders = FINE;
  let state: ModuleState | undefined;
  let supervisor: Socket | undefined;
  const server = createServer((socket) => {
    supervisor?.destroy();
    supervisor = socket;
    // Its end is told by "close", which follows.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (supervisor !== socket) return;
      supervisor = undefined;
      state = undefined;
    });
    const lines = createInterface({ input: socket });
    // It passes on those of the socket.
    lines.on("error", () => undefined);
    lines.on("line", (line) => {
      if (supervisor === socket) state = readModuleState(line) ?? state;
    });
    socket.write(`${JSON.stringify(orders)}\n`);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve();
    });
  });
  return {
    state: () => state,
    orders: () => orders,
    order: (change) => {
      orders = { ...orders, ...change };
      supervisor?.write(`${JSON.stringify(orders)}\n`);
    },
    close: () => {
      supervisor?.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
