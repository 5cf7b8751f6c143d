/**
 * Time and chance as small interfaces, so that every core runs under a simulated clock and a seed.
 */

/** A timer that can be taken back; taking it back twice does nothing. */
export type Timer = { readonly cancel: () => void };

export type Clock = {
  /** Milliseconds since some fixed moment, never going back, counting suspend where the platform can. */
  readonly bootMs: () => number;
  /** Unix milliseconds; may jump either way and be wrong by decades. */
  readonly wallMs: () => number;
  /** Calls `run` once, not before `delayMs` from now. */
  readonly after: (delayMs: number, run: () => void) => Timer;
};

export type Random = {
  /** `count` random bytes; from the operating system's generator in production. */
  readonly bytes: (count: number) => Uint8Array;
  /** A number in [0, 1): for jitter, never for keys. */
  readonly fraction: () => number;
};

/** Where a part says what happens to it. Fields must be of class Public or Internal (P-41). */
export type Log = {
  readonly info: (event: string, fields?: LogFields) => void;
  readonly warn: (event: string, fields?: LogFields) => void;
  readonly error: (event: string, fields?: LogFields) => void;
};
export type LogFields = Readonly<Record<string, string | number | boolean>>;
