/**
 * A car that lives: the pure world moved on by a clock, its frames sent, its controller talked to, scripts and people
 * let at it. One owner, one loop: what comes from outside changes the world between two steps, never within one.
 */
import type { Clock, LockLinkSendable, LockMessage, Timer } from "@kerbside/protocol";
import type { ControlUnits, SpokenFrame } from "../can/control-units.ts";
import type { Action, ActionOutcome } from "../car/actions.ts";
import type { Car } from "../car/state.ts";
import {
  actIn,
  controllerInput,
  restWorld,
  type Surroundings,
  stepWorld,
  type World,
} from "../world.ts";
import { beginScript, nextScript, refuseStep, type Script, type ScriptRun } from "./script.ts";

export const STEP_MS = 10;
/** One turn of the loop makes up for at most so many steps; what is beyond is time that the car does not live. */
const STEPS_A_TURN_MAX = 500;
/** Pedals that nobody confirms are released after this much real time: the page that held them is gone. */
export const PEDALS_MS_MAX = 1500;
export const SPEED_MAX = 50;

export type SimulationOptions = {
  readonly world: World;
  readonly around: Surroundings;
  readonly units: ControlUnits;
  readonly clock: Clock;
  readonly sendFrame: (frame: SpokenFrame) => void;
  readonly sendLock: (message: LockLinkSendable) => void;
  /** Called before a changed memory of the controller has any effect, and now and then for the rest. */
  readonly save: (world: World) => void;
  /** The controller's firmware was reset. */
  readonly onReset: () => void;
  /** After each step. */
  readonly onStep: (world: World) => void;
  /** How long the bus of a car at rest stays awake, ms of its time; left out, it never sleeps. */
  readonly busAwakeMs?: number;
  /** How often the car is moved on, ms: under a simulated clock seldom is cheaper (STEP_MS). */
  readonly turnMs?: number;
  /** How far each step moves it on, ms, at most STEP_MS_MAX (STEP_MS): longer ones cost less and tell less of it. */
  readonly stepMs?: number;
};

/** `count`: how many of its message have been sent, whatever their page. */
export type LiveFrame = SpokenFrame & { readonly count: number; readonly atMs: number };
export type ScriptEnd =
  | Exclude<ScriptRun, { readonly value: "running" }>
  | { readonly value: "interrupted" };
export type ScriptProgress = {
  readonly step: number;
  readonly steps: number;
  readonly words: string;
};

/** Nothing in it asks for the bus. */
function isAtRest({ ignition, lowBeam, calling, faults, motion }: Car): boolean {
  const isMoved = faults.towed || motion.speedMps > 0;
  return (ignition === "LOCK" || ignition === "OFF") && !lowBeam && !calling && !isMoved;
}

const SAVE_EVERY_MS = 5000;
/** Of a car that sleeps. */
const REST_TURN_MS = 1000;
const RELEASED = { accelerator: 0, brake: 0 } as const;

