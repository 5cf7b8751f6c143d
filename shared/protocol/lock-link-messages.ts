/**
 * What module and lock controller say to each other: one table gives number, direction, layout, type and
 * documentation of each message. Rows and names are only ever appended; a changed layout is a new version.
 */
import { ProtocolError } from "./errors.ts";
import {
  flag,
  named,
  octets,
  readLayout,
  u8,
  u16,
  u32,
  type WireLayout,
  type WireValues,
  writeLayout,
} from "./lock-link-layout.ts";

/** The versions of the message table that this code speaks. */
export const LOCK_VERSION_MIN = 1;
export const LOCK_VERSION_MAX = 1;
export const LOCK_NONCE_BYTES = 16;
export const LOCK_DEVICE_ID_BYTES = 8;

export const LOCK_ROLES = ["module", "controller"] as const;
export type LockRole = (typeof LOCK_ROLES)[number];

export const LOCK_ACTIONS = [
  "lock",
  "unlock",
  "trunk",
  "inhibit_start",
  "allow_start",
  "horn_lights",
] as const;
export type LockAction = (typeof LOCK_ACTIONS)[number];

/**
 * How an actuation ended. `interrupted`: the controller lost its supply or was reset during the pulse; it does not
 * go on, and what it senses is all that is known. `refused`: the id is not above the last and not remembered, or the
 * controller does not know the action.
 */
export const LOCK_OUTCOMES = [
  "none",
  "done",
  "jam",
  "no_travel",
  "refused",
  "busy",
  "supply_low",
  "interrupted",
] as const;
export type LockOutcome = (typeof LOCK_OUTCOMES)[number];

export const LOCK_NAK_REASONS = ["unsupported", "malformed"] as const;
export type LockNakReason = (typeof LOCK_NAK_REASONS)[number];

const bolt = named(["unknown", "locked", "unlocked"]);
const leaf = named(["unknown", "closed", "open"]);

/** What the controller's own contacts say, the same in a status report and in a result. */
const SENSED = {
  boltDriver: bolt,
  boltPassengers: bolt,
  boltTrunk: bolt,
  doorFrontLeft: leaf,
  doorFrontRight: leaf,
  doorRearLeft: leaf,
  doorRearRight: leaf,
  trunk: leaf,
  immobiliser: named(["unknown", "free", "inhibited"]),
  supplyMv: u16,
  tamper: named(["unknown", "intact", "opened"]),
} as const satisfies WireLayout;
export type LockSensed = WireValues<typeof SENSED>;

type MessageRow = {
  readonly code: number;
  readonly from: LockRole | "both";
  /** Whether the receiver's session answers it with `ack` at once. */
  readonly acked: boolean;
  readonly doc: string;
  readonly layout: WireLayout;
};

export const LOCK_MESSAGES = {
  hello: {
    code: 0x01,
    from: "module",
    acked: false,
    doc: "Asks for a session; counter 0, under the greeting key.",
    layout: {
      versionMin: u8,
      versionMax: u8,
      moduleId: octets(LOCK_DEVICE_ID_BYTES),
      moduleNonce: octets(LOCK_NONCE_BYTES),
    },
  },
  welcome: {
    code: 0x02,
    from: "controller",
    acked: false,
    doc: "Answers the hello whose nonce it repeats; counter 0, under the greeting key. Version 0: none in common.",
    layout: {
      version: u8,
      controllerId: octets(LOCK_DEVICE_ID_BYTES),
      moduleNonce: octets(LOCK_NONCE_BYTES),
      controllerNonce: octets(LOCK_NONCE_BYTES),
      firmwareMajor: u8,
      firmwareMinor: u8,
      firmwarePatch: u8,
    },
  },
  ack: {
    code: 0x03,
    from: "both",
    acked: false,
    doc: "The frame with this counter arrived and was understood; says nothing of what comes of it.",
    layout: { counter: u32 },
  },
  nak: {
    code: 0x04,
    from: "both",
    acked: false,
    doc: "The frame with this counter was authentic and is not acted upon.",
    layout: { counter: u32, reason: named(LOCK_NAK_REASONS, 1) },
  },
  heartbeat: {
    code: 0x05,
    from: "both",
    acked: false,
    doc: "Proves that the sender lives; also the module's first frame of a session.",
    layout: { uptimeMs: u32 },
  },
  statusRequest: {
    code: 0x10,
    from: "module",
    acked: false,
    doc: "Asks for a status report; with the self-test run first where asked.",
    layout: { selfTest: flag },
  },
  statusReport: {
    code: 0x11,
    from: "controller",
    acked: false,
    doc: "Sent on request, and by itself whenever something in it but the supply changes.",
    layout: {
      ...SENSED,
      selfTest: named(["not_run", "passed", "failed"]),
      lastActuationId: u32,
      lastOutcome: named(LOCK_OUTCOMES),
      resetCount: u16,
      midPulse: flag,
    },
  },
  actuate: {
    code: 0x20,
    from: "module",
    acked: true,
    doc: "Do it once. Ids rise for the life of the controller; a repeated one is answered with its recorded outcome and moves nothing.",
    layout: { actuationId: u32, action: named(LOCK_ACTIONS, 1) },
  },
  actuationResult: {
    code: 0x21,
    from: "controller",
    acked: true,
    doc: "How it ended and what is sensed after it.",
    layout: { actuationId: u32, outcome: named(LOCK_OUTCOMES), ...SENSED },
  },
} as const satisfies Record<string, MessageRow>;

export type LockMessageType = keyof typeof LOCK_MESSAGES;
export type LockMessageOf<T extends LockMessageType> = { readonly type: T } & WireValues<
  (typeof LOCK_MESSAGES)[T]["layout"]
>;
export type LockMessage = { [T in LockMessageType]: LockMessageOf<T> }[LockMessageType];

const ROWS: Readonly<Record<LockMessageType, MessageRow>> = LOCK_MESSAGES;
const TYPES: ReadonlyMap<number, LockMessageType> = new Map(
  Object.entries(LOCK_MESSAGES).map(([type, row]) => [row.code, type as LockMessageType]),
);

export function lockMessageRow(type: LockMessageType): MessageRow {
  return ROWS[type];
}

/** The message of a code, or undefined where this version has none. */
export function lockMessageType(code: number): LockMessageType | undefined {
  return TYPES.get(code);
}

/** Throws ProtocolError `malformed` where a value is outside its field. */
export function encodeLockPayload(message: LockMessage): Uint8Array {
  return writeLayout(ROWS[message.type].layout, message);
}

/** Throws ProtocolError `malformed` for an unknown code, another length, or a value outside its field. */
export function decodeLockPayload(code: number, payload: Uint8Array): LockMessage {
  const type = TYPES.get(code);
  if (type === undefined) throw new ProtocolError("malformed", `lock link: no message ${code}`);
  return { type, ...readLayout(ROWS[type].layout, payload) } as LockMessage;
}
