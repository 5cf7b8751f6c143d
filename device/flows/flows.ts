/**
 * The operators' own rules in the car: their flows run in a cage, are fed the signals they asked for, and what they
 * propose becomes an event where it is as declared. A flow that hangs, eats memory or floods is ended and started again
 * after a pause; one that keeps failing is left off until another one comes or the agent starts anew.
 */
import type {
  Clock,
  EventData,
  Log,
  NewEvent,
  SignalName,
  SignalValue,
  Timer,
} from "@kerbside/protocol";
import { type Cage, type CageEnd, startCage } from "./cage.ts";
import type { FlowFile } from "./flow-file.ts";
import type { FromCage } from "./lines.ts";
import { Judge } from "./proposals.ts";

export type FlowsOptions = {
  /** An empty folder: what a cage covers in its own namespace. */
  readonly mountPoint: string;
  readonly clock: Clock;
  readonly emit: (event: NewEvent) => void;
  readonly log: Log;
  /** The present value of a signal if its quality is good: a flow begins with what is known. */
  readonly present: (name: SignalName) => SignalValue | undefined;
};

export type FlowsState = "none" | "starting" | "running" | "pausing" | "left_off";

type TripPhase = "started" | "ended";

export type Flows = {
  /** From now on these run, and no others. */
  readonly apply: (flows: readonly FlowFile[]) => void;
  /** A signal has a new value of good quality. */
  readonly offer: (name: SignalName, value: SignalValue) => void;
  readonly trip: (phase: TripPhase, data: EventData<"trip.started" | "trip.ended">) => void;
  readonly state: () => FlowsState;
  /** Resolves when no process of it is left. */
  readonly stop: () => Promise<void>;
};

/** Between a value and the flow: in between only the latest counts. */
const FEED_MS = 100;
const WATCH_MS = 2000;
/** Silence of this long is a flow that hangs. */
const ANSWER_MS_MAX = 8000;
/** From the start to the first word, on a slow module. */
const READY_MS_MAX = 60_000;
/** Resident, with Node-RED's own 90 MB. */
const MEMORY_BYTES_MAX: number = 192 * 1024 * 1024;
/** Of one core, over a watch period that is long enough to tell work from a burst. */
const CPU_SHARE_MAX = 0.5;
const CPU_WINDOW_MS = 30_000;
const PAUSE_MS_MIN = 1000;
const PAUSE_MS_MAX = 300_000;
const FAILURES_MAX = 6;
/** Running for this long without a failure forgives the failures before. */
const WELL_MS = 600_000;
const REFUSALS_MS = 60_000;
const DETAIL_CHARS_MAX = 200;

export function createFlows(options: FlowsOptions): Flows {
  return new Keeper(options);
}

type Running = {
  readonly cage: Cage;
  readonly startedMs: number;
  ready: boolean;
  answeredMs: number;
  watchedMs: number;
  cpu: { readonly atMs: number; readonly usedMs: number } | undefined;
  /** Why it is being ended by us. */
  ending: string | undefined;
};

type State =
  | { readonly value: "none" | "left_off" }
  | { readonly value: "on"; readonly run: Running }
  | { readonly value: "pausing"; readonly timer: Timer };

class Keeper implements Flows {
  readonly #options: FlowsOptions;
  #flows: readonly FlowFile[] = [];
  #judge: Judge;
  #wanted: ReadonlySet<SignalName> = new Set();
  #state: State = { value: "none" };
  #failures = 0;
  #faulty = false;
  #stopped: (() => void) | undefined;
  #closed = false;
  readonly #fresh = new Map<SignalName, SignalValue>();
  #feeder: Timer | undefined;
  #watcher: Timer | undefined;
  #refused = 0;
  #refusalsNextMs = Number.NEGATIVE_INFINITY;

  constructor(options: FlowsOptions) {
    this.#options = options;
    this.#judge = new Judge([], options.clock.bootMs());
  }

  state(): FlowsState {
    const state = this.#state;
    if (state.value !== "on") return state.value;
    return state.run.ready ? "running" : "starting";
  }

  apply(flows: readonly FlowFile[]): void {
    this.#flows = flows;
    this.#judge = new Judge(flows, this.#options.clock.bootMs(), this.#judge);
    this.#wanted = new Set(flows.flatMap(({ signals }) => signals));
    this.#fresh.clear();
    this.#failures = 0;
    const state = this.#state;
    if (state.value === "on") this.#end(state.run, "replaced");
    else {
      if (state.value === "pausing") state.timer.cancel();
      this.#begin();
    }
  }

