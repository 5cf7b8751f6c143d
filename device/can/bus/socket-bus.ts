/** The bus of a simulated car: the agent's end of the Unix socket that `serveBus` opens. */
import { createConnection } from "node:net";
import type { Clock, Random } from "@kerbside/protocol";
import type { CanBus } from "./bus.ts";
import { type Line, WireBus } from "./wire-bus.ts";

export type SocketBusOptions = {
  readonly path: string;
  /** Names its frames; "sim" if left out. */
  readonly name?: string;
  readonly clock: Clock;
  readonly random: Pick<Random, "fraction">;
  readonly silentMs?: number;
};

const GREETING_MS_MAX = 5000;

/** Connects, and connects again after each loss, until it is stopped. */
export function createSocketBus({ path, name = "sim", ...rest }: SocketBusOptions): CanBus {
  return new WireBus({
    ...rest,
    name,
    open: (gone) => connect(path, gone),
    greetingMsMax: GREETING_MS_MAX,
    greetingMeansUp: true,
  });
}

function connect(path: string, gone: (reason: string) => void): Line {
  const socket = createConnection(path);
  const closed = new Promise<void>((resolve) => {
    socket.once("close", () => {
      gone("the other side closed the connection");
      resolve();
    });
  });
  return {
    stream: socket,
    close: () => {
      socket.destroy();
      return closed;
    },
  };
}
