/**
 * What a person in or at the car can do: a table that says for each action its fields, what stands against it, and
 * what it changes. What is refused changes nothing and says why in words.
 */
import { type Check, isObject, numberIn, oneOf, problemIn, yesNo } from "./fields.ts";
import { modelOf } from "./model.ts";
import {
  BOLTS,
  boltContact,
  CAR_FAULT_NAMES,
  type Car,
  type CarFault,
  DOORS,
  type Door,
  HOLDERS,
  type Holder,
  IGNITION_POSITIONS,
  isOn,
  LEAVES,
  type Leaf,
  SELECTOR_POSITIONS,
} from "./state.ts";

/** Slower than this a car counts as standing for who changes gear or gets out, m/s. */
const STANDING_MPS_MAX = 0.3;
/** How far the brake must be down to start the engine or to leave P. */
const BRAKE_MIN = 0.2;

export type Action =
  | { readonly type: "door"; readonly leaf: Leaf; readonly open: boolean }
  | { readonly type: "window"; readonly door: Door; readonly part: number }
  | { readonly type: "driver"; readonly where: Car["driver"] }
  | { readonly type: "belt"; readonly fastened: boolean }
  | { readonly type: "ignition"; readonly position: Car["ignition"] }
  | { readonly type: "selector"; readonly position: Car["selector"] }
  | { readonly type: "parkingBrake"; readonly engaged: boolean }
  | { readonly type: "lowBeam"; readonly on: boolean }
  | { readonly type: "lockButton"; readonly locked: boolean }
  | { readonly type: "holder"; readonly what: Holder; readonly present: boolean }
  /** By the body computer: the remote control, or a module that asks it by the bus. */
  | { readonly type: "remoteLock"; readonly locked: boolean }
  | { readonly type: "plug"; readonly connected: boolean }
  | { readonly type: "refuel" }
  | { readonly type: "fault"; readonly fault: CarFault; readonly on: boolean };
export type ActionType = Action["type"];
export type ActionOf<T extends ActionType> = Extract<Action, { readonly type: T }>;

type FieldChecks<A> = { readonly [K in Exclude<keyof A, "type">]: Check<A[K]> };

const FIELDS: { readonly [T in ActionType]: FieldChecks<ActionOf<T>> } = {
  door: { leaf: oneOf(LEAVES), open: yesNo },
  window: { door: oneOf(DOORS), part: numberIn(0, 1) },
  driver: { where: oneOf(["inside", "outside"]) },
  belt: { fastened: yesNo },
  ignition: { position: oneOf(IGNITION_POSITIONS) },
  selector: { position: oneOf(SELECTOR_POSITIONS) },
  parkingBrake: { engaged: yesNo },
  lowBeam: { on: yesNo },
  lockButton: { locked: yesNo },
  remoteLock: { locked: yesNo },
  holder: { what: oneOf(HOLDERS), present: yesNo },
  plug: { connected: yesNo },
  refuel: {},
  fault: { fault: oneOf(CAR_FAULT_NAMES), on: yesNo },
};

type Row<T extends ActionType> = {
  /** Why it cannot be done now, or undefined. */
  readonly against: (car: Car, action: ActionOf<T>) => string | undefined;
  readonly apply: (car: Car, action: ActionOf<T>) => Car;
};

const nothing = (): undefined => undefined;
const fromInside = (car: Car): string | undefined =>
  car.driver === "inside" ? undefined : "nobody sits in the car";
const standing = (car: Car): boolean => car.motion.speedMps <= STANDING_MPS_MAX;

