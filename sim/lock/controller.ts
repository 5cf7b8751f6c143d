/**
 * The lock controller's firmware, pure: inputs (messages, contacts, time, a reset) to a new state and messages. It
 * moves for an actuation id once, remembers how each ended, and latches the immobiliser without the module.
 */
import {
  beginActuation,
  finishActuation,
  LOCK_ACTUATIONS_NONE,
  type LockAction,
  type LockActuationMemory,
  type LockLinkSendable,
  type LockMessage,
  type LockMessageOf,
  type LockOutcome,
  type LockSensed,
  restoreActuations,
} from "@kerbside/protocol";
import { BOLTS, type LockMotor } from "../car/state.ts";
import type { Contacts } from "./contacts.ts";

/** Below this the motor is not tried. */
export const SUPPLY_MV_MIN = 9500;
export const FIRMWARE = { major: 1, minor: 4, patch: 2 } as const;
const BOOT_MS = 400;
const RELAY_MS = 40;
/** Contacts are read this long after the motor has stopped. */
const SETTLE_MS = 50;
const CALL_MS = 1500;

/** What survives a loss of supply: written before a pulse begins and after it has ended. */
export type ControllerMemory = {
  readonly actuations: LockActuationMemory;
  readonly inhibited: boolean;
  readonly resetCount: number;
};

type Phase =
  | { readonly value: "starting"; readonly untilMs: number }
  | { readonly value: "idle" }
  | {
      readonly value: "pulse";
      readonly id: number;
      readonly action: LockAction;
      readonly motorUntilMs: number;
      readonly endsMs: number;
      readonly travelMs: number;
    };

export type Controller = {
  readonly memory: ControllerMemory;
  readonly phase: Phase;
  readonly selfTest: LockMessageOf<"statusReport">["selfTest"];
  /** The report last given out, the supply left aside; a new one is sent when it differs. */
  readonly reported: LockMessageOf<"statusReport"> | undefined;
};

export type ControllerInput =
  | { readonly type: "tick" }
  | { readonly type: "message"; readonly message: LockMessage }
  | { readonly type: "reset" };
export type ControllerContext = {
  readonly nowMs: number;
  readonly contacts: Contacts;
  /** How long the bolts take for this actuation. */
  readonly travelMs: (actuationId: number) => number;
};
export type ControllerStep = {
  readonly controller: Controller;
  readonly send: readonly LockLinkSendable[];
};

export const NEW_MEMORY: ControllerMemory = {
  actuations: LOCK_ACTUATIONS_NONE,
  inhibited: false,
  resetCount: 0,
};

/** A controller whose supply comes on. A pulse that was under way does not go on. */
export function startController(
  memory: ControllerMemory,
  { nowMs, contacts }: Pick<ControllerContext, "nowMs" | "contacts">,
): Controller {
  const restored = restoreActuations(memory.actuations, sensed(contacts, memory));
  return {
    memory: restored.interrupted ? { ...memory, actuations: restored.memory } : memory,
    phase: { value: "starting", untilMs: nowMs + BOOT_MS },
    selfTest: "not_run",
    reported: undefined,
  };
}

export function nextController(
  controller: Controller,
  input: ControllerInput,
  context: ControllerContext,
): ControllerStep {
  switch (input.type) {
    case "reset": {
      const { memory } = controller;
      const counted = { ...memory, resetCount: Math.min(0xffff, memory.resetCount + 1) };
      return { controller: startController(counted, context), send: [] };
    }
    case "message":
      return controller.phase.value === "starting"
        ? { controller, send: [] }
        : take(controller, input.message, context);
    case "tick":
      return tick(controller, context);
  }
}

/** Whether it answers on its link. */
export function isAwake(controller: Controller): boolean {
  return controller.phase.value !== "starting";
}

