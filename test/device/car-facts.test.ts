/** From signals to what the end of a rental is asked for: for each condition what meets it, what does not, what leaves it open. */
import {
  END_CONDITIONS,
  type EndCondition,
  type Quality,
  type Signal,
  type SignalName,
  type SignalValue,
  type ZonePoint,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endFacts, type Signals } from "../../device/car-facts.ts";

type Said = Readonly<Partial<Record<SignalName, SignalValue | Exclude<Quality, "good">>>>;
const QUALITIES: ReadonlySet<unknown> = new Set(["stale", "invalid", "unknown"]);

/** A car that has just these signals, with a value or with what is wrong with them. */
function car(said: Said): Signals {
  const read = (name: SignalName): Signal => {
    const here = said[name] ?? "unknown";
    if (here === "stale" || here === "invalid" || here === "unknown")
      return { name, value: undefined, quality: here, bootMs: 0 };
    return { name, value: here, quality: "good", bootMs: 0 };
  };
  return { read, provides: (name) => said[name] !== undefined };
}

const LEAVES = ["Row1.DriverSide", "Row1.PassengerSide", "Row2.DriverSide", "Row2.PassengerSide"];
const DOORS = [
  ...LEAVES.map((leaf) => `Vehicle.Cabin.Door.${leaf}.IsOpen` as SignalName),
  "Vehicle.Body.Trunk.Rear.IsOpen",
  "Vehicle.Body.Hood.IsOpen",
] as const;
const WINDOWS = LEAVES.map((leaf) => `Vehicle.Cabin.Door.${leaf}.Window.IsOpen` as SignalName);
/** What each condition looks at, and what each of that has to be. */
const LOOKS: Readonly<Record<Exclude<EndCondition, "in_zone">, readonly SignalName[]>> = {
  doors_closed: DOORS,
  windows_closed: WINDOWS,
  lights_off: ["Vehicle.Body.Lights.Beam.Low.IsOn"],
  key_in_holder: ["Vehicle.Cabin.Holder.Key.IsPresent"],
  fuel_card_in_holder: ["Vehicle.Cabin.Holder.FuelCard.IsPresent"],
  parking_brake: ["Vehicle.Chassis.ParkingBrake.IsEngaged"],
  plugged_in: [
    "Vehicle.Powertrain.TractionBattery.Charging.ChargingPort.AnyPosition.IsChargingCableConnected",
  ],
};
const wanted = (condition: EndCondition): boolean => !/_closed$|_off$/.test(condition);
const met = { quality: "good", value: true };
const unmet = { quality: "good", value: false };
const all = (names: readonly SignalName[], value: SignalValue): Said =>
  Object.fromEntries(names.map((name) => [name, value]));

for (const condition of END_CONDITIONS) {
  if (condition === "in_zone") continue;
  const names = LOOKS[condition];
  const right = wanted(condition);
  test(`${condition}: met by all that it looks at, unmet by any, unknown where one is not known`, () => {
    const judged = (said: Said): unknown => endFacts(car(said), [])[condition];
    const good = all(names, right);
    assert.equal(judged(good), met);
    assert.is(Object(judged({})).quality, "unknown", "a car that has none of it");
    for (const name of names) {
      assert.equal(judged({ ...good, [name]: !right }), unmet, name);
      for (const quality of QUALITIES) {
        const told = Object(judged({ ...good, [name]: String(quality) }));
        assert.not.equal(told.quality, "good", `${name}: ${String(quality)}`);
        assert.is(told.value, undefined);
      }
    }
  });
}

test("one open door decides, whatever is not known of the others; a car without rear doors is asked for none", () => {
  const rear = DOORS.slice(2, 4);
  const front = DOORS.filter((name) => !rear.includes(name));
  const judged = (said: Said): unknown => endFacts(car(said), []).doors_closed;
  assert.equal(judged(all(front, false)), met);
  const [driver, passenger] = front;
  assert.ok(driver !== undefined && passenger !== undefined);
  assert.equal(judged({ ...all(front, false), [driver]: true, [passenger]: "stale" }), unmet);
});

const CITY: readonly ZonePoint[] = [
  { latitude: 48, longitude: 11 },
  { latitude: 48, longitude: 12 },
  { latitude: 49, longitude: 12 },
  { latitude: 49, longitude: 11 },
];
const at = (latitude: number | "stale", longitude: number | "stale"): Said => ({
  "Vehicle.CurrentLocation.Latitude": latitude,
  "Vehicle.CurrentLocation.Longitude": longitude,
});
const PLACES: readonly {
  readonly why: string;
  readonly said: Said;
  readonly zones: readonly (readonly ZonePoint[])[];
  readonly is: object;
}[] = [
  { why: "inside", said: at(48.5, 11.5), zones: [CITY], is: met },
  { why: "outside", said: at(47.5, 11.5), zones: [CITY], is: unmet },
  { why: "no zone is drawn", said: at(48.5, 11.5), zones: [], is: { quality: "unknown" } },
  { why: "half a position", said: at("stale", 11.5), zones: [CITY], is: { quality: "unknown" } },
  { why: "the other half", said: at(48.5, "stale"), zones: [CITY], is: { quality: "unknown" } },
  { why: "no position", said: {}, zones: [CITY], is: { quality: "unknown" } },
];
for (const { why, said, zones, is } of PLACES)
  test(`in_zone: ${why}`, () => {
    assert.equal(endFacts(car(said), zones).in_zone, is);
  });

test.run();
