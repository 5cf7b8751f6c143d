/**
 * What is wrong with the lock, told apart: a pure machine over what is seen of the controller, its reports and its
 * line. Each fault is raised once and cleared when the opposite is seen; what happens in a moment is only raised.
 */
import type { LockAction, LockLinkCounts, LockMessageOf } from "@kerbside/protocol";
import type { Actuated } from "./order.ts";
import { sensedState } from "./sensed.ts";

export type LockSeen =
  | { readonly type: "link"; readonly state: "up" | "silent" | "incompatible" }
  | { readonly type: "report"; readonly report: LockMessageOf<"statusReport"> }
  | { readonly type: "actuated"; readonly action: LockAction; readonly actuated: Actuated }
  /** The line's own counts over all connections, at intervals of `LOCK_NOISE_WINDOW_MS`. */
  | { readonly type: "counts"; readonly counts: LockLinkCounts };

export const LOCK_NOISE_WINDOW_MS = 10_000;
/** Frames that were spoilt in one window, from which on a line is noisy. One may be a plug that was touched. */
export const LOCK_NOISE_FRAMES_MIN = 5;
/** Below this the controller does not try its motor; above the second figure all is well again. */
export const LOCK_SUPPLY_MV_LOW = 9500;
export const LOCK_SUPPLY_MV_GOOD = 10_500;

export const LOCK_FAULTS = {
  "lock.silent": "no session with the lock controller",
  "lock.version": "the lock controller speaks no version that this agent does",
  "lock.noise": "frames on the line to the lock controller are spoilt",
  "lock.self_test": "the lock controller's self-test failed: its motor does not answer",
  "lock.supply_low": "the lock's supply is too low to turn its motor",
  "lock.jam": "a bolt stopped on its way",
  "lock.no_travel": "a bolt did not leave its place",
  "lock.door_ajar": "a bolt could not travel because a door is open",
  "lock.reset": "the lock controller was reset",
  "lock.reset_in_pulse": "the lock controller was reset in the middle of a pulse",
} as const satisfies Record<string, string>;
export type LockFault = keyof typeof LOCK_FAULTS;

export type LockFaults = {
  readonly raised: ReadonlySet<LockFault>;
  readonly resets: number | undefined;
  readonly spoilt: number;
  readonly tamper: boolean | undefined;
};
export type LockFaultEffect =
  | { readonly type: "raised"; readonly fault: LockFault }
  | { readonly type: "cleared"; readonly fault: LockFault }
  | { readonly type: "tamper"; readonly open: boolean };
export type LockFaultStep = {
  readonly faults: LockFaults;
  readonly effects: readonly LockFaultEffect[];
};

export const LOCK_FAULTS_NONE: LockFaults = {
  raised: new Set(),
  resets: undefined,
  spoilt: 0,
  tamper: undefined,
};

/** The outcomes that are faults of the mechanics. A bolt that does what it is told clears them. */
const MECHANICAL: readonly LockFault[] = ["lock.jam", "lock.no_travel", "lock.door_ajar"];
const MOVES_BOLTS: ReadonlySet<LockAction> = new Set(["lock", "unlock", "trunk"]);

export function nextLockFaults(faults: LockFaults, seen: LockSeen): LockFaultStep {
  switch (seen.type) {
    case "link":
      return setAll(faults, {
        "lock.silent": seen.state === "silent",
        "lock.version": seen.state === "incompatible",
      });
    case "counts":
      return noise(faults, seen.counts);
    case "report":
      return reported(faults, seen.report);
    case "actuated":
      return actuated(faults, seen.action, seen.actuated);
  }
}

type Wanted = Readonly<Partial<Record<LockFault, boolean>>>;

function setAll(faults: LockFaults, wanted: Wanted): LockFaultStep {
  const raised = new Set(faults.raised);
  const effects: LockFaultEffect[] = [];
  for (const fault of Object.keys(LOCK_FAULTS) as LockFault[]) {
    const is = wanted[fault];
    if (is === undefined || is === raised.has(fault)) continue;
    if (is) raised.add(fault);
    else raised.delete(fault);
    effects.push({ type: is ? "raised" : "cleared", fault });
  }
  return { faults: { ...faults, raised }, effects };
}

/** Bytes that belong to no frame count as one spoilt frame for so many. */
const NOISE_BYTES_PER_FRAME = 16;

/** Spoilt frames are those that no form, CRC or key fits; late ones are a slow line, not a noisy one. */
function noise(faults: LockFaults, counts: LockLinkCounts): LockFaultStep {
  const { crcErrors, macErrors, noiseBytes } = counts;
  const spoilt = crcErrors + macErrors + Math.floor(noiseBytes / NOISE_BYTES_PER_FRAME);
  const isNoisy = spoilt - faults.spoilt >= LOCK_NOISE_FRAMES_MIN;
  return setAll({ ...faults, spoilt }, { "lock.noise": isNoisy });
}

function reported(faults: LockFaults, report: LockMessageOf<"statusReport">): LockFaultStep {
  const { supplyMv, selfTest, resetCount, tamper } = report;
  const wanted: Wanted = {
    ...(selfTest === "not_run" ? {} : { "lock.self_test": selfTest === "failed" }),
    ...(supplyMv < LOCK_SUPPLY_MV_LOW ? { "lock.supply_low": true } : {}),
    ...(supplyMv >= LOCK_SUPPLY_MV_GOOD ? { "lock.supply_low": false } : {}),
  };
  const step = setAll(faults, wanted);
  const effects: LockFaultEffect[] = [...step.effects];
  if (faults.resets !== undefined && resetCount !== faults.resets) {
    effects.push({ type: "raised", fault: "lock.reset" });
  }
  const open = tamper === "unknown" ? faults.tamper : tamper === "opened";
  // An intact contact at the first look is no change.
  if (open !== undefined && open !== (faults.tamper ?? false))
    effects.push({ type: "tamper", open });
  return { faults: { ...step.faults, resets: resetCount, tamper: open }, effects };
}

function actuated(faults: LockFaults, action: LockAction, what: Actuated): LockFaultStep {
  switch (what.outcome) {
    case "done":
      return MOVES_BOLTS.has(action)
        ? setAll(faults, { ...none(MECHANICAL), "lock.supply_low": false })
        : { faults, effects: [] };
    case "jam":
      return setAll(faults, { ...none(MECHANICAL), "lock.jam": true });
    case "no_travel": {
      const isAjar = sensedState(what.sensed).doorsClosed === "no";
      const fault = isAjar ? "lock.door_ajar" : "lock.no_travel";
      return setAll(faults, { ...none(MECHANICAL), [fault]: true });
    }
    case "supply_low":
      return setAll(faults, { "lock.supply_low": true });
    case "interrupted":
      return { faults, effects: [{ type: "raised", fault: "lock.reset_in_pulse" }] };
    case "none":
    case "refused":
    case "busy":
    case "not_sent":
    case "no_answer":
      return { faults, effects: [] };
  }
}

function none(faults: readonly LockFault[]): Wanted {
  return Object.fromEntries(faults.map((fault) => [fault, false]));
}