/** What its outputs do to the car. */
export function outputsOf(
  { phase, memory }: Controller,
  nowMs: number,
): {
  readonly lockMotor: LockMotor;
  readonly startInhibited: boolean;
  readonly calling: boolean;
  readonly opensTrunk: boolean;
} {
  const still: LockMotor = { value: "still" };
  const rest = {
    lockMotor: still,
    startInhibited: memory.inhibited,
    calling: false,
    opensTrunk: false,
  };
  if (phase.value !== "pulse") return rest;
  const { action, travelMs } = phase;
  const turning = nowMs < phase.motorUntilMs;
  if (action === "horn_lights") return { ...rest, calling: true };
  if (action === "trunk") {
    const lockMotor: LockMotor = turning
      ? { value: "turning", to: 0, bolts: ["trunk"], travelMs }
      : still;
    return { ...rest, lockMotor, opensTrunk: true };
  }
  if ((action === "lock" || action === "unlock") && turning) {
    return {
      ...rest,
      lockMotor: { value: "turning", to: action === "lock" ? 1 : 0, bolts: BOLTS, travelMs },
    };
  }
  return rest;
}

function immobiliserOf({ inhibited }: ControllerMemory): LockSensed["immobiliser"] {
  return inhibited ? "inhibited" : "free";
}

function sensed(contacts: Contacts, memory: ControllerMemory): LockSensed {
  const { motorAnswers: _not, ...rest } = contacts;
  return { ...rest, immobiliser: immobiliserOf(memory) };
}

function lastOutcomeOf({ actuations }: ControllerMemory): Report["lastOutcome"] {
  const { lastId, recent } = actuations;
  const last = recent.find(({ id }) => id === lastId);
  return last?.value === "ended" ? last.outcome : "none";
}

function report(controller: Controller, { contacts }: ControllerContext): Report {
  const { memory, phase, selfTest } = controller;
  return {
    type: "statusReport",
    ...sensed(contacts, memory),
    selfTest,
    lastActuationId: memory.actuations.lastId,
    lastOutcome: lastOutcomeOf(memory),
    resetCount: memory.resetCount,
    midPulse: phase.value === "pulse",
  };
}

type Report = LockMessageOf<"statusReport">;

/** What the wires say in a report; the supply is told with the rest, and is no news of its own. */
const WIRES = [
  "boltDriver",
  "boltPassengers",
  "boltTrunk",
  "doorFrontLeft",
  "doorFrontRight",
  "doorRearLeft",
  "doorRearRight",
  "trunk",
  "tamper",
] as const satisfies readonly (keyof Contacts & keyof Report)[];

/** Whether anything but the supply differs from what was reported: asked at each step, so nothing is made for it. */
function isReported(
  { memory, phase, selfTest, reported }: Controller,
  contacts: Contacts,
): boolean {
  if (reported === undefined) return false;
  for (const wire of WIRES) if (contacts[wire] !== reported[wire]) return false;
  return (
    reported.immobiliser === immobiliserOf(memory) &&
    reported.selfTest === selfTest &&
    reported.lastActuationId === memory.actuations.lastId &&
    reported.lastOutcome === lastOutcomeOf(memory) &&
    reported.resetCount === memory.resetCount &&
    reported.midPulse === (phase.value === "pulse")
  );
}

/** Adds a report if anything in it but the supply has changed. */
function reporting(
  controller: Controller,
  send: readonly LockLinkSendable[],
  context: ControllerContext,
): ControllerStep {
  if (isReported(controller, context.contacts)) return { controller, send };
  const whole = report(controller, context);
  return { controller: { ...controller, reported: whole }, send: [...send, whole] };
}

function take(
  controller: Controller,
  message: LockMessage,
  context: ControllerContext,
): ControllerStep {
  if (message.type === "actuate") return actuate(controller, message, context);
  if (message.type !== "statusRequest") return { controller, send: [] };
  const { contacts } = context;
  const works = contacts.motorAnswers && contacts.supplyMv >= SUPPLY_MV_MIN;
  const tested: Controller = message.selfTest
    ? { ...controller, selfTest: works ? "passed" : "failed" }
    : controller;
  return reporting({ ...tested, reported: undefined }, [], context);
}

