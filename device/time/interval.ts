/**
 * What is known of the time of day as two bounds that move with the boot clock. Pure. The signed bounds come from the
 * cloud alone; the narrow ones lie within them and may come from anything that tells a time.
 */

/**
 * How far a boot clock may run fast or slow: the most by which Linux slews it (adjtimex(2), 500 ppm), several times
 * the error of a quartz.
 */
export const DRIFT_PARTS_PER_MILLION = 500;
const DRIFT: number = DRIFT_PARTS_PER_MILLION / 1e6;

/** At boot time `bootMs` it was no earlier than `fromMs` and no later than `toMs`, Unix milliseconds. */
export type Interval = { readonly bootMs: number; readonly fromMs: number; readonly toMs: number };

export type Known = {
  /** It is no earlier than this: outlives reboots. 0: nothing was ever known. */
  readonly floorMs: number;
  /** By the cloud's signature, of this boot. */
  readonly signed?: Interval;
  /** Within `signed`, by what else tells the time. */
  readonly narrow?: Interval;
};
export const NOTHING_KNOWN: Known = { floorMs: 0 };

export type TimeReading =
  | { readonly value: "known"; readonly wallMs: number; readonly doubtMs: number }
  /** Nothing but that it is not earlier. */
  | { readonly value: "unknown"; readonly floorMs: number };

/** The bounds as they are at `bootMs`, wider by what the clock may have drifted. */
export function intervalAt(interval: Interval, bootMs: number): Interval {
  const passed = Math.max(0, bootMs - interval.bootMs);
  return {
    bootMs,
    fromMs: interval.fromMs + passed * (1 - DRIFT),
    toMs: interval.toMs + passed * (1 + DRIFT),
  };
}

const meet = (a: Interval, b: Interval): boolean => a.fromMs <= b.toMs && b.fromMs <= a.toMs;
const common = (a: Interval, b: Interval): Interval => ({
  bootMs: a.bootMs,
  fromMs: Math.max(a.fromMs, b.fromMs),
  toMs: Math.min(a.toMs, b.toMs),
});

/** What an authentic answer says: it was signed between the two boot times, by a clock within `doubtMs` of `wallMs`. */
export type SignedMoment = {
  readonly askedMs: number;
  readonly heardMs: number;
  readonly wallMs: number;
  readonly doubtMs: number;
};
export type TimeStep =
  | { readonly taken: true; readonly known: Known }
  /** Time does not run back: what is known stays. */
  | { readonly taken: false; readonly reason: "below_floor" | "contradicts" | "not_anchored" };

/** As `TimeStep`; what was taken is signed. */
export type SignedStep =
  | { readonly taken: true; readonly known: Known & { readonly signed: Interval } }
  | Extract<TimeStep, { readonly taken: false }>;

/** Takes an answer that verified. It may move what is known forward, never back. */
export function signed(known: Known, moment: SignedMoment): SignedStep {
  const { askedMs, heardMs, wallMs, doubtMs } = moment;
  const roundMs = Math.max(0, heardMs - askedMs);
  const said: Interval = {
    bootMs: heardMs,
    fromMs: wallMs - doubtMs,
    toMs: wallMs + doubtMs + roundMs,
  };
  const before = known.signed === undefined ? undefined : intervalAt(known.signed, heardMs);
  const floorMs = Math.max(known.floorMs, before?.fromMs ?? 0);
  if (said.toMs < floorMs) return { taken: false, reason: "below_floor" };
  const above = { ...said, fromMs: Math.max(said.fromMs, floorMs) };
  const next = before !== undefined && meet(before, above) ? common(above, before) : above;
  const narrow = known.narrow === undefined ? undefined : intervalAt(known.narrow, heardMs);
  return {
    taken: true,
    known: {
      floorMs: Math.max(known.floorMs, Math.floor(next.fromMs)),
      signed: next,
      ...(narrow !== undefined && meet(narrow, next) ? { narrow: common(next, narrow) } : {}),
    },
  };
}

/** Takes a time that nobody signed (GNSS, NTP): it counts only within what the cloud has said. */
export function hinted(
  known: Known,
  hint: { readonly bootMs: number; readonly wallMs: number; readonly doubtMs: number },
): TimeStep {
  if (known.signed === undefined) return { taken: false, reason: "not_anchored" };
  const within = intervalAt(known.signed, hint.bootMs);
  const said: Interval = {
    bootMs: hint.bootMs,
    fromMs: hint.wallMs - hint.doubtMs,
    toMs: hint.wallMs + hint.doubtMs,
  };
  if (!meet(within, said)) return { taken: false, reason: "contradicts" };
  return { taken: true, known: { ...known, narrow: common(within, said) } };
}

/** The time of day at a moment of the boot clock. */
export function readTime(known: Known, bootMs: number): TimeReading {
  const { floorMs, signed: anchor, narrow } = known;
  if (anchor === undefined) return { value: "unknown", floorMs };
  const wide = intervalAt(anchor, bootMs);
  const near = narrow === undefined ? wide : intervalAt(narrow, bootMs);
  const { fromMs, toMs } = meet(wide, near) ? common(wide, near) : wide;
  const wallMs = Math.round((fromMs + toMs) / 2);
  return { value: "known", wallMs, doubtMs: Math.ceil((toMs - fromMs) / 2) + 1 };
}
