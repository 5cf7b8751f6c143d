/** A real CAN interface: the agent's end of the process that reads it. */
import { spawn } from "node:child_process";
import { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Clock, Random } from "@kerbside/protocol";
import type { CanBus } from "./bus.ts";
import type { CanFilter } from "./filters.ts";
import { monotonicUs } from "./monotonic.ts";
import { type Line, WireBus } from "./wire-bus.ts";

export type SocketCanBusOptions = {
  /** Such as `can0`. It need not be there yet. */
  readonly interface: string;
  readonly clock: Clock;
  readonly random: Pick<Random, "fraction">;
  readonly silentMs?: number;
  /** Only what passes one of them is received; none: everything. */
  readonly filters?: readonly CanFilter[];
};

/** IFNAMSIZ − 1; and nothing that would be a path or an option. */
const INTERFACE = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/;
const STOP_MS_MAX = 2000;
/** A module at its start has much to do besides starting one more process. */
const GREETING_MS_MAX = 20_000;

/** Throws RangeError for a name that no interface has. */
export function createSocketCanBus(options: SocketCanBusOptions): CanBus {
  const { interface: name, filters = [], ...rest } = options;
  if (!INTERFACE.test(name) || name.includes("..")) {
    throw new RangeError(`CAN interface: expected a name such as can0`);
  }
  return new WireBus({
    ...rest,
    name,
    open: (gone) => spawnReceiver(name, filters, options.clock, gone),
    greetingMsMax: GREETING_MS_MAX,
    greetingMeansUp: false,
    monotonicUs,
  });
}

/** Where the child's module is: beside this one, run from source or built. */
const CHILD = fileURLToPath(
  new URL(
    import.meta.url.endsWith(".ts") ? "./socketcan-child.ts" : "./socketcan-child.js",
    import.meta.url,
  ),
);

function spawnReceiver(
  name: string,
  filters: readonly CanFilter[],
  clock: Clock,
  gone: (reason: string) => void,
): Line {
  // An empty environment: the child has no use for anybody's secrets.
  const child = spawn(
    process.execPath,
    ["--single-threaded", "--max-semi-space-size=1", CHILD, name, JSON.stringify(filters)],
    {
      env: {},
      stdio: ["ignore", "ignore", "ignore", "pipe"],
    },
  );
  const stream = child.stdio[3];
  if (!(stream instanceof Duplex)) throw new Error("the fourth pipe is no duplex stream");
  let reason = "";
  child.once("error", (error) => {
    reason = error.message;
  });
  const closed = new Promise<void>((resolve) => {
    child.once("close", (code, signal) => {
      gone(reason || `the receiver ended (${signal ?? code})`);
      resolve();
    });
  });
  return {
    stream,
    close: async () => {
      // The end of the pipe ends the child; one that hangs is ended.
      stream.destroy();
      const kill = clock.after(STOP_MS_MAX, () => child.kill("SIGKILL"));
      await closed;
      kill.cancel();
    },
  };
}
