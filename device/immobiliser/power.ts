/**
 * 12 V care: how much of the module is awake, so that a parked car keeps its battery. A pure machine over what is seen
 * (ignition, voltage, bookings, rentals, wakes), and a table of what each state keeps awake. Sleeping never locks,
 * unlocks or inhibits anything; the lock controller latches its state by itself.
 */
import type { POWER_STATES } from "@kerbside/protocol";

export type PowerState = (typeof POWER_STATES)[number];
/** `platform`: the processor runs again, and nothing says why. */
export type WakeSource = "door" | "card" | "booking" | "modem" | "ignition" | "platform";

/** What a state keeps awake. Currents are the module's own and are for the hardware's maker to measure. */
export type PowerRow = {
  /** `connected`: the uplink stands. `paging`: registered, reachable by its wake line (an SMS). */
  readonly modem: "connected" | "paging";
  /** The uplink's keep-alive, seconds: what a modem with coverage spends most of a quiet day on. */
  readonly keepAliveS: number;
  readonly gnss: "on" | "off";
  readonly can: "listening" | "wake_on_frame";
  readonly reader: "on" | "wake_on_card";
  readonly lockLink: "on" | "off";
  /** Whether the processor runs, or is suspended to its wake lines. */
  readonly processor: "on" | "suspended";
  readonly wakes: readonly WakeSource[];
};
const ALL_WAKES = ["door", "card", "booking", "modem", "ignition"] as const;
export const POWER_TABLE: Readonly<Record<PowerState, PowerRow>> = {
  driving: {
    modem: "connected",
    keepAliveS: 60,
    gnss: "on",
    can: "listening",
    reader: "on",
    lockLink: "on",
    processor: "on",
    wakes: [],
  },
  rental_soon: {
    modem: "connected",
    keepAliveS: 60,
    gnss: "off",
    can: "listening",
    reader: "on",
    lockLink: "on",
    processor: "on",
    wakes: [],
  },
  parked: {
    modem: "connected",
    keepAliveS: 300,
    gnss: "off",
    can: "wake_on_frame",
    reader: "on",
    lockLink: "on",
    processor: "on",
    wakes: [],
  },
  deep_sleep: {
    modem: "paging",
    keepAliveS: 0,
    gnss: "off",
    can: "wake_on_frame",
    reader: "wake_on_card",
    lockLink: "off",
    processor: "suspended",
    wakes: ALL_WAKES,
  },
};

export type PowerLimits = {
  /** A booking this near keeps the car reachable. */
  readonly rentalSoonMs: number;
  /** A parked car that nobody needs goes to deep sleep after this. */
  readonly parkedMsMax: number;
  /** A woken car stays awake at least this long. */
  readonly wokenMs: number;
  /** At rest below this it sleeps at once, unless it is needed soon. */
  readonly lowV: number;
  /** Below this it sleeps whatever is booked: a car that cannot be started helps nobody. */
  readonly criticalV: number;
};
const MINUTE_MS = 60_000;
/** A car whose ignition cannot be seen any more has been parked: there the bus sleeps. As for the end of a trip. */
export const IGNITION_UNSEEN_MS: number = MINUTE_MS;
/** Who does something in or with a car is not put to sleep in the middle of it: at most as long as a woken one. */
export const ACTIVE_MS: number = MINUTE_MS;
export const POWER_LIMITS: PowerLimits = {
  rentalSoonMs: 30 * MINUTE_MS,
  parkedMsMax: 120 * MINUTE_MS,
  wokenMs: 5 * MINUTE_MS,
  lowV: 12.0,
  criticalV: 11.6,
};

export type Power = {
  readonly state: PowerState;
  /** As it was last seen. */
  readonly ignitionOn: boolean;
  /** Since when it has not been, on the boot clock; undefined: it is. */
  readonly unseenSinceMs: number | undefined;
  /** Of the battery; undefined: not known. */
  readonly voltageV: number | undefined;
  readonly rentalOpen: boolean;
  /** When the next booking begins, on the boot clock; undefined: none is known. */
  readonly nextBookingMs: number | undefined;
  /** Since when nobody has needed it, on the boot clock. */
  readonly idleSinceMs: number;
  /** Not asleep before this, whatever the voltage, short of critical. */
  readonly awakeUntilMs: number;
};

export type PowerInput =
  | { readonly type: "ignition"; readonly on: boolean }
  /** Nothing tells of it any more. */
  | { readonly type: "ignition_unseen" }
  | { readonly type: "voltage"; readonly volts: number | undefined }
  | { readonly type: "rental"; readonly open: boolean }
  | { readonly type: "booking"; readonly nextMs: number | undefined }
  | { readonly type: "wake"; readonly source: WakeSource }
  /** Somebody does something in or with the car: a door, a command. */
  | { readonly type: "activity" }
  | { readonly type: "tick" };

