/** Where the signals of the car come from: its bus, its diagnosis where the profile asks for that, a GNSS receiver. */
import {
  type BusFrame,
  busFiltersOf,
  type CanBus,
  type CompiledProfile,
  createSocketBus,
  createSocketCanBus,
  type GnssTime,
  type SignalStore,
  startGnssReceiver,
  startObdPoller,
} from "@kerbside/can";
import { serialLink } from "@kerbside/immobiliser";
import type { Clock, Log, Random } from "@kerbside/protocol";
import type { AgentConfig } from "./config.ts";
import type { Wires } from "./wires.ts";

export type InputOptions = {
  readonly config: Pick<AgentConfig, "bus" | "gnss">;
  readonly profile: CompiledProfile;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What satellites say of the time: a hint, to be judged by whoever keeps it. */
  readonly onGnssTime: (time: GnssTime) => void;
  readonly wires?: Wires;
};

/** The kernel passes on only what the profile asks for. */
export function openBus({
  config,
  profile,
  clock,
  random,
  wires,
}: Omit<InputOptions, "onGnssTime">): CanBus {
  if (wires !== undefined) return wires.bus();
  const { bus } = config;
  switch (bus.driver) {
    case "socket":
      return createSocketBus({ path: bus.path, clock, random });
    case "socketcan": {
      const filters = busFiltersOf(profile);
      return createSocketCanBus({ interface: bus.interface, clock, random, filters });
    }
  }
}

export type Inputs = {
  /** Every frame of the bus, after the store has it. */
  readonly take: (frames: readonly BusFrame[]) => void;
  readonly stop: () => void;
};

/** Starts whatever puts signals into the store beside the bus. */
export function startInputs(options: InputOptions, bus: CanBus, store: SignalStore): Inputs {
  const { config, profile, clock, random, log } = options;
  const { obd } = profile.profile;
  const poller = obd === undefined ? undefined : startObdPoller({ rule: obd, bus, store, clock });
  const { gnss } = config;
  const receiver =
    gnss === undefined
      ? undefined
      : startGnssReceiver({
          line: serialLink(gnss.path, gnss.baudRate),
          store,
          clock,
          random,
          onTime: options.onGnssTime,
          onState: (state, reason) => log.info("gnss.state", { state, reason }),
        });
  return {
    take: (frames) => poller?.take(frames),
    stop: () => {
      poller?.stop();
      receiver?.stop();
    },
  };
}
