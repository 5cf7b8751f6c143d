/**
 * The modem of the simulated module, as far as it wakes it: a serial port, played by a Unix socket, on which it says
 * that a message came. The message itself stays in the modem; nobody in the car reads it.
 */
import { chmodSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { clearStaleSocket } from "../lock/stale-socket.ts";

export type Modem = {
  /** A message comes in. Says how many hear of it: with nobody at the port its wake line is pulled all the same. */
  readonly message: () => number;
  readonly close: () => Promise<void>;
};

/** Messages that its SIM has room for; the next one takes the first place again. */
const PLACES = 20;

/** Opens the socket (mode 0600). Rejects if somebody else serves it. */
export async function serveModem(path: string): Promise<Modem> {
  await clearStaleSocket(path);
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    // Its end is told by "close", which follows; whatever is asked of the modem is not played.
    socket.on("error", () => {});
    socket.on("close", () => open.delete(socket));
    socket.resume();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve();
    });
  });
  let place = 0;
  return {
    message: () => {
      place = (place % PLACES) + 1;
      // 3GPP TS 27.005 clause 3.4.1.
      for (const socket of open) socket.write(`\r\n+CMTI: "SM",${place}\r\n`);
      return open.size;
    },
    close: () => {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
