/** A car for the tests of schemes: it says all it knows, and its collector tells what that gave rise to. */
import {
  type BusFrame,
  type Collected,
  type Collector,
  type CompiledProfile,
  createCollector,
  createSignalStore,
  type EncodeValues,
  loadScheme,
  readShippedProfile,
  type SignalStore,
  type TripMemory,
} from "@kerbside/can";
import { CarFrames } from "./car-frames.ts";
import { type ManualClock, manualClock } from "./runtime.ts";

export const profile: CompiledProfile = readShippedProfile("kerbside-sim");
const STEP_MS = 50;

/** A car that says all it knows every 50 ms, under a clock that moves when told to. */
export class SchemeCar {
  readonly clock: ManualClock = manualClock();
  readonly store: SignalStore;
  readonly collector: Collector;
  readonly events: Collected[] = [];
  readonly #frames: CarFrames;
  kmh = 0;
  braking = 0;
  terminal = "OFF";
  lock = "locked";
  doors: Record<string, string> = {};
  windows: Record<string, number> = { WindowDriver: 0 };
  odometerM = 5000;
  latitude = 48.1;
  fuel = 50;
  volts = 12.6;

  constructor(
    options: {
      schemes?: readonly object[];
      cause?: "command" | "access";
      booking?: string;
      trips?: TripMemory;
    } = {},
  ) {
    this.clock.pass(1000);
    this.store = createSignalStore({ profile, clock: this.clock });
    this.#frames = new CarFrames(profile, this.clock);
    this.collector = createCollector({
      profile,
      store: this.store,
      clock: this.clock,
      emit: (event) => this.events.push(event),
      lockCause: () => (options.cause === undefined ? undefined : { cause: options.cause }),
      booking: () => options.booking,
      ...(options.trips === undefined ? {} : { trips: options.trips }),
      ...(options.schemes === undefined ? {} : { schemes: options.schemes.map(schemeOf) }),
    });
  }

  /** Drives on so long, and tells what it gave rise to. */
  run(ms: number): Collected[] {
    const before = this.events.length;
    for (let t = 0; t < ms; t += STEP_MS) {
      this.clock.pass(STEP_MS);
      const movedM = (this.kmh / 3.6) * (STEP_MS / 1000);
      this.odometerM += movedM;
      this.latitude += movedM / 111_195;
      this.#frames.send(this.store, this.messages());
    }
    return this.events.slice(before);
  }

  frame(message: string, values: EncodeValues): BusFrame {
    return this.#frames.make(message, values);
  }

  kinds(ms: number): string[] {
    return this.run(ms).map(({ kind }) => kind);
  }

  private messages(): Record<string, EncodeValues> {
    const bolt = (name: string): [string, string] => [name, this.lock];
    return {
      SPEED: { VehicleSpeed: this.kmh, LongitudinalAcceleration: -this.braking },
      IGNITION: { Terminal: this.terminal },
      DOORS: {
        ...Object.fromEntries(
          ["LockDriver", "LockPassenger", "LockRearDriver", "LockRearPassenger", "LockTrunk"].map(
            bolt,
          ),
        ),
        ...this.doors,
      },
      CLUSTER: { Odometer: Math.floor(this.odometerM), FuelLevel: this.fuel, Range: 400 },
      THERMAL: { BatteryVoltage: this.volts },
      GNSS_POSITION: { Latitude: this.latitude, Longitude: 11.5 },
      GNSS_MOTION: { Heading: 90 },
      COMFORT: this.windows,
    };
  }
}

export const scheme = (...rules: readonly object[]): object => ({
  format: 1,
  name: "test",
  version: 1,
  priority: 1,
  rules,
});
export const schemeOf = (document: object): ReturnType<typeof loadScheme> =>
  loadScheme("test.json", JSON.stringify(document), profile.profile);
export const TRIP_SCHEME: object = scheme({ name: "trips", on: "trip", endMs: 30_000 });
export const without = (events: readonly Collected[], ...kinds: readonly string[]): Collected[] =>
  events.filter(({ kind }) => !kinds.includes(kind));
