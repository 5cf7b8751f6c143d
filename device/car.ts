/**
 * The car as the agent knows it: a bus, the latest of each signal, whether it stands, and the facts that the interlocks
 * look at, built anew for each command.
 */
import {
  type BusEvent,
  type CompiledProfile,
  createSignalStore,
  type GnssTime,
  type OutgoingFrame,
  type SignalStore,
} from "@kerbside/can";
import {
  type CarFacts,
  freshReading,
  GNSS_MOTION_KMH_MIN,
  isBusAsleep,
  MOTION_UNKNOWN,
  type Motion,
  motionFacts,
  nextMotion,
  type Reading,
} from "@kerbside/immobiliser";
import type { Clock, Log, Random, Signal, SignalName, ZonePoint } from "@kerbside/protocol";
import { DOOR_SIGNALS, endFacts, ignitionOffOf, noneIsTrue, numberOf } from "./car-facts.ts";
import { openBus, startInputs } from "./car-inputs.ts";
import type { AgentConfig } from "./config.ts";
import type { Wires } from "./wires.ts";

const SPEED: SignalName = "Vehicle.Speed";
const GNSS_SPEED: SignalName = "Vehicle.CurrentLocation.Speed";
const IGNITION: SignalName = "Vehicle.LowVoltageSystemState";
const VOLTAGE: SignalName = "Vehicle.LowVoltageBattery.CurrentVoltage";
const ACCELERATIONS: ReadonlySet<SignalName> = new Set([
  "Vehicle.Acceleration.Longitudinal",
  "Vehicle.Acceleration.Lateral",
]);
/** A parked car that is accelerated by this much is being moved; a door that slams gives less. */
const PARKED_MPS2_MAX = 2;

/** What was seen in the car, as far as locks, rental and power care. */
export type CarSeen =
  | { readonly type: "ignition"; readonly on: boolean }
  /** It was seen before, and the bus says nothing of it any more. */
  | { readonly type: "ignition_unseen" }
  | { readonly type: "door_opened" }
  | { readonly type: "moved" }
  | { readonly type: "voltage"; readonly volts: number }
  /** Some signal came with a good value: an armed command may look again. */
  | { readonly type: "signals" };

type KnownFacts = Omit<CarFacts, "storageWorks" | "openRental" | "armed" | "abilities">;
export type Car = {
  readonly store: SignalStore;
  readonly profile: CompiledProfile;
  /** What can be told of the car now; records and what is armed are others' to say. */
  readonly facts: (zones: readonly (readonly ZonePoint[])[]) => KnownFacts;
  /** Tells of what is seen from now on, after `facts` shows it. One listener; it must not throw. */
  readonly watch: (listener: (seen: CarSeen) => void) => void;
  /** Hands a frame to the bus now or not at all. */
  readonly send: (frame: OutgoingFrame) => boolean;
  readonly stop: () => Promise<void>;
};

export type CarOptions = {
  readonly config: Pick<AgentConfig, "bus" | "gnss">;
  readonly profile: CompiledProfile;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onBusEvent: (event: BusEvent) => void;
  readonly onGnssTime: (time: GnssTime) => void;
  readonly wires?: Wires;
};

/** Opens the bus and begins to listen. */
export function startCar(options: CarOptions): Car {
  const { profile, clock } = options;
  const store = createSignalStore({ profile, clock });
  const watcher = new Watcher(store, profile.profile.interlocks);
  const subscription = store.subscribe((changes) => watcher.take(changes.signals()));
  const bus = openBus(options);
  const inputs = startInputs(options, bus, store);
  bus.start({
    frames: (frames) => {
      store.ingest(frames);
      inputs.take(frames);
    },
    event: options.onBusEvent,
  });
  return {
    store,
    profile,
    facts: (zones) => ({ ...watcher.facts(clock.bootMs()), end: endFacts(store, zones) }),
    watch: (listener) => watcher.watch(listener),
    send: (frame) => bus.send(frame).sent,
    stop: async () => {
      inputs.stop();
      await bus.stop();
      subscription.cancel();
      store.close();
    },
  };
}