const ROWS: { readonly [T in ActionType]: Row<T> } = {
  door: {
    against: (car, { leaf, open }) => (open && !car.open[leaf] ? whyShut(car, leaf) : undefined),
    apply: openLeaf,
  },
  window: {
    against: (car) => (car.ignition === "LOCK" ? "the windows have no power" : undefined),
    apply: (car, { door, part }) => ({ ...car, windows: { ...car.windows, [door]: part } }),
  },
  driver: {
    against: (car, { where }) => {
      if (car.driver === where) return undefined;
      if (!car.open.driver) return "the driver's door is closed";
      if (!standing(car)) return "the car is moving";
      return where === "outside" && car.belted ? "the belt is fastened" : undefined;
    },
    apply: (car, { where }) => ({ ...car, driver: where }),
  },
  belt: {
    against: (car, { fastened }) => (fastened ? fromInside(car) : undefined),
    apply: (car, { fastened }) => ({ ...car, belted: fastened }),
  },
  ignition: {
    against: (car, { position }) => fromInside(car) ?? whyNotTurned(car, position),
    apply: (car, { position }) => ({ ...car, ignition: position }),
  },
  selector: {
    against: (car, { position }) => fromInside(car) ?? whyNotSelected(car, position),
    apply: (car, { position }) => ({ ...car, selector: position }),
  },
  parkingBrake: {
    against: fromInside,
    apply: (car, { engaged }) => ({ ...car, parkingBrake: engaged }),
  },
  lowBeam: { against: nothing, apply: (car, { on }) => ({ ...car, lowBeam: on }) },
  lockButton: { against: fromInside, apply: moveBolts },
  remoteLock: { against: nothing, apply: moveBolts },
  holder: {
    against: fromInside,
    apply: (car, { what, present }) => ({ ...car, holders: { ...car.holders, [what]: present } }),
  },
  plug: {
    against: (car) => {
      if (car.drive !== "electric") return "this car burns petrol";
      return standing(car) ? undefined : "the car is moving";
    },
    apply: (car, { connected }) => ({ ...car, cableConnected: connected }),
  },
  refuel: {
    against: (car) => {
      if (car.drive === "electric") return "this car is charged";
      return standing(car) && !isOn(car) ? undefined : "the engine must be off";
    },
    apply: (car) => ({ ...car, fuelL: modelOf(car).tankL }),
  },
  fault: {
    against: nothing,
    apply: (car, { fault, on }) => ({
      ...car,
      faults: { ...car.faults, [fault]: on },
      ...(fault === "sensorFrozen" && { frozenMps: car.motion.speedMps }),
    }),
  },
};

/** A handle inside the car opens a front door whatever its bolt says; that is what makes it unlock. */
function opensFromInside(car: Car, leaf: Leaf): boolean {
  return car.driver === "inside" && (leaf === "driver" || leaf === "passenger");
}

function whyShut(car: Car, leaf: Leaf): string | undefined {
  if (leaf === "hood")
    return car.driver === "inside" || car.open.driver ? undefined : "its lever is in the car";
  const locked = boltContact(car, leaf) !== "unlocked";
  return locked && !opensFromInside(car, leaf) ? "it is locked" : undefined;
}

function openLeaf(car: Car, { leaf, open }: ActionOf<"door">): Car {
  const bolts = leaf !== "hood" && open ? { ...car.bolts, [leaf]: 0 } : car.bolts;
  // The steering locks when the driver's door opens with the ignition off, as in most cars with a start button.
  const leaves = leaf === "driver" && open && car.ignition === "OFF";
  return {
    ...car,
    bolts,
    open: { ...car.open, [leaf]: open },
    ignition: leaves ? "LOCK" : car.ignition,
  };
}

function whyNotTurned(car: Car, position: Car["ignition"]): string | undefined {
  if (position === "START") {
    if (car.engine.value === "running") return "the engine runs";
    if (car.selector === "R" || car.selector === "D") return "the selector is not in P or N";
    return car.startInhibited ? "the start is inhibited" : undefined;
  }
  if (position === "LOCK" || position === "OFF") {
    return standing(car) ? undefined : "the car is moving";
  }
  return undefined;
}

function whyNotSelected(car: Car, position: Car["selector"]): string | undefined {
  if (car.selector === position) return undefined;
  if (!isOn(car)) return "the ignition is off";
  if (car.selector === "P" && car.brake < BRAKE_MIN) return "the brake is not pressed";
  return position === "N" || standing(car) ? undefined : "the car is moving";
}

function moveBolts(car: Car, { locked }: ActionOf<"lockButton" | "remoteLock">): Car {
  const bolts = { ...car.bolts };
  for (const bolt of BOLTS) {
    if (car.faults.lockDead || car.faults.lockJam || (locked && car.open[bolt])) continue;
    bolts[bolt] = locked ? 1 : 0;
  }
  return { ...car, bolts };
}

export type ActionOutcome =
  | { readonly done: true; readonly car: Car }
  | { readonly done: false; readonly why: string };

/** Pure. */
export function act(car: Car, action: Action): ActionOutcome {
  return actBy(ROWS[action.type] as Row<ActionType>, car, action);
}

function actBy(row: Row<ActionType>, car: Car, action: Action): ActionOutcome {
  const why = row.against(car, action as never);
  return why === undefined
    ? { done: true, car: row.apply(car, action as never) }
    : { done: false, why };
}

export type ParsedAction =
  | { readonly ok: true; readonly action: Action }
  | { readonly ok: false; readonly problem: string };

/** Reads an action strictly: `{ type, … }` with just its fields. */
export function parseAction(value: unknown): ParsedAction {
  if (!isObject(value)) return { ok: false, problem: "expected an object with a type" };
  const { type, ...fields } = value;
  const types: Check<ActionType> = oneOf(Object.keys(FIELDS) as ActionType[]);
  if (!types.is(type)) return { ok: false, problem: `type: expected ${types.expects}` };
  const problem = problemIn(FIELDS[type], fields);
  return problem === undefined
    ? { ok: true, action: { type, ...fields } as Action }
    : { ok: false, problem };
}
