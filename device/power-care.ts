/**
 * 12 V care in the agent: feeds the power machine with what is seen and carries its effects out. Suspending the
 * processor and switching supplies is the platform's, which is told of each state by a file; that the processor was
 * suspended is seen by the clock, however it came about.
 */
import { renameSync, writeFileSync } from "node:fs";
import {
  nextPower,
  POWER_LIMITS,
  POWER_TABLE,
  type Power,
  type PowerInput,
  type PowerLimits,
  type PowerRow,
  startPower,
} from "@kerbside/immobiliser";
import type { Clock, Log, NewEvent, Timer } from "@kerbside/protocol";
import type { CarSeen } from "./car.ts";
import type { AgentConfig } from "./config.ts";

const TICK_MS_MAX = 30_000;
const TICK_MS_MIN = 250;
/** How often it is looked whether the processor was suspended, and what counts as that. */
const SUSPEND_LOOK_MS = 1000;
const SUSPEND_MS_MIN = 500;

export type PowerCareOptions = {
  readonly clock: Clock;
  readonly emit: (event: NewEvent) => void;
  readonly limits: PowerLimits;
  /** When the next booking that the car knows of begins, on the boot clock. */
  readonly nextBookingMs: () => number | undefined;
  /** How long the processor has been suspended since it started, where the platform can tell. */
  readonly suspendedMs?: (() => number) | undefined;
  /** Told of each state entered. `wakeAtMs`: when to wake by itself, on the boot clock. */
  readonly onEnter: (entered: Entered) => void;
  /** The module has been asleep: called before it enters the state that it wakes up to. */
  readonly onResumed: () => void;
  /** The processor was suspended, in whatever state: lines that stayed open have lost their sessions. */
  readonly onSuspended: () => void;
};
export type Entered = {
  readonly state: Power["state"];
  readonly row: PowerRow;
  readonly wakeAtMs?: number;
};

/** The tenant's figures before the profile's, those before the shipped ones. */
export function powerLimits(
  power: AgentConfig["power"],
  profile: { readonly batteryLowV?: number },
): PowerLimits {
  const { parkedS, wokenS, rentalSoonS, lowV, criticalV } = power ?? {};
  const ms = (seconds: number | undefined, otherwise: number): number =>
    seconds === undefined ? otherwise : 1000 * seconds;
  return {
    rentalSoonMs: ms(rentalSoonS, POWER_LIMITS.rentalSoonMs),
    parkedMsMax: ms(parkedS, POWER_LIMITS.parkedMsMax),
    wokenMs: ms(wokenS, POWER_LIMITS.wokenMs),
    lowV: lowV ?? profile.batteryLowV ?? POWER_LIMITS.lowV,
    criticalV: criticalV ?? POWER_LIMITS.criticalV,
  };
}

export class PowerCare {
  readonly #options: PowerCareOptions;
  readonly #tickMs: number;
  #power: Power;
  #timers: Partial<Record<"tick" | "look" | "wake", Timer>> = {};
  #suspendedMs: number;

  constructor(options: PowerCareOptions) {
    this.#options = options;
    const { clock, limits, suspendedMs } = options;
    const shortest = Math.min(limits.wokenMs, limits.parkedMsMax, TICK_MS_MAX);
    this.#tickMs = Math.max(TICK_MS_MIN, shortest);
    this.#power = startPower(clock.bootMs(), limits);
    this.#suspendedMs = suspendedMs?.() ?? 0;
    this.#tick();
    if (suspendedMs !== undefined) this.#look(suspendedMs);
  }

  state(): Power["state"] {
    return this.#power.state;
  }

  row(): PowerRow {
    return POWER_TABLE[this.#power.state];
  }

  take(input: PowerInput): void {
    const { clock, emit, onEnter, onResumed, limits } = this.#options;
    const { power, effects } = nextPower(this.#power, input, clock.bootMs(), limits);
    this.#power = power;
    let wakeAtMs: number | undefined;
    for (const effect of effects) {
      if (effect.type === "wake_at") {
        wakeAtMs = effect.bootMs;
        this.#timers.wake?.cancel();
        this.#timers.wake = clock.after(wakeAtMs - clock.bootMs(), () =>
          this.take({ type: "wake", source: "booking" }),
        );
        continue;
      }
      const { state, row, from, reason } = effect;
      const { voltageV } = power;
      const volts = voltageV === undefined ? {} : { voltageV };
      emit({ kind: "power.changed", data: { state, reason, ...volts } });
      if (POWER_TABLE[from].processor === "suspended") onResumed();
      onEnter({ state, row, ...(wakeAtMs === undefined ? {} : { wakeAtMs }) });
    }
  }

  /** What the car shows. A door that opens wakes a sleeping module. */
  seen(seen: CarSeen): void {
    switch (seen.type) {
      case "ignition":
      case "ignition_unseen":
        this.take(seen);
        break;
      case "voltage":
        this.take(seen);
        break;
      case "door_opened":
        this.take({ type: "wake", source: "door" });
        break;
      case "moved":
        this.take({ type: "activity" });
        break;
      case "signals":
        break;
    }
  }

  /** Bookings may have changed. */
  look(): void {
    this.take({ type: "booking", nextMs: this.#options.nextBookingMs() });
  }

  stop(): void {
    for (const timer of Object.values(this.#timers)) timer.cancel();
  }

  #tick(): void {
    this.#timers.tick = this.#options.clock.after(this.#tickMs, () => {
      this.look();
      this.#tick();
    });
  }

  #look(suspendedMs: () => number): void {
    this.#timers.look = this.#options.clock.after(SUSPEND_LOOK_MS, () => {
      const now = suspendedMs();
      const isResumed = now - this.#suspendedMs >= SUSPEND_MS_MIN;
      this.#suspendedMs = now;
      if (isResumed) this.#options.onSuspended();
      // Whatever woke the processor, nothing from before goes on: a car that slept stays awake for a while.
      if (isResumed && this.row().processor === "suspended")
        this.take({ type: "wake", source: "platform" });
      else if (isResumed) this.#options.onResumed();
      this.#look(suspendedMs);
    });
  }
}

/**
 * Tells the platform of the state in force: a file in JSON, replaced as a whole, for whatever suspends the processor
 * and switches supplies. A file that cannot be written leaves the module awake, and is logged. It waits for `ready`,
 * and says nothing of a state that was left meanwhile: it would put a module to sleep that has been woken. Never rejects.
 */
export function platformFile(
  path: string | undefined,
  clock: Pick<Clock, "bootMs">,
  log: Log,
): (entered: Entered, ready?: Promise<void>) => Promise<void> {
  if (path === undefined) return async () => undefined;
  let inForce: Entered | undefined;
  return async (entered, ready) => {
    inForce = entered;
    await ready;
    if (inForce !== entered) return;
    const { state, row, wakeAtMs } = entered;
    const wake = wakeAtMs === undefined ? {} : { wakeInMs: Math.max(0, wakeAtMs - clock.bootMs()) };
    try {
      writeFileSync(`${path}.new`, `${JSON.stringify({ state, ...row, ...wake })}\n`);
      renameSync(`${path}.new`, path);
    } catch (error) {
      log.error("power.not_told", { what: error instanceof Error ? error.message : "bug" });
    }
  };
}
