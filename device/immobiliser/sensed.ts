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

/**
 * Whether the car was seen to do what was asked: the only meaning of success. `find` moves nothing that can be seen,
 * so there the controller's word is all there is.
 */
export function seenDone(action: Action, sensed: LockSensed): "yes" | "no" | "unknown" {
  const state = sensedState(sensed);
  const not = { yes: "no", no: "yes", unknown: "unknown" } as const;
  const both = (
    a: "yes" | "no" | "unknown",
    b: "yes" | "no" | "unknown",
  ): "yes" | "no" | "unknown" => all([a, b], "yes", "no");
  switch (action) {
    case "lock":
      return state.locked;
    case "unlock":
      return all([sensed.boltDriver, sensed.boltPassengers], "unlocked", "locked");
    case "trunk":
      return all([sensed.boltTrunk], "unlocked", "locked");
    case "immobilise":
      return state.immobilised;
    case "release":
      return not[state.immobilised];
    case "unlock_and_release":
      return both(seenDone("unlock", sensed), not[state.immobilised]);
    case "lock_and_immobilise":
      return both(state.locked, state.immobilised);
    case "find":
      return "yes";
    // The bolts are what these move, if anything; the records are what they are for.
    case "end_rental":
      return state.locked;
    case "terminate":
    case "cancel":
      return "yes";
  }
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
