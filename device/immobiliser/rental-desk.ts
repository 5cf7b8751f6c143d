/**
 * Keeps the car's rental: the shell around the machine. Every change is in the two-copy record before it counts as
 * durable; what it means for others (events, an armed command) is told to the one who made it.
 */
import type { Clock, RentalPolicy, Timer } from "@kerbside/protocol";
import type { CarRecord } from "./car-record.ts";
import type { Reading } from "./facts.ts";
import {
  nextRental,
  type Rental,
  type RentalEffect,
  type RentalEnd,
  type RentalInput,
  type RentalOpener,
} from "./rental.ts";

/** What the executor and the access part need of it. Each resolves with whether it reached the disk. */
export type RentalPort = {
  readonly open: (booking: string, by: RentalOpener, credential?: string) => Promise<boolean>;
  readonly end: (booking: string, how: RentalEnd, flagged: readonly string[]) => Promise<boolean>;
};

export type RentalDeskOptions = {
  readonly record: CarRecord;
  readonly policy: () => RentalPolicy;
  readonly clock: Clock;
  /** Whether the ignition is seen on now. Of one that is on already no change tells. */
  readonly ignitionOn: () => boolean;
  readonly onChange: (effect: Exclude<RentalEffect, { type: "record" }>) => void;
};

/** How often an unstarted rental is looked at. */
const TICK_MS = 10_000;

export class RentalDesk implements RentalPort {
  readonly #options: RentalDeskOptions;
  /** Of the rental that is open: since its opening, or since the start where it was open before. */
  #sinceMs: number;
  #timer: Timer;

  constructor(options: RentalDeskOptions) {
    this.#options = options;
    this.#sinceMs = options.clock.bootMs();
    this.#timer = this.#tick();
  }

  rental(): Rental {
    return this.#options.record.rental();
  }

  /** For the interlocks. */
  openRental(): Reading<string | undefined> {
    const rental = this.rental();
    if (rental.value === "unknown") return { quality: "unknown" };
    return { quality: "good", value: rental.value === "open" ? rental.booking : undefined };
  }

  open(booking: string, by: RentalOpener, credential?: string): Promise<boolean> {
    const { clock, ignitionOn } = this.#options;
    if (this.rental().value !== "open") this.#sinceMs = clock.bootMs();
    return this.take({ type: "opened", booking, by, credential, ignitionOn: ignitionOn() });
  }

  end(booking: string, how: RentalEnd, flagged: readonly string[]): Promise<boolean> {
    return this.take({ type: "closed", booking, how, flagged });
  }

  /** What was seen in the car. Resolves with whether what it changed is on the disk. */
  async take(input: RentalInput): Promise<boolean> {
    const { record, policy, onChange } = this.#options;
    const { rental, effects } = nextRental(record.rental(), input, policy());
    let durable = record.works();
    for (const effect of effects) {
      if (effect.type === "record") durable = await record.keepRental(rental);
      else onChange(effect);
    }
    return durable;
  }

  stop(): void {
    this.#timer.cancel();
  }

  #tick(): Timer {
    const { clock } = this.#options;
    return clock.after(TICK_MS, () => {
      void this.take({ type: "tick", idleMs: clock.bootMs() - this.#sinceMs });
      this.#timer = this.#tick();
    });
  }
}
