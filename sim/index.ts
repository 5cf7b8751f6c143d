/**
 * The simulated car: a body and an engine that move, the frames on its bus, a lock controller that behaves like
 * hardware, scripts that drive it, and the cockpit, where people do. What decides is pure (`car/`, the controller,
 * the script); sockets, files and pages are shells around it.
 */

export { type BodyComputer, type BodyRequest, createBodyComputer } from "./can/body-computer.ts";
export { type ControlUnits, createControlUnits, type SpokenFrame } from "./can/control-units.ts";
export { vinOf } from "./can/signals.ts";
export { VSS } from "./can/vss.ts";
export { type Action, act, parseAction } from "./car/actions.ts";
export { ELECTRIC_MODEL, MODEL, modelOf } from "./car/model.ts";
export { makeRoute, placeOn, type Route, toWgs84 } from "./car/route.ts";
export {
  CAR_FAULT_NAMES,
  type Car,
  type CarFault,
  NO_INPUTS,
  newCar,
  type StepInputs,
} from "./car/state.ts";
export { allLocked, isCharging, rest, STEP_MS_MAX, step } from "./car/step.ts";
export { runSim } from "./cli/run.ts";
export { stateView, type ViewParts } from "./cockpit/view.ts";
export { type Drive, type DriveOptions, startDrive } from "./drive/drive.ts";
export { pedalsFor } from "./drive/driver.ts";
export {
  beginScript,
  bookingScript,
  nextScript,
  refuseStep,
  type Script,
  type ScriptRun,
} from "./drive/script.ts";
export { type ScriptEnd, Simulation, type SimulationOptions } from "./drive/simulation.ts";
export { readState, type Saved, StateFileError, writeState } from "./drive/state-file.ts";
export { DAYS, type Day, drives, isCut } from "./fleet/day.ts";
export { Delays, type FleetFigures } from "./fleet/figures.ts";
export { type FleetOptions, runFleet } from "./fleet/fleet.ts";
export { readTokens } from "./fleet/identities.ts";
export { LIGHT_SEGMENTS_MAX, LightBuffer } from "./fleet/light-buffer.ts";
export { type Contacts, contactsOf } from "./lock/contacts.ts";
export {
  type Controller,
  type ControllerContext,
  type ControllerInput,
  type ControllerMemory,
  NEW_MEMORY,
  nextController,
  outputsOf,
  startController,
} from "./lock/controller.ts";
export { type LockEndpoint, serveLock } from "./lock/endpoint.ts";
export { type MemoryConnection, type MemoryLine, memoryLine, type Peer } from "./lock/line.ts";
export { type SupervisorOptions, supervise } from "./module/supervisor.ts";
export {
  type CardTap,
  type PhoneTap,
  type Reader,
  type ReaderOptions,
  serveReader,
  type TapOutcome,
} from "./reader/reader.ts";
export { type Replayed, type ReplayOptions, replay } from "./replay/replay.ts";
export { clockWords, durationMs } from "./scenario/duration.ts";
export { type Loaded, loadScenario, type Problem } from "./scenario/load.ts";
export { type Played, play, type StepResult } from "./scenario/play.ts";
export { junitXml, playedText, stepLine, summaryText } from "./scenario/report.ts";
export { type Scenario, ScenarioSchema } from "./scenario/schema.ts";
export {
  type Coverage,
  type DriveEnd,
  type Json,
  type Stage,
  type StageAnswer,
  type StageAsk,
  StageError,
} from "./scenario/stage.ts";
export {
  actIn,
  controllerInput,
  newWorld,
  type Surroundings,
  stepWorld,
  TRAVEL,
  type Travel,
  type World,
} from "./world.ts";
