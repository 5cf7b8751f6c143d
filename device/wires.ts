/**
 * What the agent is wired to besides its configuration: bus, serial lines, network. Left out, each is the machine's own;
 * a simulation that has the whole agent under its own clock puts its ends in their place.
 */
import type { CanBus } from "@kerbside/can";
import type { SerialLink } from "@kerbside/immobiliser";
import type { Transport } from "@kerbside/protocol";

export type Wires = {
  readonly bus: () => CanBus;
  readonly line: (path: string, baudRate: number) => SerialLink;
  readonly transport: (keepaliveS: number) => Transport;
  /** Names the boot that the agent runs in. */
  readonly bootId: string;
};
