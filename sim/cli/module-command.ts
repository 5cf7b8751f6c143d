/** `kerbside-sim module`: plays the module's supply, clock and disk around the agent, as the car's cockpit orders. */
import { join } from "node:path";
import { supervise } from "../module/supervisor.ts";
import { type Command, required } from "./command.ts";

export const moduleCommand: Command = {
  usage: "module --data DIR -- NODE FILE…",
  words:
    "runs a command of Node's as the module of the car in DIR: its power, clock and disk are the cockpit's",
  positionals: { min: 1 },
  options: { data: { value: "DIR", words: "of the simulated car; its socket: module.sock" } },
  run: async (given, io) => {
    const path = join(required(given, "data"), "module.sock");
    const status = await supervise({
      ...{ path, command: given.positionals, clock: io.clock, signal: io.signal },
    });
    return status === 0 ? 0 : 1;
  },
};
