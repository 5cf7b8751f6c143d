/** What the wires between body and lock controller carry. */
import type { LockSensed } from "@kerbside/protocol";
import { supplyV } from "../can/signals.ts";
import { boltContact, type Car, contactOpen, type Leaf } from "../car/state.ts";

/** The controller's inputs. */
export type Contacts = Omit<LockSensed, "immobiliser"> & {
  /** Whether current flows through the motor when it is tried. */
  readonly motorAnswers: boolean;
};

/** One wire for three bolts: it says something only when they agree. */
function passengersOf(car: Car): Contacts["boltPassengers"] {
  const contact = boltContact(car, "passenger");
  const agree =
    boltContact(car, "rearDriver") === contact && boltContact(car, "rearPassenger") === contact;
  return agree ? contact : "unknown";
}

function leafOf(car: Car, leaf: Leaf): "open" | "closed" {
  return contactOpen(car, leaf) ? "open" : "closed";
}

export function contactsOf(car: Car): Contacts {
  return {
    boltDriver: boltContact(car, "driver"),
    boltPassengers: passengersOf(car),
    boltTrunk: boltContact(car, "trunk"),
    doorFrontLeft: leafOf(car, "driver"),
    doorFrontRight: leafOf(car, "passenger"),
    doorRearLeft: leafOf(car, "rearDriver"),
    doorRearRight: leafOf(car, "rearPassenger"),
    trunk: leafOf(car, "trunk"),
    supplyMv: Math.round(supplyV(car) * 1000),
    tamper: car.faults.tamper ? "opened" : "intact",
    motorAnswers: !car.faults.lockDead,
  };
}
