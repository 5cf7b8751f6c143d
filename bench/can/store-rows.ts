/** What the signal store adds to decoding: quality, change detection, subscribers. */
import {
  type BusFrame,
  type CompiledProfile,
  compileDbc,
  createSignalStore,
  loadProfile,
  parseDbc,
} from "@kerbside/can";
import { systemClock } from "@kerbside/protocol";
import { type Row, takeTurns } from "../benchmark.ts";
import { benchFrames, FIRST_ID } from "./frames.ts";

/** Four messages of four signals each, every signal a leaf. */
const LEAVES: readonly (readonly string[])[] = [
  [
    "Vehicle.Speed",
    "Vehicle.Powertrain.CombustionEngine.Speed",
    "Vehicle.Powertrain.CombustionEngine.ECT",
    "Vehicle.Exterior.AirTemperature",
  ],
  [
    "Vehicle.Acceleration.Longitudinal",
    "Vehicle.Acceleration.Lateral",
    "Vehicle.Chassis.Accelerator.PedalPosition",
    "Vehicle.Chassis.Brake.PedalPosition",
  ],
  [
    "Vehicle.CurrentLocation.Latitude",
    "Vehicle.CurrentLocation.Longitude",
    "Vehicle.CurrentLocation.Heading",
    "Vehicle.CurrentLocation.Altitude",
  ],
  [
    "Vehicle.Powertrain.FuelSystem.RelativeLevel",
    "Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed",
    "Vehicle.LowVoltageBattery.CurrentVoltage",
    "Vehicle.Powertrain.Transmission.CurrentGear",
  ],
];
const SIGNALS = ["a", "b", "c", "d"];

/** Every raw value is one that its leaf may have: a bus whose values are faults half of the time is no car's. */
const DBC_TEXT: string = LEAVES.map(
  (_, i) => `BO_ ${FIRST_ID + i} M${i}: 8 A
 SG_ a : 0|16@1+ (0.001,0) [0|65.535] "" A
 SG_ b : 23|12@0+ (0.01,0) [0|40.95] "" A
 SG_ c : 32|8@1- (0.1,12.8) [0|25.5] "" A
 SG_ d : 47|16@0+ (0.001,0) [0|65.535] "" A

`,
).join("");

const PROFILE: string = JSON.stringify({
  format: 1,
  name: "bench",
  version: 1,
  title: "A benchmark",
  powertrain: "unknown",
  dbc: ["bench.dbc"],
  messages: {},
  signals: Object.fromEntries(
    LEAVES.flatMap((leaves, i) =>
      leaves.map((leaf, k) => [
        leaf,
        { dbc2vss: { signal: `M${i}.${SIGNALS[k]}`, interval_ms: 100 } },
      ]),
    ),
  ),
  capabilities: { actions: [] },
  interlocks: {
    standstillMs: 2000,
    standstillKmhMax: 0.5,
    awakeFreshMs: 500,
    asleepAfterMs: 5000,
  },
  limits: {},
});

/** A car of four messages, all of whose signals are leaves. */
export function benchProfile(): CompiledProfile {
  const bytes = Buffer.from(DBC_TEXT);
  return loadProfile({ file: "bench", json: PROFILE, dbc: () => bytes });
}

const BATCH_FRAMES = 64;

function batchesOf(frames: readonly BusFrame[]): BusFrame[][] {
  const batches = [];
  for (let i = 0; i < frames.length; i += BATCH_FRAMES) {
    batches.push(frames.slice(i, i + BATCH_FRAMES));
  }
  return batches;
}

/** Bytes of signals a, b, c and d. */
const BYTES_OF: readonly (readonly number[])[] = [[0, 1], [2, 3], [4], [5, 6]];

/**
 * Random payloads with all values new in each, or with one of the four new in turn: in a recorded drive 78 % of
 * all bytes were those of the frame before with that id, and 38 % of all frames.
 */
function payloads(allNew: boolean): Uint8Array[] {
  const random = benchFrames().map(({ data }) => data);
  if (allNew) return random;
  const latest = LEAVES.map(() => new Uint8Array(8));
  return random.map((fresh, i) => {
    const data = (latest[i % LEAVES.length] ?? fresh).slice();
    const signal = Math.floor(i / LEAVES.length) % BYTES_OF.length;
    for (const at of BYTES_OF[signal] ?? []) data[at] = fresh[at] ?? 0;
    latest[i % LEAVES.length] = data;
    return data;
  });
}

/**
 * With one value new as cars have it, with all new the worst there can be. The listener counts what changed; one that
 * looks at each change also pays for the objects that are then built.
 */
export async function storeAgainstDecoding(allNew: boolean): Promise<Row> {
  const store = createSignalStore({
    profile: benchProfile(),
    clock: systemClock(() => performance.now()),
  });
  let changes = 0;
  store.subscribe((some) => {
    changes += some.size;
  });
  const dbc = compileDbc(parseDbc(DBC_TEXT));
  const frames = payloads(allNew).map(
    (data, i): BusFrame => ({
      timeUs: i,
      bootMs: i,
      bus: "can0",
      id: FIRST_ID + (i % LEAVES.length),
      ext: false,
      kind: "data",
      fd: false,
      data,
    }),
  );
  const batches = batchesOf(frames);
  let decoded = 0;
  const found = await takeTurns(
    () => {
      for (const batch of batches) store.ingest(batch);
      return frames.length;
    },
    () => {
      for (const { id, data } of frames) if (dbc.decode(id, false, data)?.signals) decoded++;
      return frames.length;
    },
  );
  store.close();
  if (changes === 0 || decoded === 0) throw new Error("nothing was done");
  return {
    what: `a frame of 4 signals into the signal store, ${allNew ? "all values new" : "one value new"}`,
    unit: "frames/s",
    ours: { name: "signal store", values: found.ours },
    peer: { name: "decoding into an object", values: found.peer },
    goal: { of: "ratio", atLeast: 0.25 },
  };
}
