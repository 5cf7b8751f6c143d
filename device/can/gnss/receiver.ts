/** A GNSS receiver on a serial line: positions into the signal store, time to whoever keeps it. */
import type { Clock, Random, SignalName, SignalValue, Timer } from "@kerbside/protocol";
import { backoffMs } from "../bus/backoff.ts";
import type { SignalStore } from "../store/index.ts";
import { SentenceSplitter } from "./lines.ts";
import { type Fix, hear, POSITION_START } from "./position.ts";

/** A byte stream that tells what comes and, once, that it is over. Rejects if it cannot be opened. */
export type ByteLine = (events: {
  readonly data: (bytes: Uint8Array) => void;
  readonly closed: (reason: string) => void;
}) => Promise<{ readonly close: () => void }>;

/** What a receiver says of the time. It narrows the doubt of a clock; it never sets one. */
export type GnssTime = {
  readonly unixMs: number;
  readonly bootMs: number;
  readonly doubtMs: number;
};

export type ReceiverState = "closed" | "searching" | "fix" | "silent";

export type GnssOptions = {
  readonly line: ByteLine;
  readonly store: Pick<SignalStore, "put">;
  readonly clock: Clock;
  readonly random: Pick<Random, "fraction">;
  readonly onFix?: (fix: Fix) => void;
  /** With the first fix, then once in TIME_EVERY_MS. Of a position that jumped no time is told. */
  readonly onTime?: (time: GnssTime) => void;
  /** On each change. */
  readonly onState?: (state: ReceiverState, reason: string) => void;
};

export type GnssReceiver = {
  readonly state: () => ReceiverState;
  readonly stats: () => {
    readonly sentences: number;
    readonly refused: number;
    readonly jumps: number;
  };
  readonly stop: () => void;
};

/** A receiver that says nothing for this long has hung: its line is opened anew. */
const SILENT_MS = 5000;
const STALE_MS = 3000;
/** From the moment of a fix to its sentence's last byte at 9600 baud, at most. */
const TIME_DOUBT_MS = 1000;
/** No clock needs it more often, and a receiver that lies is to be warned of, not once a second. */
const TIME_EVERY_MS = 60_000;
const POSITION: readonly SignalName[] = [
  "Vehicle.CurrentLocation.Latitude",
  "Vehicle.CurrentLocation.Longitude",
  "Vehicle.CurrentLocation.Heading",
  "Vehicle.CurrentLocation.Altitude",
  "Vehicle.CurrentLocation.Speed",
];

export function startGnssReceiver(options: GnssOptions): GnssReceiver {
  return new Receiver(options);
}

class Receiver implements GnssReceiver {
  readonly #options: GnssOptions;
  #splitter = new SentenceSplitter();
  #position = POSITION_START;
  #state: ReceiverState = "closed";
  #line: { readonly close: () => void } | undefined;
  #timer: Timer | undefined;
  #failures = 0;
  /** Which opening is the present one: what an older one still tells is not heard. */
  #opening = 0;
  #jumps = 0;
  #toldTimeMs = Number.NEGATIVE_INFINITY;
  #counted = { sentences: 0, refused: 0 };
  #stopped = false;

  constructor(options: GnssOptions) {
    this.#options = options;
    this.#open();
  }

  state(): ReceiverState {
    return this.#state;
  }

  stats(): ReturnType<GnssReceiver["stats"]> {
    const { sentences, refused } = this.#splitter.counts;
    return {
      sentences: this.#counted.sentences + sentences,
      refused: this.#counted.refused + refused,
      jumps: this.#jumps,
    };
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#line?.close();
    this.#line = undefined;
  }

  #become(state: ReceiverState, reason: string): void {
    if (state === this.#state || this.#stopped) return;
    this.#state = state;
    this.#options.onState?.(state, reason);
  }

  #open(): void {
    this.#counted = { ...this.stats() };
    this.#splitter = new SentenceSplitter();
    this.#opening += 1;
    const opening = this.#opening;
    const over = (): boolean => this.#stopped || opening !== this.#opening;
    const closed = (reason: string): void => {
      if (!over()) this.#retry(reason);
    };
    const data = (bytes: Uint8Array): void => {
      if (!over()) this.#take(bytes);
    };
    this.#options.line({ data, closed }).then(
      (line) => {
        if (over()) return line.close();
        this.#line = line;
        this.#become("searching", "open");
        this.#watch();
      },
      (error: unknown) => closed(error instanceof Error ? error.message : String(error)),
    );
  }

  #retry(reason: string): void {
    this.#opening += 1;
    this.#line = undefined;
    this.#failures += 1;
    this.#forget();
    this.#become("closed", reason);
    this.#timer?.cancel();
    const { clock, random } = this.#options;
    this.#timer = clock.after(backoffMs(this.#failures, random), () => this.#open());
  }

  /** Each sentence puts it off. */
  #watch(): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(SILENT_MS, () => {
      this.#forget();
      this.#become("silent", `no sentence for ${SILENT_MS} ms`);
      const line = this.#line;
      this.#retry("silent");
      line?.close();
    });
  }

  #take(bytes: Uint8Array): void {
    const bootMs = this.#options.clock.bootMs();
    for (const sentence of this.#splitter.push(bytes)) {
      this.#failures = 0;
      this.#watch();
      const { state, heard } = hear(this.#position, sentence, bootMs);
      this.#position = state;
      if (heard.kind === "jump") this.#jumps += 1;
      if (heard.kind === "noFix") {
        this.#forget();
        this.#become("searching", "no fix");
      }
      if (heard.kind === "fix") this.#fix(heard.fix);
    }
  }

  #fix(fix: Fix): void {
    this.#become("fix", "fix");
    const values: readonly (SignalValue | undefined)[] = [
      fix.latitude,
      fix.longitude,
      fix.headingDeg,
      fix.altitudeM,
      fix.speedKmh,
    ];
    for (const [i, name] of POSITION.entries()) {
      // What a fix lacks grows stale.
      if (values[i] !== undefined) this.#options.store.put(name, values[i], fix.bootMs, STALE_MS);
    }
    this.#options.onFix?.(fix);
    if (fix.timeMs === undefined || fix.bootMs - this.#toldTimeMs < TIME_EVERY_MS) return;
    this.#toldTimeMs = fix.bootMs;
    this.#options.onTime?.({ unixMs: fix.timeMs, bootMs: fix.bootMs, doubtMs: TIME_DOUBT_MS });
  }

  /** Without a fix there is no position; the store keeps the last good one beside it. */
  #forget(): void {
    if (this.#state !== "fix") return;
    const bootMs = this.#options.clock.bootMs();
    for (const name of POSITION) this.#options.store.put(name, undefined, bootMs, STALE_MS);
  }
}
