/** A bus by what a technician types: the path of a simulated car's socket, or the name of an interface. */
import { systemClock, systemRandom } from "@kerbside/protocol";
import { type CanBus, createSocketBus, createSocketCanBus } from "../bus/index.ts";
import { UsageError } from "./io.ts";

/** Throws UsageError for a name that no interface has. The bus need not be there yet. */
export function openBusByName(name: string): CanBus {
  const clock = systemClock(() => performance.now());
  if (name.includes("/")) return createSocketBus({ path: name, clock, random: systemRandom });
  try {
    return createSocketCanBus({ interface: name, clock, random: systemRandom });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`--bus ${name}: ${error.message}, or the path of a socket`);
  }
}
