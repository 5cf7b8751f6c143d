/**
 * The simulated car: a body and an engine that move, the frames on its bus, a lock controller that behaves like
 * hardware, scripts that drive it, and the cockpit, where people do. What decides is pure (`car/`, the controller,
 * the script); sockets, files and pages are shells around it.
 */
export { type Action, act, parseAction } from "./car/actions.ts";
export { MODEL } from "./car/model.ts";
export { makeRoute, placeOn, type Route, toWgs84 } from "./car/route.ts";
export {
  CAR_FAULT_NAMES,
  type Car,
  type CarFault,
  NO_INPUTS,
  newCar,
  type StepInputs,
} from "./car/state.ts";
export { allLocked, STEP_MS_MAX, step } from "./car/step.ts";
