/** What the lock controller's contacts say, in the terms of an answer. */
import type { Action, LockAction, LockSensed, SensedState } from "@kerbside/protocol";

export const NOTHING_SENSED: SensedState = {
  locked: "unknown",
  immobilised: "unknown",
  doorsClosed: "unknown",
};

function all<T extends string>(values: readonly T[], yes: T, no: T): "yes" | "no" | "unknown" {
  if (values.includes(no)) return "no";
  return values.every((value) => value === yes) ? "yes" : "unknown";
}

/** One open bolt or door decides; a contact that says nothing leaves it unknown. */
export function sensedState(sensed: LockSensed): SensedState {
  const { doorFrontLeft, doorFrontRight, doorRearLeft, doorRearRight, trunk, immobiliser } = sensed;
  const leaves = [doorFrontLeft, doorFrontRight, doorRearLeft, doorRearRight, trunk];
  return {
    locked: all([sensed.boltDriver, sensed.boltPassengers, sensed.boltTrunk], "locked", "unlocked"),
    immobilised: all([immobiliser], "inhibited", "free"),
    doorsClosed: all(leaves, "closed", "open"),
  };
}

const BOLTS_LOCKED = {
  boltDriver: "locked",
  boltPassengers: "locked",
  boltTrunk: "locked",
} as const;
const DOORS_UNLOCKED = { boltDriver: "unlocked", boltPassengers: "unlocked" } as const;

/** What moves. The trunk's bolt is a contact of its own: only locking and the trunk's own action ask for it. */
const MOVED = ["boltDriver", "boltPassengers", "boltTrunk", "immobiliser"] as const;

/**
 * Where each action is to bring what moves. `find` moves nothing that can be seen, so there the controller's word is
 * all there is; of what is for the car's records (`terminate`, `cancel`) nothing moves at all.
 */
const WANTED: Readonly<
  Record<Action, { readonly [M in (typeof MOVED)[number]]?: Exclude<LockSensed[M], "unknown"> }>
> = {
  lock: BOLTS_LOCKED,
  unlock: DOORS_UNLOCKED,
  trunk: { boltTrunk: "unlocked" },
  immobilise: { immobiliser: "inhibited" },
  release: { immobiliser: "free" },
  unlock_and_release: { ...DOORS_UNLOCKED, immobiliser: "free" },
  lock_and_immobilise: { ...BOLTS_LOCKED, immobiliser: "inhibited" },
  end_rental: BOLTS_LOCKED,
  find: {},
  terminate: {},
  cancel: {},
};

/** Whether the car was seen to do what was asked: the only meaning of success. */
export function seenDone(action: Action, sensed: LockSensed): "yes" | "no" | "unknown" {
  const wanted = WANTED[action];
  const asked = MOVED.filter((contact) => wanted[contact] !== undefined);
  const isElsewhere = asked.some(
    (contact) => sensed[contact] !== "unknown" && sensed[contact] !== wanted[contact],
  );
  if (isElsewhere) return "no";
  return asked.every((contact) => sensed[contact] === wanted[contact]) ? "yes" : "unknown";
}

/**
 * Whether anything may be elsewhere than it was before the action. What cannot be compared, for one of the two was not
 * seen, may have moved unless it is seen where the action was not to bring it.
 */
export function mayHaveMoved(
  action: Action,
  before: LockSensed | undefined,
  after: LockSensed,
): boolean {
  const wanted = WANTED[action];
  return MOVED.some((contact) => {
    const [was, is] = [before?.[contact] ?? "unknown", after[contact]];
    if (was !== "unknown" && is !== "unknown") return was !== is;
    return wanted[contact] !== undefined && (is === "unknown" || is === wanted[contact]);
  });
}

/** Whether one actuation was seen to work. What moves nothing that can be seen has only its word. */
export function seenMoved(action: LockAction, sensed: LockSensed): "yes" | "no" | "unknown" {
  switch (action) {
    case "lock":
    case "unlock":
    case "trunk":
      return seenDone(action, sensed);
    case "inhibit_start":
      return seenDone("immobilise", sensed);
    case "allow_start":
      return seenDone("release", sensed);
    case "horn_lights":
      return "yes";
  }
}
