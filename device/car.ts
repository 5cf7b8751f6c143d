/**
 * The car as the agent knows it: a bus, the latest of each signal, whether it stands, and the facts that the interlocks
 * look at, built anew for each command.
 */
import {
  type BusEvent,
  busFiltersOf,
  type CanBus,
  type CompiledProfile,
  createSignalStore,
  createSocketBus,
  createSocketCanBus,
  readProfile,
  readShippedProfile,
  type SignalStore,
  startObdPoller,
} from "@kerbside/can";
import {
  type CarFacts,
  MOTION_UNKNOWN,
  type Motion,
  motionFacts,
  nextMotion,
  type Reading,
} from "@kerbside/immobiliser";
import type { Clock, Log, Random, Signal, SignalName } from "@kerbside/protocol";
import type { AgentConfig } from "./config.ts";

const SPEED: SignalName = "Vehicle.Speed";
const IGNITION: SignalName = "Vehicle.LowVoltageSystemState";
const IGNITION_OFF: ReadonlySet<unknown> = new Set(["LOCK", "OFF"]);
const DOORS: readonly SignalName[] = [
  "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen",
  "Vehicle.Cabin.Door.Row1.PassengerSide.IsOpen",
  "Vehicle.Cabin.Door.Row2.DriverSide.IsOpen",
  "Vehicle.Cabin.Door.Row2.PassengerSide.IsOpen",
  "Vehicle.Body.Trunk.Rear.IsOpen",
];

export type Car = {
  readonly store: SignalStore;
  readonly profile: CompiledProfile;
  /** What can be told of the car now; `storageWorks` and `noRentalOpen` are others' to say. */
  readonly facts: () => Omit<CarFacts, "storageWorks" | "noRentalOpen">;
  readonly stop: () => Promise<void>;
};

export type CarOptions = {
  readonly config: AgentConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onBusEvent: (event: BusEvent) => void;
};

function openBus({ config, clock, random }: CarOptions, profile: CompiledProfile): CanBus {
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

/** Reads the profile, opens the bus and begins to listen. Throws ProfileError before anything begins. */
export function startCar(options: CarOptions): Car {
  const { config, clock } = options;
  const isFile = config.profile.endsWith(".json");
  const profile = isFile ? readProfile(config.profile) : readShippedProfile(config.profile);
  const store = createSignalStore({ profile, clock });
  let motion: Motion = MOTION_UNKNOWN;
  const subscription = store.subscribe((changes) => {
    for (const change of changes) motion = seen(motion, change);
  });
  const bus = openBus(options, profile);
  const { obd } = profile.profile;
  const poller = obd === undefined ? undefined : startObdPoller({ rule: obd, bus, store, clock });
  bus.start({
    frames: (frames) => {
      store.ingest(frames);
      poller?.take(frames);
    },
    event: options.onBusEvent,
  });
  return {
    store,
    profile,
    facts: () => {
      const speed = numberOf(store.read(SPEED));
      const ignitionOff = isOff(store.read(IGNITION));
      return {
        ...motionFacts(motion, speed, ignitionOff, clock.bootMs()),
        gnssSpeedKmh: { quality: "unknown" },
        doorsClosed: allClosed(
          DOORS.filter((name) => store.provides(name)).map((name) => store.read(name)),
        ),
      };
    },
    stop: async () => {
      poller?.stop();
      await bus.stop();
      subscription.cancel();
      store.close();
    },
  };
}

function seen(motion: Motion, change: Signal): Motion {
  if (change.name === SPEED)
    return nextMotion(motion, { type: "speed", reading: numberOf(change) }, change.bootMs);
  if (change.name === IGNITION)
    return nextMotion(motion, { type: "ignition", off: isOff(change) }, change.bootMs);
  return motion;
}

function numberOf({ value, quality }: Signal): Reading<number> {
  if (quality !== "good") return { quality };
  return typeof value === "number" ? { quality, value } : { quality: "invalid" };
}

function isOff({ value, quality }: Signal): Reading<boolean> {
  return quality === "good" ? { quality, value: IGNITION_OFF.has(value) } : { quality };
}

/** One door known to be open decides; one that is not known leaves it unknown. */
function allClosed(doors: readonly Signal[]): Reading<boolean> {
  if (doors.some(({ quality, value }) => quality === "good" && value === true))
    return { quality: "good", value: false };
  const known = doors.length > 0 && doors.every(({ quality }) => quality === "good");
  return known ? { quality: "good", value: true } : { quality: "unknown" };
}