  offer(name: SignalName, value: SignalValue): void {
    if (!this.#wanted.has(name) || this.state() !== "running") return;
    this.#fresh.set(name, value);
    this.#feeder ??= this.#options.clock.after(FEED_MS, () => this.#feed());
  }

  trip(phase: TripPhase, data: EventData<"trip.started" | "trip.ended">): void {
    if (this.#state.value !== "on" || !this.#state.run.ready) return;
    // Who drives is no business of a rule's.
    const { booking: _, ...rest } = data;
    this.#state.run.cage.tell({ type: "trip", phase, data: rest });
  }

  async stop(): Promise<void> {
    this.#closed = true;
    const state = this.#state;
    if (state.value === "pausing") state.timer.cancel();
    if (state.value === "on") {
      const gone = new Promise<void>((resolve) => {
        this.#stopped = resolve;
      });
      this.#end(state.run, "stopped");
      await gone;
    }
    this.#quiet();
  }

  #begin(): void {
    if (this.#closed || this.#flows.length === 0) {
      this.#state = { value: "none" };
      // What is not there any more is not failing.
      if (!this.#closed) this.#well();
      return;
    }
    const { mountPoint, clock } = this.#options;
    const now = clock.bootMs();
    const cage = startCage(mountPoint, clock, {
      message: (message) => this.#take(run, message),
      ended: (end) => this.#ended(run, end),
    });
    const run: Running = {
      cage,
      startedMs: now,
      ready: false,
      answeredMs: now,
      watchedMs: now,
      cpu: undefined,
      ending: undefined,
    };
    this.#state = { value: "on", run };
    cage.tell({ type: "start", flows: this.#flows.map(({ name, nodes }) => ({ name, nodes })) });
    this.#watcher = clock.after(WATCH_MS, () => this.#watch(run));
  }

  #take(run: Running, message: FromCage): void {
    if (run.ending !== undefined) return;
    const { clock, log } = this.#options;
    const now = clock.bootMs();
    switch (message.type) {
      case "ready":
        if (run.ready) return;
        run.ready = true;
        run.answeredMs = now;
        log.info("flows.running", { count: this.#flows.length });
        for (const name of this.#wanted) {
          const value = this.#options.present(name);
          if (value !== undefined) this.offer(name, value);
        }
        return;
      case "pong":
        run.answeredMs = now;
        return;
      case "failed":
        this.#end(run, "not_started");
        return;
      case "event":
        this.#propose(message, now);
    }
  }

  #propose({ flow, event, data }: Extract<FromCage, { type: "event" }>, now: number): void {
    const judged = this.#judge.judge(flow, event, data, now);
    if (judged.taken) {
      this.#options.emit({ kind: "flow.reported", data: judged.data });
      return;
    }
    this.#options.log.warn("flows.refused", { reason: judged.reason });
    this.#refused += 1;
    if (now < this.#refusalsNextMs) return;
    this.#refusalsNextMs = now + REFUSALS_MS;
    const detail = judged.reason;
    const count = this.#refused;
    this.#refused = 0;
    this.#options.emit({ kind: "fault.raised", data: { code: "flows.refused", detail, count } });
  }

  #feed(): void {
    this.#feeder = undefined;
    const state = this.#state;
    if (state.value !== "on") return;
    const values = Object.fromEntries(this.#fresh);
    this.#fresh.clear();
    // What a busy flow does not take is dropped; the next values are newer.
    state.run.cage.tell({ type: "signals", bootMs: this.#options.clock.bootMs(), values });
  }

  #watch(run: Running): void {
    const { clock } = this.#options;
    const now = clock.bootMs();
    // After a suspend everything is late, and nobody is to blame.
    const slept = now - run.watchedMs > 2 * WATCH_MS;
    if (slept) run.answeredMs = now;
    run.watchedMs = now;
    const silentMs = now - run.answeredMs;
    if (silentMs > (run.ready ? ANSWER_MS_MAX : READY_MS_MAX)) {
      this.#end(run, run.ready ? "hung" : "not_started");
      return;
    }
    if (run.ready) run.cage.tell({ type: "ping", number: now });
    if (run.ready && now - run.startedMs > WELL_MS) this.#well();
    this.#measure(run, now).catch(() => undefined);
    this.#watcher = clock.after(WATCH_MS, () => this.#watch(run));
  }

  async #measure(run: Running, now: number): Promise<void> {
    const use = await run.cage.use();
    if (use === undefined) return;
    if (use.memoryBytes > MEMORY_BYTES_MAX) {
      this.#end(run, "memory");
      return;
    }
    run.cpu ??= { atMs: now, usedMs: use.cpuMs };
    const sinceMs = now - run.cpu.atMs;
    if (sinceMs < CPU_WINDOW_MS) return;
    if ((use.cpuMs - run.cpu.usedMs) / sinceMs > CPU_SHARE_MAX) this.#end(run, "busy");
    run.cpu = { atMs: now, usedMs: use.cpuMs };
  }

  #well(): void {
    this.#failures = 0;
    if (!this.#faulty) return;
    this.#faulty = false;
    this.#options.emit({ kind: "fault.cleared", data: { code: "flows.failed" } });
  }

  #end(run: Running, why: string): void {
    if (run.ending !== undefined) return;
    run.ending = why;
    run.cage.kill();
  }

  #ended(run: Running, end: CageEnd): void {
    this.#quiet();
    const why = run.ending ?? end.why;
    if (this.#closed) {
      this.#state = { value: "none" };
      this.#stopped?.();
      return;
    }
    if (why === "replaced") {
      this.#begin();
      return;
    }
    this.#failed(why, end.why === "not_started" ? end.detail : "");
  }

  #failed(why: string, said: string): void {
    const { clock, emit, log } = this.#options;
    this.#failures += 1;
    const off = this.#failures >= FAILURES_MAX;
    log.warn("flows.failed", { reason: why, failures: this.#failures });
    const detail = `${why}${off ? ", left off" : ""}${said === "" ? "" : `: ${said}`}`;
    if (!this.#faulty || off) {
      this.#faulty = true;
      const data = { code: "flows.failed", detail: detail.slice(0, DETAIL_CHARS_MAX) };
      emit({ kind: "fault.raised", data });
    }
    if (off) {
      this.#state = { value: "left_off" };
      return;
    }
    const pauseMs = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 4 ** (this.#failures - 1));
    this.#state = { value: "pausing", timer: clock.after(pauseMs, () => this.#begin()) };
  }

  #quiet(): void {
    this.#watcher?.cancel();
    this.#feeder?.cancel();
    this.#feeder = undefined;
    this.#fresh.clear();
  }
}
