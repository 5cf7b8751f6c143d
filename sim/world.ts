/** Car and lock controller together, pure: the wires between them, and time for both. */
import type { LockLinkSendable } from "@kerbside/protocol";
import { type Action, type ActionOutcome, act } from "./car/actions.ts";
import { chance, PURPOSE } from "./car/noise.ts";
import type { Route } from "./car/route.ts";
import { boltContact, type Car } from "./car/state.ts";
import { rest, step } from "./car/step.ts";
import { contactsOf } from "./lock/contacts.ts";
import {
  type Controller,
  type ControllerContext,
  type ControllerInput,
  type ControllerMemory,
  NEW_MEMORY,
  nextController,
  outputsOf,
  startController,
} from "./lock/controller.ts";

export type World = {
  readonly car: Car;
  readonly controller: Controller;
  readonly pedals: { readonly accelerator: number; readonly brake: number };
};
export type WorldStep = { readonly world: World; readonly send: readonly LockLinkSendable[] };

/** How long bolts take at least and at most, ms: what lock motors of cars need. */
export type Travel = { readonly minMs: number; readonly maxMs: number };
export const TRAVEL: Travel = { minMs: 300, maxMs: 600 };

/** What does not change while a world runs. */
export type Surroundings = { readonly route: Route; readonly travel: Travel };

export function newWorld(car: Car, memory: ControllerMemory = NEW_MEMORY): World {
  const controller = startController(memory, { nowMs: car.timeMs, contacts: contactsOf(car) });
  return { car, controller, pedals: { accelerator: 0, brake: 0 } };
}

function contextOf({ car }: World, { travel }: Surroundings): ControllerContext {
  const spread = travel.maxMs - travel.minMs;
  return {
    nowMs: car.timeMs,
    contacts: contactsOf(car),
    travelMs: (id) => Math.round(travel.minMs + spread * chance(car.seed, PURPOSE.boltTravel, id)),
  };
}

/** A message from the module, or a reset of the firmware. */
export function controllerInput(
  world: World,
  input: ControllerInput,
  around: Surroundings,
): WorldStep {
  const { controller, send } = nextController(world.controller, input, contextOf(world, around));
  return { world: { ...world, controller }, send };
}

/** Somebody does something in or at the car; what is refused changes nothing. */
export function actIn(world: World, action: Action): ActionOutcome & { readonly world: World } {
  const outcome = act(world.car, action);
  return { ...outcome, world: outcome.done ? { ...world, car: outcome.car } : world };
}

/** Moves both on by `dtMs`, which should not exceed 20 ms: contacts are read once a step. */
export function stepWorld(world: World, dtMs: number, around: Surroundings): WorldStep {
  const { opensTrunk, ...outputs } = outputsOf(world.controller, world.car.timeMs);
  const moved = step(world.car, dtMs, { ...world.pedals, ...outputs }, around.route);
  const car = opensTrunk ? springTrunk(moved) : moved;
  return controllerInput({ ...world, car }, { type: "tick" }, around);
}

/** A car at rest through any time in one step: what is not moving does not move. */
export function restWorld(world: World, dtMs: number, around: Surroundings): WorldStep {
  const car = rest(world.car, dtMs);
  return controllerInput({ ...world, car }, { type: "tick" }, around);
}

/** Its spring lifts the lid as soon as the bolt lets it. */
function springTrunk(car: Car): Car {
  if (car.open.trunk || boltContact(car, "trunk") !== "unlocked") return car;
  return { ...car, open: { ...car.open, trunk: true } };
}