export class Simulation {
  readonly #options: SimulationOptions;
  readonly #stepMs: number;
  #world: World;
  #speed = 1;
  #realMs: number;
  #owedMs = 0;
  #lostMs = 0;
  #timer: Timer | undefined;
  #pedalsAtMs = 0;
  #savedAtMs: number;
  #stirredAtMs: number;
  #seen: Pick<Car, "open" | "bolts" | "windows">;
  /** By message and page: who looks now and then would else never see a page that another always follows. */
  #frames = new Map<string, LiveFrame>();
  #counts = new Map<string, number>();
  #run: { readonly run: ScriptRun; readonly end: (end: ScriptEnd) => void } | undefined;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#stepMs = options.stepMs ?? STEP_MS;
    this.#world = options.world;
    this.#realMs = options.clock.bootMs();
    this.#savedAtMs = this.#realMs;
    this.#stirredAtMs = options.world.car.timeMs;
    this.#seen = options.world.car;
  }

  get world(): World {
    return this.#world;
  }

  /** Times real time. */
  get speed(): number {
    return this.#speed;
  }

  /** Car time that a machine too slow for it did not live, ms. */
  get lostMs(): number {
    return this.#lostMs;
  }

  start(): void {
    this.#realMs = this.#options.clock.bootMs();
    this.#turn();
  }

  /** Idempotent. A script that runs is interrupted, and the car is saved. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.interruptScript();
    this.#save();
  }

  /** The last frame of each message, of a multiplexed one the last of each page. */
  frames(): readonly LiveFrame[] {
    return [...this.#frames.values()];
  }

  /** From 0.1 to SPEED_MAX. */
  setSpeed(speed: number): void {
    this.#speed = Math.min(SPEED_MAX, Math.max(0.1, speed));
  }

  act(action: Action): ActionOutcome {
    if (action.type !== "fault") this.#rouse();
    const { world, ...outcome } = actIn(this.#world, action);
    this.#world = world;
    return outcome;
  }

  /** To be repeated within PEDALS_MS_MAX for as long as a foot is on a pedal. */
  press(pedals: World["pedals"]): ActionOutcome {
    const { car } = this.#world;
    if (this.#run !== undefined) return { done: false, why: "a script drives" };
    if (car.driver === "outside") return { done: false, why: "nobody sits in the car" };
    this.#pedalsAtMs = this.#options.clock.bootMs();
    this.#world = { ...this.#world, pedals };
    return { done: true, car };
  }

  receiveLock(message: LockMessage): void {
    if (message.type === "actuate") this.#rouse();
    this.#apply(controllerInput(this.#world, { type: "message", message }, this.#options.around));
  }

  resetController(): void {
    this.#rouse();
    this.#options.onReset();
    this.#apply(controllerInput(this.#world, { type: "reset" }, this.#options.around));
  }

  /** Resolves when it has ended, however. Only one at a time: undefined where one runs. */
  runScript(script: Script): Promise<ScriptEnd> | undefined {
    if (this.#run !== undefined) return undefined;
    this.#rouse();
    return new Promise((end) => {
      this.#run = { run: beginScript(script, this.#world.car), end };
    });
  }

  /** The feet leave the pedals; all else stays as it is. False where none runs. */
  interruptScript(): boolean {
    return this.#endScript({ value: "interrupted" });
  }

  scriptProgress(): ScriptProgress | undefined {
    const run = this.#run?.run;
    if (run?.value !== "running") return undefined;
    const words = run.script[run.index]?.words ?? "";
    return { step: run.index, steps: run.script.length, words };
  }

  #turn(): void {
    const nowMs = this.#options.clock.bootMs();
    this.#owedMs += (nowMs - this.#realMs) * this.#speed;
    this.#realMs = nowMs;
    const stepMs = this.#stepMs;
    const most = STEPS_A_TURN_MAX * stepMs;
    if (this.#owedMs > most) {
      this.#lostMs += this.#owedMs - most;
      this.#owedMs = most;
    }
    while (this.#owedMs >= stepMs) {
      if (this.#sleeps()) {
        this.#rest(this.#owedMs);
        this.#owedMs = 0;
        break;
      }
      this.#owedMs -= stepMs;
      this.#step(nowMs);
    }
    if (nowMs - this.#savedAtMs >= SAVE_EVERY_MS) this.#save();
    const { turnMs = STEP_MS } = this.#options;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(this.#sleeps() ? REST_TURN_MS : turnMs, () =>
      this.#turn(),
    );
  }

  /** The bus is quiet and nothing in the car moves or is about to: it may be moved on in long steps. */
  #sleeps(): boolean {
    const { car, controller } = this.#world;
    const { busAwakeMs = Number.POSITIVE_INFINITY } = this.#options;
    return (
      this.#run === undefined &&
      isAtRest(car) &&
      car.motion.speedMps === 0 &&
      !car.faults.towed &&
      car.engine.value === "off" &&
      car.rpm === 0 &&
      controller.phase.value === "idle" &&
      car.timeMs - this.#stirredAtMs > busAwakeMs &&
      !this.#stirred(car)
    );
  }

  #rest(ms: number): void {
    this.#apply(restWorld(this.#world, ms, this.#options.around));
    this.#options.onStep(this.#world);
  }

  /** Somebody has done something to a car that may have been left alone for long: time is caught up with first. */
  #rouse(): void {
    if (this.#timer !== undefined && this.#sleeps()) this.#turn();
    this.#stirredAtMs = this.#world.car.timeMs;
    if (this.#timer === undefined) return;
    this.#timer.cancel();
    this.#timer = this.#options.clock.after(STEP_MS, () => this.#turn());
  }

  #step(nowMs: number): void {
    if (this.#run !== undefined) this.#stepScript();
    else if (nowMs - this.#pedalsAtMs > PEDALS_MS_MAX)
      this.#world = { ...this.#world, pedals: RELEASED };
    const fromMs = this.#world.car.timeMs;
    this.#apply(stepWorld(this.#world, this.#stepMs, this.#options.around));
    this.#options.onStep(this.#world);
    const { car } = this.#world;
    if (!isAtRest(car) || this.#stirred(car)) this.#stirredAtMs = car.timeMs;
    this.#seen = car;
    const { busAwakeMs = Number.POSITIVE_INFINITY } = this.#options;
    if (car.faults.canUnplugged || car.faults.busOff || car.timeMs - this.#stirredAtMs > busAwakeMs)
      return;
    for (const frame of this.#options.units.due(car, fromMs, car.timeMs)) {
      const { message, page } = frame;
      const count = (this.#counts.get(message) ?? 0) + 1;
      this.#counts.set(message, count);
      const key = page === "" ? message : `${message} ${page}`;
      this.#frames.set(key, { ...frame, count, atMs: car.timeMs });
      this.#options.sendFrame(frame);
    }
  }

  /** Whether somebody has moved something of the body since the last step. */
  #stirred({ open, bolts, windows }: Car): boolean {
    const before = this.#seen;
    return before.open !== open || before.bolts !== bolts || before.windows !== windows;
  }

  #stepScript(): void {
    const current = this.#run;
    if (current === undefined) return;
    const turn = nextScript(current.run, this.#world.car, this.#options.around.route);
    let { run } = turn;
    if (turn.pedals !== undefined) this.#world = { ...this.#world, pedals: turn.pedals };
    if (turn.action !== undefined) {
      const outcome = this.act(turn.action);
      if (!outcome.done) run = refuseStep(run, outcome.why);
    }
    this.#run = { ...current, run };
    if (run.value !== "running") this.#endScript(run);
  }

  #endScript(end: ScriptEnd): boolean {
    const current = this.#run;
    if (current === undefined) return false;
    this.#run = undefined;
    this.#world = { ...this.#world, pedals: RELEASED };
    current.end(end);
    return true;
  }

  #apply({
    world,
    send,
  }: {
    readonly world: World;
    readonly send: readonly LockLinkSendable[];
  }): void {
    const remembers = world.controller.memory !== this.#world.controller.memory;
    this.#world = world;
    if (remembers) this.#save();
    for (const message of send) this.#options.sendLock(message);
  }

  #save(): void {
    this.#savedAtMs = this.#options.clock.bootMs();
    this.#options.save(this.#world);
  }
}
