/** Sentences to fixes that can be believed. Pure: what came and when go in, a fix or the reason for none comes out. */
import { GPS } from "gps";
import { distanceM } from "../distance.ts";

export type Fix = {
  readonly latitude: number;
  readonly longitude: number;
  readonly bootMs: number;
  readonly speedKmh?: number;
  /** Course over ground; absent where the car is too slow for it to mean anything. */
  readonly headingDeg?: number;
  readonly altitudeM?: number;
  /** Estimated error: HDOP times what a receiver's range error usually is. */
  readonly accuracyM: number;
  /** Unix milliseconds of the fix by the receiver. */
  readonly timeMs?: number;
};

export type Heard =
  | { readonly kind: "fix"; readonly fix: Fix }
  /** The receiver says that it has none, or one that it made up. */
  | { readonly kind: "noFix" }
  /** Farther from the last than a car can have driven. */
  | { readonly kind: "jump" }
  | { readonly kind: "nothing" };

export type PositionState = {
  readonly last: Fix | undefined;
  /** Where jumps have led to, and how many in a row agreed about it. */
  readonly elsewhere: { readonly fix: Fix; readonly times: number } | undefined;
  /** From GGA, for the RMC of the same moment. */
  readonly quality:
    | { readonly hdop: number; readonly altitudeM: number | undefined; readonly bootMs: number }
    | undefined;
};

export const POSITION_START: PositionState = {
  last: undefined,
  elsewhere: undefined,
  quality: undefined,
};

/** Faster than any car of a fleet: 250 km/h. */
const SPEED_M_PER_MS_MAX = 0.07;
const SLACK_M = 50;
/** User-equivalent range error of a plain receiver, one sigma. */
const RANGE_ERROR_M = 5;
const HDOP_UNKNOWN = 4;
/** Beyond it a position means nothing. */
const HDOP_MAX = 20;
const QUALITY_MS_MAX = 1500;
const HEADING_KMH_MIN = 3;
/** After so many that agree, it was the old place that was wrong. */
const AGREEING = 5;
/** Positions that are computed or typed in, not measured. */
const MADE_UP: ReadonlySet<string | null> = new Set([
  "estimated",
  "manual",
  "manual input",
  "simulated",
  "not valid",
]);

/** One sentence whose checksum held. */
export function hear(
  state: PositionState,
  sentence: string,
  bootMs: number,
): { readonly state: PositionState; readonly heard: Heard } {
  const parsed = parse(sentence);
  if (parsed === undefined) return { state, heard: { kind: "nothing" } };
  if (parsed.type === "GGA") {
    const { hdop, alt, quality } = parsed;
    if (quality === null || MADE_UP.has(quality)) return { state, heard: { kind: "nothing" } };
    const altitudeM = finite(alt);
    const known = { hdop: finite(hdop) ?? HDOP_UNKNOWN, altitudeM, bootMs };
    return { state: { ...state, quality: known }, heard: { kind: "nothing" } };
  }
  const fix = fixOf(parsed, state, bootMs);
  return fix === undefined ? { state, heard: { kind: "noFix" } } : judge(state, fix);
}

type Rmc = Extract<ReturnType<typeof GPS.Parse>, { type: "RMC" }>;
type Gga = Extract<ReturnType<typeof GPS.Parse>, { type: "GGA" }>;

function parse(sentence: string): Rmc | Gga | undefined {
  try {
    const parsed = GPS.Parse(sentence);
    if (parsed === false || !parsed.valid) return undefined;
    return parsed.type === "RMC" || parsed.type === "GGA" ? parsed : undefined;
  } catch {
    // The library throws for fields that it cannot make anything of: no sentence of use.
    return undefined;
  }
}

function finite(value: number | null): number | undefined {
  return value !== null && Number.isFinite(value) ? value : undefined;
}

function fixOf(rmc: Rmc, { quality }: PositionState, bootMs: number): Fix | undefined {
  const latitude = finite(rmc.lat);
  const longitude = finite(rmc.lon);
  if (rmc.status !== "active" || MADE_UP.has(rmc.faa)) return undefined;
  if (latitude === undefined || longitude === undefined) return undefined;
  if (Math.abs(latitude) > 90 || Math.abs(longitude) > 180) return undefined;
  const fresh = quality !== undefined && bootMs - quality.bootMs <= QUALITY_MS_MAX;
  const hdop = fresh ? quality.hdop : HDOP_UNKNOWN;
  if (hdop > HDOP_MAX) return undefined;
  const speedKmh = finite(rmc.speed);
  const track = finite(rmc.track);
  const timeMs = rmc.time?.getTime();
  const altitudeM = fresh ? quality.altitudeM : undefined;
  return {
    latitude,
    longitude,
    bootMs,
    accuracyM: hdop * RANGE_ERROR_M,
    ...(speedKmh === undefined ? {} : { speedKmh }),
    ...(track !== undefined && (speedKmh ?? 0) >= HEADING_KMH_MIN
      ? { headingDeg: track % 360 }
      : {}),
    ...(altitudeM === undefined ? {} : { altitudeM }),
    ...(timeMs === undefined || Number.isNaN(timeMs) ? {} : { timeMs }),
  };
}

function reachable(from: Fix, to: Fix): boolean {
  const most = SPEED_M_PER_MS_MAX * (to.bootMs - from.bootMs) + SLACK_M;
  return distanceM(from, to) <= most + from.accuracyM + to.accuracyM;
}

function judge(
  state: PositionState,
  fix: Fix,
): { readonly state: PositionState; readonly heard: Heard } {
  const accept = {
    state: { ...state, last: fix, elsewhere: undefined },
    heard: { kind: "fix", fix },
  } as const;
  if (state.last === undefined || reachable(state.last, fix)) return accept;
  const agrees = state.elsewhere !== undefined && reachable(state.elsewhere.fix, fix);
  const times = agrees ? state.elsewhere.times + 1 : 1;
  if (times >= AGREEING) return accept;
  return { state: { ...state, elsewhere: { fix, times } }, heard: { kind: "jump" } };
}