class Watcher {
  readonly #store: SignalStore;
  readonly #limits: CompiledProfile["profile"]["interlocks"];
  #motion: Motion = MOTION_UNKNOWN;
  #speedSeenMs = Number.NEGATIVE_INFINITY;
  #ignitionSeenMs = Number.NEGATIVE_INFINITY;
  #listener: (seen: CarSeen) => void = () => undefined;

  constructor(store: SignalStore, limits: CompiledProfile["profile"]["interlocks"]) {
    this.#store = store;
    this.#limits = limits;
  }

  watch(listener: (seen: CarSeen) => void): void {
    this.#listener = listener;
  }

  take(changes: readonly Signal[]): void {
    // A speed that stays the same is no change, and yet news: it ends a doubt that another witness raised.
    this.#speed(this.#store.read(SPEED));
    // Nor is an ignition that was on all the way: it must be seen on in this standstill to be seen going off.
    this.#ignition(this.#store.read(IGNITION));
    for (const change of changes) this.#one(change);
    if (changes.some(({ quality }) => quality === "good")) this.#listener({ type: "signals" });
  }

  facts(nowMs: number): Omit<KnownFacts, "end"> {
    const store = this.#store;
    const asleep = isBusAsleep(store.lastFrameMs(), nowMs, this.#limits);
    const fresh = <T>(signal: Signal, reading: Reading<T>): Reading<T> =>
      freshReading(reading, nowMs - signal.bootMs, asleep, this.#limits);
    const [speed, ignition, gnss] = [SPEED, IGNITION, GNSS_SPEED].map((name) => store.read(name));
    const read = <T>(signal: Signal | undefined, of: (signal: Signal) => Reading<T>): Reading<T> =>
      signal === undefined ? { quality: "unknown" } : fresh(signal, of(signal));
    const speedKmh = read(speed, numberOf);
    const ignitionOff = read(ignition, ignitionOffOf);
    return {
      limits: this.#limits,
      ...motionFacts(this.#motion, speedKmh, ignitionOff, nowMs, asleep),
      gnssSpeedKmh: read(gnss, numberOf),
      doorsClosed: noneIsTrue(store, DOOR_SIGNALS),
    };
  }

  #speed(signal: Signal): void {
    if (signal.bootMs <= this.#speedSeenMs) return;
    this.#speedSeenMs = signal.bootMs;
    this.#step({ type: "speed", reading: numberOf(signal) }, signal.bootMs);
  }

  #ignition(signal: Signal): void {
    if (signal.bootMs <= this.#ignitionSeenMs) return;
    this.#ignitionSeenMs = signal.bootMs;
    this.#step({ type: "ignition", off: ignitionOffOf(signal) }, signal.bootMs);
  }

  #one(change: Signal): void {
    const { name, bootMs, quality, value } = change;
    if (name === SPEED) this.#step({ type: "speed", reading: numberOf(change) }, bootMs);
    if (name === IGNITION) {
      const off = ignitionOffOf(change);
      this.#step({ type: "ignition", off }, bootMs);
      if (off.quality === "good") this.#listener({ type: "ignition", on: !off.value });
      if (off.quality === "stale") this.#listener({ type: "ignition_unseen" });
    }
    if (quality !== "good") return;
    if (typeof value === "number" && this.#isMotion(name, value)) {
      this.#step({ type: "moved" }, bootMs);
      this.#listener({ type: "moved" });
    }
    if (name === VOLTAGE && typeof value === "number") {
      this.#listener({ type: "voltage", volts: value });
    }
    if (value === true && DOOR_SIGNALS.includes(name)) this.#listener({ type: "door_opened" });
  }

  /** The witnesses of motion. While it stands or drives, an acceleration says nothing new. */
  #isMotion(name: SignalName, value: number): boolean {
    if (name === SPEED) return value > this.#limits.standstillKmhMax;
    if (name === GNSS_SPEED) return value > GNSS_MOTION_KMH_MIN;
    const isParked = this.#motion.value === "parked";
    return isParked && ACCELERATIONS.has(name) && Math.abs(value) > PARKED_MPS2_MAX;
  }

  #step(input: Parameters<typeof nextMotion>[1], bootMs: number): void {
    this.#motion = nextMotion(this.#motion, input, bootMs, this.#limits);
  }
}
