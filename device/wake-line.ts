/**
 * The modem's wake line: a modem says on its serial port that a message or a call came in, and that wakes a sleeping
 * car. What the message says is never read, and nobody who sent it is believed: all it can do is to wake the car, and
 * that only so many times an hour, so that nobody empties a battery with messages.
 */
import type { Clock, Line, LineConnection, Log, Timer } from "@kerbside/protocol";

/** Unsolicited result codes: 3GPP TS 27.005 clause 3.4.1 (+CMTI, +CMT) and TS 27.007 clause 6.11 and V.250 (RING). */
const WAKES = /^(\+CMTI: |\+CMT: |RING$|\+CRING: )/;
/** Beyond it wakes are ignored until the hour is over. */
export const MODEM_WAKES_AN_HOUR_MAX = 12;
const HOUR_MS = 3_600_000;
/** A longer line is none of a modem's; its rest is skipped. */
const LINE_CHARS_MAX = 256;
const REOPEN_MS_MIN = 1000;
const REOPEN_MS_MAX = 60_000;

export type WakeLineOptions = {
  readonly line: Line;
  readonly clock: Clock;
  readonly log: Log;
  readonly onWake: () => void;
};

export class WakeLine {
  readonly #options: WakeLineOptions;
  readonly #decoder = new TextDecoder("latin1");
  #connection: LineConnection | undefined;
  #timer: Timer | undefined;
  #reopenMs = REOPEN_MS_MIN;
  #text = "";
  #wokenMs: readonly number[] = [];
  #stopped = false;

  constructor(options: WakeLineOptions) {
    this.#options = options;
  }

  /** Listens, over ever new connections; never gives up, never throws. */
  start(): void {
    const { line, log } = this.#options;
    line({ data: (bytes) => this.#take(bytes), closed: () => this.#again() }).then(
      (connection) => {
        this.#connection = connection;
        this.#reopenMs = REOPEN_MS_MIN;
        if (this.#stopped) connection.close();
      },
      (error: unknown) => {
        log.warn("modem.open_failed", { what: error instanceof Error ? error.message : "bug" });
        this.#again();
      },
    );
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#connection?.close();
  }

  #again(): void {
    this.#text = "";
    if (this.#stopped) return;
    this.#timer = this.#options.clock.after(this.#reopenMs, () => this.start());
    this.#reopenMs = Math.min(2 * this.#reopenMs, REOPEN_MS_MAX);
  }

  #take(bytes: Uint8Array): void {
    const lines = (this.#text + this.#decoder.decode(bytes)).split(/[\r\n]+/);
    this.#text = (lines.pop() ?? "").slice(0, LINE_CHARS_MAX);
    if (lines.some((line) => WAKES.test(line))) this.#wake();
  }

  #wake(): void {
    const { clock, log, onWake } = this.#options;
    const nowMs = clock.bootMs();
    this.#wokenMs = this.#wokenMs.filter((atMs) => nowMs - atMs < HOUR_MS);
    if (this.#wokenMs.length >= MODEM_WAKES_AN_HOUR_MAX) {
      log.warn("modem.too_many_wakes", { count: this.#wokenMs.length });
      return;
    }
    this.#wokenMs = [...this.#wokenMs, nowMs];
    onWake();
  }
}
