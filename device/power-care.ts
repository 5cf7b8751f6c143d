/**
 * 12 V care in the agent: feeds the power machine with what is seen and carries its effects out. In deep sleep the
 * uplink is closed and opened by a wake only; suspending the processor and switching supplies is the platform's, which
 * is told by `enter`.
 */
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
import type {
  Clock,
  NewEvent,
  Timer,
  Transport,
  TransportConnection,
  TransportEvents,
} from "@kerbside/protocol";
import type { CarSeen } from "./car.ts";

const TICK_MS = 30_000;

export type PowerCareOptions = {
  readonly clock: Clock;
  readonly emit: (event: NewEvent) => void;
  /** Of the profile, where it knows better. */
  readonly lowV?: number | undefined;
  /** Told of each state entered: the platform's part of it. */
  readonly onEnter: (row: PowerRow) => void;
};

export class PowerCare {
  readonly #options: PowerCareOptions;
  readonly #limits: PowerLimits;
  #power: Power;
  #timer: Timer | undefined;
  #wakeTimer: Timer | undefined;

  constructor(options: PowerCareOptions) {
    this.#options = options;
    const { clock, lowV } = options;
    this.#limits = lowV === undefined ? POWER_LIMITS : { ...POWER_LIMITS, lowV };
    this.#power = startPower(clock.bootMs(), this.#limits);
    this.#tick();
  }

  state(): Power["state"] {
    return this.#power.state;
  }

  row(): PowerRow {
    return POWER_TABLE[this.#power.state];
  }

  take(input: PowerInput): void {
    const { clock, emit, onEnter } = this.#options;
    const { power, effects } = nextPower(this.#power, input, clock.bootMs(), this.#limits);
    this.#power = power;
    for (const effect of effects) {
      if (effect.type === "wake_at") {
        this.#wakeTimer?.cancel();
        const delayMs = effect.bootMs - clock.bootMs();
        this.#wakeTimer = clock.after(delayMs, () =>
          this.take({ type: "wake", source: "booking" }),
        );
        continue;
      }
      const { voltageV } = power;
      const volts = voltageV === undefined ? {} : { voltageV };
      emit({
        kind: "power.changed",
        data: { state: effect.state, reason: effect.reason, ...volts },
      });
      onEnter(effect.row);
    }
  }

  /** What the car shows. A door that opens wakes a sleeping module. */
  seen(seen: CarSeen): void {
    switch (seen.type) {
      case "ignition":
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

  stop(): void {
    this.#timer?.cancel();
    this.#wakeTimer?.cancel();
  }

  #tick(): void {
    this.#timer = this.#options.clock.after(TICK_MS, () => {
      this.take({ type: "tick" });
      this.#tick();
    });
  }
}

/**
 * A transport that is closed while the module sleeps: no connection is tried, and the one that stands is ended. It
 * opens at once on a wake; keep-alive is that of the power state at the time of connecting.
 */
export class SleepingTransport implements Transport {
  readonly #make: (keepAliveS: number) => Transport;
  #row: PowerRow;
  #opened: PromiseWithResolvers<void> = Promise.withResolvers();
  #connection: TransportConnection | undefined;

  constructor(row: PowerRow, make: (keepAliveS: number) => Transport) {
    this.#make = make;
    this.#row = row;
    if (row.modem === "connected") this.#opened.resolve();
  }

  enter(row: PowerRow): void {
    const was = this.#row.modem;
    this.#row = row;
    if (row.modem === was) return;
    if (row.modem === "connected") {
      this.#opened.resolve();
      return;
    }
    this.#opened = Promise.withResolvers();
    void this.#connection?.close();
  }

  async connect(
    events: TransportEvents,
    will: { readonly topic: string; readonly payload: Uint8Array },
    signal: AbortSignal,
  ): Promise<TransportConnection> {
    await untilOpen(this.#opened.promise, signal);
    const connection = await this.#make(this.#row.keepAliveS).connect(events, will, signal);
    this.#connection = connection;
    return connection;
  }
}

/** Rejects with the signal's reason where that comes first. */
async function untilOpen(opened: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    await Promise.race([opened, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