function actuate(
  controller: Controller,
  asked: LockMessageOf<"actuate">,
  context: ControllerContext,
): ControllerStep {
  const { memory } = controller;
  const { actuationId, action } = asked;
  const now = sensed(context.contacts, memory);
  const plan = beginActuation(memory.actuations, asked, now);
  switch (plan.value) {
    case "wait":
      return { controller, send: [] };
    case "answer": {
      const { outcome } = plan;
      return {
        controller,
        send: [{ type: "actuationResult", actuationId, outcome, ...plan.sensed }],
      };
    }
    case "refuse": {
      const { outcome } = plan;
      const after = { ...controller, memory: { ...memory, actuations: plan.memory } };
      return reporting(after, [{ type: "actuationResult", actuationId, outcome, ...now }], context);
    }
    case "pulse": {
      const begun = { ...controller, memory: { ...memory, actuations: plan.memory } };
      if (context.contacts.supplyMv < SUPPLY_MV_MIN)
        return end(begun, actuationId, "supply_low", context);
      return reporting({ ...begun, phase: pulseOf(actuationId, action, context) }, [], context);
    }
  }
}

function pulseOf(id: number, action: LockAction, { nowMs, travelMs }: ControllerContext): Phase {
  const motorMs = MOTOR_ACTIONS.has(action) ? travelMs(id) : 0;
  const lastsMs =
    action === "horn_lights" ? CALL_MS : MOTOR_ACTIONS.has(action) ? motorMs + SETTLE_MS : RELAY_MS;
  return {
    value: "pulse",
    id,
    action,
    travelMs: motorMs,
    motorUntilMs: nowMs + motorMs,
    endsMs: nowMs + lastsMs,
  };
}

const MOTOR_ACTIONS: ReadonlySet<LockAction> = new Set(["lock", "unlock", "trunk"]);

/** Records how an actuation ended, and says so. */
function end(
  controller: Controller,
  actuationId: number,
  outcome: LockOutcome,
  context: ControllerContext,
): ControllerStep {
  const { memory } = controller;
  const now = sensed(context.contacts, memory);
  const actuations = finishActuation(memory.actuations, actuationId, outcome, now);
  const idle: Controller = {
    ...controller,
    memory: { ...memory, actuations },
    phase: { value: "idle" },
  };
  return reporting(idle, [{ type: "actuationResult", actuationId, outcome, ...now }], context);
}

function tick(controller: Controller, context: ControllerContext): ControllerStep {
  const { phase, memory } = controller;
  const { nowMs } = context;
  if (phase.value === "starting") {
    return nowMs < phase.untilMs
      ? { controller, send: [] }
      : reporting({ ...controller, phase: { value: "idle" } }, [], context);
  }
  if (phase.value === "idle" || nowMs < phase.endsMs) return reporting(controller, [], context);
  const { id, action } = phase;
  const latched = {
    ...controller,
    memory: { ...memory, inhibited: latch(action, memory.inhibited) },
  };
  return end(latched, id, judge(action, context.contacts), context);
}

function latch(action: LockAction, inhibited: boolean): boolean {
  if (action === "inhibit_start") return true;
  return action === "allow_start" ? false : inhibited;
}

/**
 * How a pulse ended, by the contacts. A bolt between its ends behind a closed door is jammed; one that has not left
 * its place did not travel (an open door holds its bolt).
 */
function judge(action: LockAction, contacts: Contacts): LockOutcome {
  if (!MOTOR_ACTIONS.has(action)) return "done";
  const wanted = action === "lock" ? "locked" : "unlocked";
  const { doorFrontRight, doorRearLeft, doorRearRight } = contacts;
  const groups = [
    { bolt: contacts.boltDriver, shut: contacts.doorFrontLeft === "closed" },
    {
      bolt: contacts.boltPassengers,
      shut: [doorFrontRight, doorRearLeft, doorRearRight].every((leaf) => leaf === "closed"),
    },
    { bolt: contacts.boltTrunk, shut: contacts.trunk === "closed" },
  ];
  const moved = action === "trunk" ? groups.slice(2) : groups;
  if (moved.every(({ bolt }) => bolt === wanted)) return "done";
  if (contacts.supplyMv < SUPPLY_MV_MIN) return "supply_low";
  return moved.some(({ bolt, shut }) => bolt === "unknown" && shut) ? "jam" : "no_travel";
}
