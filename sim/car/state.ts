/** What a simulated car is at one moment: plain data, replaced as a whole by each step. */
import { type Drive, MODEL, modelOf } from "./model.ts";
import { chance, PURPOSE } from "./noise.ts";

/** In the order of the drawing: front to back, driver (left) first. */
export const DOORS = ["driver", "passenger", "rearDriver", "rearPassenger"] as const;
export type Door = (typeof DOORS)[number];
export const LIDS = ["trunk", "hood"] as const;
export type Lid = (typeof LIDS)[number];
export type Leaf = Door | Lid;
export const LEAVES: readonly Leaf[] = [...DOORS, ...LIDS];
/** What the central lock has a bolt for. */
export const BOLTS = ["driver", "passenger", "rearDriver", "rearPassenger", "trunk"] as const;
export type Bolt = (typeof BOLTS)[number];

export const IGNITION_POSITIONS = ["LOCK", "OFF", "ACC", "ON", "START"] as const;
export type Ignition = (typeof IGNITION_POSITIONS)[number];
export const SELECTOR_POSITIONS = ["P", "R", "N", "D"] as const;
export type Selector = (typeof SELECTOR_POSITIONS)[number];

export type Engine =
  | { readonly value: "off" }
  | { readonly value: "cranking"; readonly sinceMs: number }
  | { readonly value: "running" };

/** What a renter finds in the car and has to leave there. */
export const HOLDERS = ["key", "fuelCard"] as const;
export type Holder = (typeof HOLDERS)[number];

/** What can be made to go wrong in the car's body and in its sensors, for testers. */
export const CAR_FAULTS = {
  lockJam: "The lock motor runs against something: bolts stop half-way.",
  lockDead: "The lock motor does not move.",
  doorAjar: "The driver's door contact says open whatever the door does.",
  sensorFrozen: "The wheel speed sensors are frozen: the bus repeats what they said when it began.",
  speedLost: "The brakes' control unit has no wheel speed: the bus says “not available”.",
  gnssLost: "No satellites: position and heading are “not available”.",
  gnssSpoofed: "Somebody feigns satellites: the receiver believes that it is in another town.",
  canUnplugged: "The connector of the bus is off: no frame arrives.",
  busOff: "The controller of the bus has gone bus-off after too many errors.",
  supplyLow: "The 12 V battery is nearly empty: 9 V at the controller.",
  towed: "A truck drags the car away, with its wheels on the ground and its engine off.",
  tamper: "The lid of the lock controller is open.",
  linkUnplugged: "The cable between module and lock controller is off.",
} as const;
export type CarFault = keyof typeof CAR_FAULTS;
export const CAR_FAULT_NAMES: readonly CarFault[] = Object.keys(CAR_FAULTS).filter(isCarFault);

export function isCarFault(name: string): name is CarFault {
  return Object.hasOwn(CAR_FAULTS, name);
}

export type Motion = {
  /** Never negative; the selector says which way. */
  readonly speedMps: number;
  readonly backwards: boolean;
  /** Along the car, positive forwards. */
  readonly accelerationMps2: number;
  readonly lateralMps2: number;
  /** The integral of the speed since the car was built. */
  readonly odometerM: number;
  /** Where on its round. */
  readonly routeM: number;
};

