/**
 * Scripts: what a person does with the car, as a table of steps, and the pure machine that goes through them in the
 * car's own time. A step that the car refuses or that takes too long ends the script, and says which and why.
 */
import type { Action } from "../car/actions.ts";
import type { Route } from "../car/route.ts";
import { boltContact, type Car, type Ignition } from "../car/state.ts";
import { type Pedals, pedalsFor, pedalsToStop } from "./driver.ts";

export type Condition = "unlocked" | "engineRuns" | "stands";

const CONDITIONS: Readonly<Record<Condition, (car: Car) => boolean>> = {
  unlocked: (car) => boltContact(car, "driver") === "unlocked",
  engineRuns: (car) => car.engine.value === "running",
  stands: (car) => car.motion.speedMps === 0,
};

export type ScriptStep = { readonly words: string } & (
  | { readonly do: "act"; readonly action: Action }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "until"; readonly condition: Condition; readonly withinMs: number }
  | { readonly do: "brake"; readonly part: number }
  | { readonly do: "drive"; readonly ms: number; readonly kmhMax: number }
  | { readonly do: "stop"; readonly withinMs: number }
);
export type Script = readonly ScriptStep[];

const PAUSE_MS = 400;
const LOOK_MS = 50;
const pause: ScriptStep = { do: "wait", ms: PAUSE_MS, words: "pauses" };
const turn = (position: Ignition): Action => ({ type: "ignition", position });
const driverDoor = (open: boolean): Action => ({ type: "door", leaf: "driver", open });

/** A renter's drive in a car that has just been unlocked, or is about to be; the car is left shut, to be locked. */
export function bookingScript(driveMs: number, kmhMax: number): Script {
  return [
    { do: "until", condition: "unlocked", withinMs: 30_000, words: "waits until it is unlocked" },
    pause,
    { do: "act", action: driverDoor(true), words: "opens the driver's door" },
    { do: "wait", ms: 900, words: "gets in" },
    { do: "act", action: { type: "driver", where: "inside" }, words: "sits down" },
    { do: "act", action: driverDoor(false), words: "closes the door" },
    { do: "wait", ms: 600, words: "adjusts the seat" },
    { do: "act", action: { type: "belt", fastened: true }, words: "fastens the belt" },
    pause,
    { do: "brake", part: 0.4, words: "presses the brake" },
    { do: "act", action: turn("ON"), words: "turns the ignition on" },
    { do: "wait", ms: 600, words: "waits for the dashboard" },
    { do: "act", action: turn("START"), words: "starts the engine" },
    { do: "until", condition: "engineRuns", withinMs: 5000, words: "waits for the engine" },
    { do: "act", action: { type: "lowBeam", on: true }, words: "switches the lights on" },
    { do: "act", action: { type: "selector", position: "D" }, words: "selects D" },
    { do: "act", action: { type: "parkingBrake", engaged: false }, words: "releases the brake" },
    pause,
    { do: "drive", ms: driveMs, kmhMax, words: "drives" },
    { do: "stop", withinMs: 30_000, words: "stops" },
    pause,
    { do: "act", action: { type: "parkingBrake", engaged: true }, words: "sets the brake" },
    { do: "act", action: { type: "selector", position: "P" }, words: "selects P" },
    { do: "act", action: { type: "lowBeam", on: false }, words: "switches the lights off" },
    { do: "wait", ms: 2000, words: "hears the song to its end" },
    { do: "act", action: turn("OFF"), words: "switches the ignition off" },
    { do: "wait", ms: 900, words: "gathers the bags" },
    { do: "act", action: { type: "belt", fastened: false }, words: "opens the belt" },
    pause,
    { do: "act", action: driverDoor(true), words: "opens the driver's door" },
    { do: "wait", ms: 900, words: "gets out" },
    { do: "act", action: { type: "driver", where: "outside" }, words: "stands beside the car" },
    { do: "act", action: driverDoor(false), words: "closes the door" },
    { do: "wait", ms: 500, words: "walks away" },
  ];
}

export type ScriptRun =
  | {
      readonly value: "running";
      readonly script: Script;
      readonly index: number;
      readonly sinceMs: number;
      /** When the driver last looked at the road. */
      readonly lookedMs: number;
    }
  | { readonly value: "finished" }
  | {
      readonly value: "failed";
      readonly step: number;
      readonly words: string;
      readonly why: string;
    };

/** What the person does now. `index` is the step that it belongs to. */
export type ScriptTurn = {
  readonly run: ScriptRun;
  readonly pedals?: Pedals;
  readonly action?: Action;
};

export function beginScript(script: Script, car: Car): ScriptRun {
  const { timeMs } = car;
  return { value: "running", script, index: 0, sinceMs: timeMs, lookedMs: timeMs - LOOK_MS };
}

/** One look at the car. The caller applies the action, and calls `refuseStep` if the car does not let it. */
export function nextScript(run: ScriptRun, car: Car, route: Route): ScriptTurn {
  if (run.value !== "running") return { run };
  const step = run.script[run.index];
  if (step === undefined)
    return { run: { value: "finished" }, pedals: { accelerator: 0, brake: 0 } };
  const passedMs = car.timeMs - run.sinceMs;
  const next: ScriptRun = { ...run, index: run.index + 1, sinceMs: car.timeMs };
  switch (step.do) {
    case "act":
      return { run: next, action: step.action };
    case "wait":
      return { run: passedMs >= step.ms ? next : run };
    case "brake":
      return { run: next, pedals: { accelerator: 0, brake: step.part } };
    case "until":
      if (CONDITIONS[step.condition](car)) return { run: next };
      return passedMs < step.withinMs ? { run } : { run: tooLong(run.index, step) };
    case "drive":
      if (passedMs >= step.ms) return { run: next };
      // Feet do not follow eyes any faster.
      return car.timeMs - run.lookedMs < LOOK_MS
        ? { run }
        : {
            run: { ...run, lookedMs: car.timeMs },
            pedals: pedalsFor(car, route, step.kmhMax),
          };
    case "stop":
      if (CONDITIONS.stands(car)) return { run: next, pedals: { accelerator: 0, brake: 0.4 } };
      return passedMs < step.withinMs
        ? { run, pedals: pedalsToStop(car) }
        : { run: tooLong(run.index, step) };
  }
}

function tooLong(index: number, { words }: ScriptStep): ScriptRun {
  return { value: "failed", step: index, words, why: "it took too long" };
}

/** The car did not let the action of the step before `run`'s happen. */
export function refuseStep(run: ScriptRun, why: string): ScriptRun {
  if (run.value !== "running") return run;
  const step = run.index - 1;
  return { value: "failed", step, words: run.script[step]?.words ?? "", why };
}
