/**
 * The lock controller's firmware, pure: inputs (messages, contacts, time, a reset) to a new state and messages. It
 * moves for an actuation id once, remembers how each ended, and latches the immobiliser without the module.
 */
import type {
  LockAction,
  LockLinkSendable,
  LockMessage,
  LockMessageOf,
  LockOutcome,
  LockSensed,
} from "@kerbside/protocol";
import { BOLTS, type LockMotor } from "../car/state.ts";
import type { Contacts } from "./contacts.ts";

/** Outcomes remembered; the oldest is forgotten, and its id then refused. */
export const OUTCOMES_MAX = 16;
/** Below this the motor is not tried. */
export const SUPPLY_MV_MIN = 9500;
export const FIRMWARE = { major: 1, minor: 4, patch: 2 } as const;
const BOOT_MS = 400;
const RELAY_MS = 40;
/** Contacts are read this long after the motor has stopped. */
const SETTLE_MS = 50;
const CALL_MS = 1500;

/** What survives a loss of supply. */
export type ControllerMemory = {
  readonly lastActuationId: number;
  readonly outcomes: readonly { readonly id: number; readonly outcome: LockOutcome }[];
  readonly inhibited: boolean;
  readonly resetCount: number;
  /** Written before the pulse and cleared after it: what is here at a start was interrupted. */
  readonly pulse: { readonly id: number; readonly action: LockAction } | null;
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
  readonly reported: string;
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
  lastActuationId: 0,
  outcomes: [],
  inhibited: false,
  resetCount: 0,
  pulse: null,
};

/** A controller whose supply comes on at `nowMs`. A pulse that was under way does not go on. */
export function startController(memory: ControllerMemory, nowMs: number): Controller {
  const { pulse } = memory;
  const settled =
    pulse === null ? memory : { ...record(memory, pulse.id, "interrupted"), pulse: null };
  return {
    memory: settled,
    phase: { value: "starting", untilMs: nowMs + BOOT_MS },
    selfTest: "not_run",
    reported: "",
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
      return { controller: startController(counted, context.nowMs), send: [] };
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

function record(memory: ControllerMemory, id: number, outcome: LockOutcome): ControllerMemory {
  return {
    ...memory,
    lastActuationId: Math.max(memory.lastActuationId, id),
    outcomes: [...memory.outcomes, { id, outcome }].slice(-OUTCOMES_MAX),
  };
}

function sensed({ contacts }: ControllerContext, memory: ControllerMemory): LockSensed {
  const { motorAnswers: _not, ...rest } = contacts;
  return { ...rest, immobiliser: memory.inhibited ? "inhibited" : "free" };
}

function result(
  actuationId: number,
  outcome: LockOutcome,
  memory: ControllerMemory,
  context: ControllerContext,
): LockLinkSendable {
  return { type: "actuationResult", actuationId, outcome, ...sensed(context, memory) };
}

function report(controller: Controller, context: ControllerContext): LockMessageOf<"statusReport"> {
  const { memory, phase, selfTest } = controller;
  const last = memory.outcomes.at(-1);
  return {
    type: "statusReport",
    ...sensed(context, memory),
    selfTest,
    lastActuationId: memory.lastActuationId,
    lastOutcome: last?.id === memory.lastActuationId ? last.outcome : "none",
    resetCount: memory.resetCount,
    midPulse: phase.value === "pulse",
  };
}

/** Adds a report if anything in it but the supply has changed. */
function reporting(
  controller: Controller,
  send: readonly LockLinkSendable[],
  context: ControllerContext,
): ControllerStep {
  const whole = report(controller, context);
  const reported = JSON.stringify({ ...whole, supplyMv: 0 });
  if (reported === controller.reported) return { controller, send };
  return { controller: { ...controller, reported }, send: [...send, whole] };
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
  return reporting({ ...tested, reported: "" }, [], context);
}

function actuate(
  controller: Controller,
  { actuationId: id, action }: LockMessageOf<"actuate">,
  context: ControllerContext,
): ControllerStep {
  const { memory, phase } = controller;
  if (phase.value === "pulse" && phase.id === id) return { controller, send: [] };
  const known = memory.outcomes.find((done) => done.id === id);
  if (known !== undefined)
    return { controller, send: [result(id, known.outcome, memory, context)] };
  if (id <= memory.lastActuationId)
    return { controller, send: [result(id, "refused", memory, context)] };
  const against = refusal(controller, context);
  if (against !== undefined) {
    const after = record(memory, id, against);
    return reporting(
      { ...controller, memory: after },
      [result(id, against, after, context)],
      context,
    );
  }
  const { nowMs } = context;
  const travelMs = context.travelMs(id);
  const motorMs = MOTOR_ACTIONS.has(action) ? travelMs : 0;
  const lastsMs = action === "horn_lights" ? CALL_MS : motorMs > 0 ? motorMs + SETTLE_MS : RELAY_MS;
  return reporting(
    {
      ...controller,
      memory: { ...memory, lastActuationId: id, pulse: { id, action } },
      phase: {
        value: "pulse",
        id,
        action,
        travelMs,
        motorUntilMs: nowMs + motorMs,
        endsMs: nowMs + lastsMs,
      },
    },
    [],
    context,
  );
}

const MOTOR_ACTIONS: ReadonlySet<LockAction> = new Set(["lock", "unlock", "trunk"]);

function refusal({ phase }: Controller, { contacts }: ControllerContext): LockOutcome | undefined {
  if (phase.value === "pulse") return "busy";
  return contacts.supplyMv < SUPPLY_MV_MIN ? "supply_low" : undefined;
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
  const outcome = judge(action, context.contacts);
  const latched = { ...memory, inhibited: latch(action, memory.inhibited), pulse: null };
  const after = record(latched, id, outcome);
  const idle: Controller = { ...controller, memory: after, phase: { value: "idle" } };
  return reporting(idle, [result(id, outcome, after, context)], context);
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
