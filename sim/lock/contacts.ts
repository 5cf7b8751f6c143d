/** What the wires between body and lock controller carry. */
import type { LockSensed } from "@kerbside/protocol";
import { supplyV } from "../can/signals.ts";
import { type Bolt, boltContact, type Car, contactOpen, type Leaf } from "../car/state.ts";

/** The controller's inputs. */
export type Contacts = Omit<LockSensed, "immobiliser"> & {
  /** Whether current flows through the motor when it is tried. */
  readonly motorAnswers: boolean;
};

const PASSENGER_BOLTS: readonly Bolt[] = ["passenger", "rearDriver", "rearPassenger"];

export function contactsOf(car: Car): Contacts {
  const leaf = (name: Leaf): "open" | "closed" => (contactOpen(car, name) ? "open" : "closed");
  const passengers = PASSENGER_BOLTS.map((bolt) => boltContact(car, bolt));
  const first = passengers[0] ?? "unknown";
  return {
    boltDriver: boltContact(car, "driver"),
    // One wire for three bolts: it says something only when they agree.
    boltPassengers: passengers.every((contact) => contact === first) ? first : "unknown",
    boltTrunk: boltContact(car, "trunk"),
    doorFrontLeft: leaf("driver"),
    doorFrontRight: leaf("passenger"),
    doorRearLeft: leaf("rearDriver"),
    doorRearRight: leaf("rearPassenger"),
    trunk: leaf("trunk"),
    supplyMv: Math.round(supplyV(car) * 1000),
    tamper: car.faults.tamper ? "opened" : "intact",
    motorAnswers: !car.faults.lockDead,
  };
}