export type Car = {
  readonly seed: number;
  readonly timeMs: number;
  readonly motion: Motion;
  readonly engine: Engine;
  readonly rpm: number;
  readonly torqueNm: number;
  /** −1 reverse, 0 none. */
  readonly gear: number;
  readonly coolantC: number;
  readonly drive: Drive;
  readonly fuelL: number;
  /** Of the traction battery; 0 in a petrol car. */
  readonly chargeKwh: number;
  readonly cableConnected: boolean;
  readonly batteryAh: number;
  readonly batteryV: number;
  readonly ignition: Ignition;
  readonly selector: Selector;
  readonly parkingBrake: boolean;
  /** As the pedals stood in the last step, 0 to 1. */
  readonly accelerator: number;
  readonly brake: number;
  readonly driver: "outside" | "inside";
  readonly belted: boolean;
  readonly open: Readonly<Record<Leaf, boolean>>;
  /** 0 is unlocked, 1 is locked; between them the contacts say nothing. */
  readonly bolts: Readonly<Record<Bolt, number>>;
  /** 0 is shut, 1 is open. */
  readonly windows: Readonly<Record<Door, number>>;
  /** What is in its holder in the glove box. */
  readonly holders: Readonly<Record<Holder, boolean>>;
  /** What the wheel speed sensors say once they are frozen, m/s. */
  readonly frozenMps: number;
  readonly lowBeam: boolean;
  /** The horn and all four indicators, as long as the controller asks for them. */
  readonly calling: boolean;
  readonly startInhibited: boolean;
  readonly faults: Readonly<Record<CarFault, boolean>>;
};

/** What works on the car during a step: the driver's feet and the lock controller's outputs. */
export type StepInputs = {
  /** 0 to 1. */
  readonly accelerator: number;
  readonly brake: number;
  readonly lockMotor: LockMotor;
  readonly startInhibited: boolean;
  readonly calling: boolean;
};
export type LockMotor =
  | { readonly value: "still" }
  | {
      readonly value: "turning";
      readonly to: 0 | 1;
      readonly bolts: readonly Bolt[];
      readonly travelMs: number;
    };

/** At rest, with the controller's outputs off. */
export const NO_INPUTS: StepInputs = {
  accelerator: 0,
  brake: 0,
  lockMotor: { value: "still" },
  startInhibited: false,
  calling: false,
};

function each<K extends string, V>(names: readonly K[], value: V): Record<K, V> {
  return Object.fromEntries(names.map((name) => [name, value])) as Record<K, V>;
}

/** A car parked at the market square, locked, as the last renter left it. */
export function newCar(seed: number, drive: Drive = "petrol"): Car {
  const full = 0.55 + 0.4 * chance(seed, PURPOSE.fuel, 0);
  const model = modelOf({ drive });
  return {
    seed,

    timeMs: 0,
    motion: {
      speedMps: 0,
      backwards: false,
      accelerationMps2: 0,
      lateralMps2: 0,
      odometerM: 18_000_000 + Math.floor(chance(seed, PURPOSE.odometer, 0) * 20_000_000),
      routeM: 40,
    },
    engine: { value: "off" },
    rpm: 0,
    torqueNm: 0,
    gear: 0,
    coolantC: 18,
    drive,
    fuelL: model.tankL * full,
    chargeKwh: model.batteryKwh * full,
    cableConnected: false,
    batteryAh: MODEL.batteryAh * 0.92,
    batteryV: 12.6,
    ignition: "LOCK",
    selector: "P",
    parkingBrake: true,
    accelerator: 0,
    brake: 0,
    driver: "outside",
    belted: false,
    open: each(LEAVES, false),
    bolts: each(BOLTS, 1),
    windows: each(DOORS, 0),
    holders: each(HOLDERS, true),
    frozenMps: 0,
    lowBeam: false,
    calling: false,
    startInhibited: false,
    faults: each(CAR_FAULT_NAMES, false),
  };
}

/** A contact closes this much of the way before the end. */
const CONTACT_PLAY = 0.02;

/** What the contact of a bolt says. */
export function boltContact(car: Car, bolt: Bolt): "locked" | "unlocked" | "unknown" {
  const position = car.bolts[bolt];
  if (position >= 1 - CONTACT_PLAY) return "locked";
  return position <= CONTACT_PLAY ? "unlocked" : "unknown";
}

/** What the contact of a door or lid says. */
export function contactOpen(car: Car, leaf: Leaf): boolean {
  return car.open[leaf] || (leaf === "driver" && car.faults.doorAjar);
}

/** Whether the terminal that feeds engine and dashboard has power. */
export function isOn(car: Car): boolean {
  return car.ignition === "ON" || car.ignition === "START";
}
