/** A world for tests, moved on by hand: no clock, no sockets. */
import type { LockAction, LockLinkSendable, LockMessageOf } from "@kerbside/protocol";
import {
  type Action,
  actIn,
  beginScript,
  controllerInput,
  makeRoute,
  newCar,
  newWorld,
  nextScript,
  refuseStep,
  type Script,
  type ScriptRun,
  type Surroundings,
  stepWorld,
  TRAVEL,
  type Travel,
  type World,
} from "@kerbside/sim";

const STEP_MS = 10;
export const AROUND: Surroundings = { route: makeRoute(), travel: TRAVEL };

export class HandWorld {
  world: World;
  readonly said: LockLinkSendable[] = [];

  readonly #around: Surroundings;

  constructor(seed: number, travel: Travel = TRAVEL) {
    this.#around = { ...AROUND, travel };
    this.world = newWorld(newCar(seed));
    this.pass(1000);
    this.said.length = 0;
  }

  pass(ms: number, watch: (world: World) => void = () => undefined, stepMs = STEP_MS): void {
    for (let passed = 0; passed < ms; passed += stepMs) {
      const { world, send } = stepWorld(this.world, stepMs, this.#around);
      this.world = world;
      this.said.push(...send);
      watch(world);
    }
  }

  /** Undefined if it was done, else why not. */
  does(action: Action): string | undefined {
    const outcome = actIn(this.world, action);
    this.world = outcome.world;
    return outcome.done ? undefined : outcome.why;
  }

  pedals(accelerator: number, brake: number): void {
    this.world = { ...this.world, pedals: { accelerator, brake } };
  }

  ask(actuationId: number, action: LockAction): void {
    const message = { type: "actuate", actuationId, action } as const;
    const { world, send } = controllerInput(this.world, { type: "message", message }, this.#around);
    this.world = world;
    this.said.push(...send);
  }

  /** Asks, and lets it end. */
  actuate(actuationId: number, action: LockAction): LockMessageOf<"actuationResult"> | undefined {
    this.ask(actuationId, action);
    this.pass(2000);
    return this.results().findLast((result) => result.actuationId === actuationId);
  }

  results(): LockMessageOf<"actuationResult">[] {
    return this.said.filter((message) => message.type === "actuationResult");
  }

  runs(script: Script, watch: (world: World) => void = () => undefined): ScriptRun {
    let run = beginScript(script, this.world.car);
    while (run.value === "running") {
      const turn = nextScript(run, this.world.car, AROUND.route);
      run = turn.run;
      if (turn.pedals !== undefined) this.pedals(turn.pedals.accelerator, turn.pedals.brake);
      const why = turn.action === undefined ? undefined : this.does(turn.action);
      if (why !== undefined) run = refuseStep(run, why);
      this.pass(STEP_MS, watch);
    }
    return run;
  }
}

/** Belted in with the engine running and D selected, the brake pressed. */
export function readyToDrive(seed: number): HandWorld {
  const world = new HandWorld(seed);
  world.actuate(1, "unlock");
  world.does({ type: "door", leaf: "driver", open: true });
  world.does({ type: "driver", where: "inside" });
  world.does({ type: "door", leaf: "driver", open: false });
  world.does({ type: "ignition", position: "START" });
  world.pedals(0, 0.4);
  world.pass(2000);
  world.does({ type: "selector", position: "D" });
  world.does({ type: "parkingBrake", engaged: false });
  return world;
}