export type PowerEffect =
  | {
      readonly type: "enter";
      readonly state: PowerState;
      readonly from: PowerState;
      readonly reason: string;
      readonly row: PowerRow;
    }
  /** Set before the processor is suspended; absent: no booking is known. */
  | { readonly type: "wake_at"; readonly bootMs: number };
export type PowerStep = { readonly power: Power; readonly effects: readonly PowerEffect[] };

/** A module that starts is awake, and stays so for a while. */
export function startPower(nowMs: number, limits: PowerLimits): Power {
  return {
    state: "parked",
    ignitionOn: false,
    unseenSinceMs: undefined,
    voltageV: undefined,
    rentalOpen: false,
    nextBookingMs: undefined,
    idleSinceMs: nowMs,
    awakeUntilMs: nowMs + limits.wokenMs,
  };
}

export function nextPower(
  power: Power,
  input: PowerInput,
  nowMs: number,
  limits: PowerLimits,
): PowerStep {
  const seen = see(power, input, nowMs, limits);
  const { state, reason } = stateOf(seen, nowMs, limits);
  if (state === power.state) return { power: seen, effects: [] };
  const enter: PowerEffect = {
    type: "enter",
    state,
    from: power.state,
    reason: input.type === "wake" ? `wake_${input.source}` : reason,
    row: POWER_TABLE[state],
  };
  const { nextBookingMs } = seen;
  const next = { ...seen, state };
  if (state !== "deep_sleep" || nextBookingMs === undefined)
    return { power: next, effects: [enter] };
  const bootMs = Math.max(nowMs, nextBookingMs - limits.rentalSoonMs);
  return { power: next, effects: [{ type: "wake_at", bootMs }, enter] };
}

function see(power: Power, input: PowerInput, nowMs: number, { wokenMs }: PowerLimits): Power {
  switch (input.type) {
    case "ignition":
      return { ...power, ignitionOn: input.on, unseenSinceMs: undefined, idleSinceMs: nowMs };
    case "ignition_unseen":
      if (!power.ignitionOn) return power;
      return { ...power, unseenSinceMs: nowMs, idleSinceMs: nowMs };
    case "voltage":
      return { ...power, voltageV: input.volts };
    case "rental":
      return { ...power, rentalOpen: input.open, idleSinceMs: nowMs };
    case "booking":
      return { ...power, nextBookingMs: input.nextMs };
    case "wake":
      return { ...power, idleSinceMs: nowMs, awakeUntilMs: nowMs + wokenMs };
    case "activity": {
      const activeMs = Math.min(ACTIVE_MS, wokenMs);
      const awakeUntilMs = Math.max(power.awakeUntilMs, nowMs + activeMs);
      return { ...power, idleSinceMs: nowMs, awakeUntilMs };
    }
    case "tick":
      return power;
  }
}

/** The first row that holds decides. */
function stateOf(
  power: Power,
  nowMs: number,
  limits: PowerLimits,
): { readonly state: PowerState; readonly reason: string } {
  const { ignitionOn, rentalOpen, idleSinceMs, awakeUntilMs } = power;
  const { unseenSinceMs = Number.POSITIVE_INFINITY } = power;
  // What is not known is not low, and not soon.
  const { voltageV = Number.POSITIVE_INFINITY, nextBookingMs = Number.POSITIVE_INFINITY } = power;
  if (ignitionOn && nowMs - unseenSinceMs < IGNITION_UNSEEN_MS)
    return { state: "driving", reason: "ignition" };
  const below = (limit: number): boolean => voltageV < limit;
  const isWoken = nowMs < awakeUntilMs;
  // Somebody who has just woken it is in front of it: even then it opens, and sleeps after.
  if (below(limits.criticalV) && !isWoken)
    return { state: "deep_sleep", reason: "voltage_critical" };
  if (nextBookingMs - nowMs <= limits.rentalSoonMs)
    return { state: "rental_soon", reason: "booking" };
  if (isWoken) return { state: "parked", reason: "woken" };
  if (below(limits.lowV)) return { state: "deep_sleep", reason: "voltage_low" };
  if (!rentalOpen && nowMs - idleSinceMs >= limits.parkedMsMax) {
    return { state: "deep_sleep", reason: "idle" };
  }
  return { state: "parked", reason: rentalOpen ? "rental" : "parked" };
}
