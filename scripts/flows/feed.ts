/** What a flow hears in a car, from the bus of a simulated one: values ten times a second, and trips. */
import { EventEmitter } from "node:events";
import {
  createCollector,
  createSignalStore,
  createSocketBus,
  loadScheme,
  readShippedProfile,
  readShippedScheme,
  shippedSchemes,
} from "../../device/can/index.ts";
import { type SignalValue, systemClock, systemRandom } from "../../shared/protocol/index.ts";

export type Feed = {
  /** As the palette's nodes expect it. */
  readonly car: EventEmitter;
  readonly close: () => Promise<void>;
};

const FEED_MS = 100;
const NODES_MAX = 2000;

export function feedFrom(busPath: string): Feed {
  const clock = systemClock(() => performance.now());
  const profile = readShippedProfile("kerbside-sim");
  const store = createSignalStore({ profile, clock });
  const bus = createSocketBus({ path: busPath, clock, random: systemRandom });
  const car = new EventEmitter();
  car.setMaxListeners(NODES_MAX);
  const fresh = new Map<string, SignalValue>();
  const subscription = store.subscribe((changes) => {
    for (const { name, value, quality } of changes.signals()) {
      if (quality === "good" && value !== undefined) fresh.set(name, value);
    }
  });
  const timer = setInterval(() => {
    if (fresh.size > 0)
      car.emit("signals", { bootMs: clock.bootMs(), values: Object.fromEntries(fresh) });
    fresh.clear();
  }, FEED_MS);
  const schemes = shippedSchemes().map((name) =>
    loadScheme(name, readShippedScheme(name), profile.profile),
  );
  const collector = createCollector({
    ...{ profile, store, clock, schemes },
    emit: ({ kind, data }) => {
      if (kind === "trip.started") car.emit("trip", { phase: "started", data });
      if (kind === "trip.ended") car.emit("trip", { phase: "ended", data });
    },
  });
  bus.start({ frames: (frames) => store.ingest(frames), event: () => undefined });
  return {
    car,
    close: async () => {
      clearInterval(timer);
      collector.close();
      subscription.cancel();
      await bus.stop();
      store.close();
    },
  };
}
