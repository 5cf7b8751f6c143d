/**
 * What lanes may cost: so many bytes a second, and so many a day, for `state` and `track`. `critical` has no budget and
 * waits for nobody's. A day begins with its first byte and lasts 24 hours on the clock that counts suspend, so no jump of
 * a wall clock makes a new one. What is spent is on the disk before it is sent: a restart never gives any of it back.
 */
import { existsSync, readFileSync } from "node:fs";
import { type Clock, LANES, type Lane, type Log } from "@kerbside/protocol";
import { writeDurably } from "./files.ts";

export type LaneBudget = { readonly bytesPerS?: number; readonly dailyBytes?: number };
export type PaidLane = Exclude<Lane, "critical">;
/** A lane without a row is free. */
export type BudgetSettings = Readonly<Partial<Record<PaidLane, LaneBudget>>>;

export type Budget = {
  /** Lanes of which something may be sent now. */
  readonly open: () => readonly Lane[];
  /** A message is about to be sent; a lane may so go beyond its budget by one message. */
  readonly spend: (lane: Lane, payloadBytes: number) => void;
  /** When another lane opens, on the boot clock; undefined where all are. */
  readonly nextMs: () => number | undefined;
  /** Bytes of this day by lane, `critical` too. */
  readonly spent: () => Readonly<Record<Lane, number>>;
  /** Puts on the disk what is known. Never throws. */
  readonly close: () => void;
};

export type BudgetOptions = {
  readonly settings: BudgetSettings;
  /** Where it is kept; what cannot be read counts as a new day. */
  readonly file: string;
  readonly clock: Pick<Clock, "bootMs">;
  /** Trusted time, for how long the car was off: Unix time in milliseconds, never later than it is. */
  readonly trustedMs: () => number;
  readonly log: Log;
};

const DAY_MS = 86_400_000;
/** Topic and frame of MQTT, a TLS record, headers of TCP and IP: what a message takes beside its payload. */
const FRAME_BYTES = 120;
/** The file is written when this part of a day's budget is spent, which it has then counted already. */
const STEP_PART = 1 / 48;

type Day = { readonly startedMs: number; readonly spent: Record<Lane, number> };
type Stored = { readonly elapsedMs: number; readonly atMs: number; readonly spent: Day["spent"] };

/** No lane has a budget. */
export const FREE: Budget = {
  open: () => LANES,
  spend: () => undefined,
  nextMs: () => undefined,
  spent: () => nothing(),
  close: () => undefined,
};

export function openBudget(options: BudgetOptions): Budget {
  return new Purse(options);
}

class Purse implements Budget {
  readonly #options: BudgetOptions;
  readonly #freeMs = new Map<Lane, number>();
  #day: Day;
  /** What the file says of each lane: at least what was spent. */
  #written: Record<Lane, number>;

  constructor(options: BudgetOptions) {
    this.#options = options;
    this.#day = kept(options) ?? { startedMs: options.clock.bootMs(), spent: nothing() };
    this.#written = { ...this.#day.spent };
  }

  readonly open = (): readonly Lane[] => {
    const nowMs = this.#now();
    return LANES.filter((lane) => this.#opensMs(lane) <= nowMs);
  };

  readonly spend = (lane: Lane, payloadBytes: number): void => {
    const nowMs = this.#now();
    const bytes = payloadBytes + FRAME_BYTES;
    const { bytesPerS, dailyBytes } = this.#of(lane);
    this.#day.spent[lane] += bytes;
    if (bytesPerS !== undefined) {
      const from = Math.max(nowMs, this.#freeMs.get(lane) ?? nowMs);
      this.#freeMs.set(lane, from + (1000 * bytes) / bytesPerS);
    }
    if (dailyBytes === undefined || this.#day.spent[lane] <= this.#written[lane]) return;
    this.#write(lane, this.#day.spent[lane] + Math.ceil(dailyBytes * STEP_PART));
  };

  readonly nextMs = (): number | undefined => {
    const nowMs = this.#now();
    const later = LANES.map((lane) => this.#opensMs(lane)).filter((ms) => ms > nowMs);
    return later.length === 0 ? undefined : Math.min(...later);
  };

  readonly spent = (): Readonly<Record<Lane, number>> => {
    this.#now();
    return { ...this.#day.spent };
  };

  readonly close = (): void => {
    const isPaid = Object.values(this.#options.settings).some((row) => row.dailyBytes);
    if (isPaid) this.#keep(this.#day.spent);
  };

  #of(lane: Lane): LaneBudget {
    return lane === "critical" ? {} : (this.#options.settings[lane] ?? {});
  }

  /** The time, after the day has turned where it is over. */
  #now(): number {
    const nowMs = this.#options.clock.bootMs();
    if (nowMs - this.#day.startedMs >= DAY_MS) {
      this.#day = { startedMs: nowMs, spent: nothing() };
      this.#written = nothing();
    }
    return nowMs;
  }

  #opensMs(lane: Lane): number {
    const { dailyBytes } = this.#of(lane);
    const isOut = dailyBytes !== undefined && this.#day.spent[lane] >= dailyBytes;
    const dayMs = isOut ? this.#day.startedMs + DAY_MS : 0;
    return Math.max(dayMs, this.#freeMs.get(lane) ?? 0);
  }

  #write(lane: Lane, bytes: number): void {
    this.#written[lane] = bytes;
    this.#keep(this.#written);
  }

  #keep(spent: Day["spent"]): void {
    const { file, clock, trustedMs, log } = this.#options;
    const elapsedMs = clock.bootMs() - this.#day.startedMs;
    const stored: Stored = { elapsedMs, atMs: trustedMs(), spent };
    try {
      writeDurably(file, JSON.stringify(stored));
    } catch (error) {
      const reason = error instanceof Error && "code" in error ? String(error.code) : "unknown";
      log.warn("uplink.budget_not_kept", { reason });
    }
  }
}

function nothing(): Record<Lane, number> {
  return { critical: 0, state: 0, track: 0 };
}

/** The day that the file speaks of; how long the car was off counts as far as trusted time tells. */
function kept({ file, clock, trustedMs }: BudgetOptions): Day | undefined {
  const stored = existsSync(file) ? parse(readFileSync(file, "utf8")) : undefined;
  if (stored === undefined) return undefined;
  const offMs = Math.max(0, trustedMs() - stored.atMs);
  const startedMs = clock.bootMs() - stored.elapsedMs - offMs;
  return { startedMs, spent: stored.spent };
}

function parse(text: string): Stored | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isRecord(value) || !isRecord(value["spent"])) return undefined;
    const { elapsedMs, atMs, spent } = value;
    const { critical, state, track } = spent;
    if (!isAmount(elapsedMs) || !isAmount(atMs)) return undefined;
    if (!isAmount(critical) || !isAmount(state) || !isAmount(track)) return undefined;
    return { elapsedMs, atMs, spent: { critical, state, track } };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isAmount(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && Number.isFinite(value);
}
