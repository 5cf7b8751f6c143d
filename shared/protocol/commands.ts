/**
 * Commands to a car and its answers. A command is a COSE_Sign1 by the tenant's command key; an answer is one by the
 * car's key, bound to the hash of the command it answers. A command is never queued for later.
 */
import { openSign1, sign1 } from "./cose.ts";
import { type SigningKey, sha256, type VerifyKey } from "./crypto.ts";
import { bookingCodec, hash256, random128, tenantCodec, vehicleCodec } from "./ids.ts";
import { KEY_PURPOSES, VEHICLE_DOMAINS } from "./keys.ts";
import {
  bool,
  choice,
  decode,
  encode,
  field,
  list,
  optional,
  struct,
  type TypeOf,
  text,
  uint,
} from "./schema.ts";

/** The longest a command may live, from the moment the car's clock reads it, in milliseconds. */
export const COMMAND_LIFE_MS_MAX = 30_000;
/** The longest a command may stay `armed` on the car, in milliseconds on its boot clock. */
export const ARMED_MS_MAX: number = 12 * 3_600_000;

export const COMMAND_DOMAINS = ["body", "immobiliser", "rental"] as const;
export const ACTIONS = [
  "lock",
  "unlock",
  "trunk",
  "immobilise",
  "release",
  "unlock_and_release",
  "lock_and_immobilise",
  "find",
  "end_rental",
  "cancel",
  "terminate",
] as const;
export type Action = (typeof ACTIONS)[number];

/** The domain each action belongs to; a command whose domain differs is refused. */
export const ACTION_DOMAIN: Readonly<Record<Action, (typeof COMMAND_DOMAINS)[number]>> = {
  lock: "body",
  unlock: "body",
  trunk: "body",
  find: "body",
  immobilise: "immobiliser",
  release: "immobiliser",
  unlock_and_release: "rental",
  lock_and_immobilise: "rental",
  end_rental: "rental",
  cancel: "immobiliser",
  terminate: "rental",
};

const internal = { class: "Internal" } as const;
export const commandCodec = struct("command", {
  id: field(0, random128, { ...internal, doc: "the command's id" }),
  tenant: field(1, tenantCodec, { ...internal, doc: "tenant" }),
  vehicle: field(2, vehicleCodec, { ...internal, doc: "vehicle" }),
  domain: field(3, choice(COMMAND_DOMAINS), { ...internal, doc: "the domain of its action" }),
  action: field(4, choice(ACTIONS), { ...internal, doc: "what to do" }),
  booking: optional(5, bookingCodec, {
    class: "Confidential",
    tag: "SPI",
    doc: "the booking it is for",
  }),
  epoch: field(6, random128, { ...internal, doc: "the car's epoch" }),
  counter: field(7, uint(), { ...internal, doc: "strictly rising for a vehicle" }),
  expiresAtMs: field(8, uint(), {
    ...internal,
    doc: "on the session clock; refused at or past it",
    unit: "ms",
  }),
  waitMs: optional(9, uint(ARMED_MS_MAX), {
    ...internal,
    doc: "how long it may stay `armed` until the car stands; missing: refused where it does not",
    unit: "ms",
  }),
  target: optional(10, random128, { ...internal, doc: "the armed command that `cancel` is for" }),
});
export type Command = TypeOf<typeof commandCodec>;

export function signCommand(key: SigningKey, command: Command): Uint8Array {
  return sign1(key, KEY_PURPOSES.command.domain, encode(commandCodec, command));
}

/** Throws ProtocolError `malformed` or `unauthenticated`. Says nothing yet of vehicle, epoch, counter or life. */
export function openCommand(key: VerifyKey, envelope: Uint8Array): Command {
  return decode(commandCodec, openSign1(key, KEY_PURPOSES.command.domain, envelope));
}

/** The hash that binds a result to the command it answers: SHA-256 of the whole envelope. */
export function requestHashOf(envelope: Uint8Array): Uint8Array {
  return sha256(envelope);
}

/** `received` and `armed` (waiting on the car until it stands) are steps on the way, all others end a command. */
export const RESULT_STATUSES = [
  "received",
  "executed",
  "refused",
  "expired",
  "stale_session",
  "unknown",
  "armed",
] as const;
export type ResultStatus = (typeof RESULT_STATUSES)[number];

export const unmetCodec = struct("a condition that was not met", {
  condition: field(0, text(64), { ...internal, doc: "its name in the interlock table" }),
  words: field(1, text(200), { ...internal, doc: "in words a backend can show" }),
});
export type UnmetCondition = TypeOf<typeof unmetCodec>;

const SEEN = ["yes", "no", "unknown"] as const;
export const sensedCodec = struct("what was sensed after it", {
  locked: field(0, choice(SEEN), { ...internal, doc: "all bolts locked" }),
  immobilised: field(1, choice(SEEN), { ...internal, doc: "start inhibited" }),
  doorsClosed: field(2, choice(SEEN), { ...internal, doc: "all doors and the trunk closed" }),
});
export type SensedState = TypeOf<typeof sensedCodec>;

export const resultCodec = struct("result of a command", {
  tenant: field(0, tenantCodec, { ...internal, doc: "tenant" }),
  vehicle: field(1, vehicleCodec, { ...internal, doc: "vehicle" }),
  id: field(2, random128, { ...internal, doc: "the command's id" }),
  requestHash: field(3, hash256, { ...internal, doc: "SHA-256 of the command's envelope" }),
  status: field(4, choice(RESULT_STATUSES), { ...internal, doc: "what became of it" }),
  replayed: field(5, bool, {
    ...internal,
    doc: "the recorded answer to a command that was seen before",
  }),
  unmet: field(6, list(unmetCodec, 32), { ...internal, doc: "every condition that was not met" }),
  sensed: optional(7, sensedCodec, { ...internal, doc: "the state after it, by the sensors" }),
  durable: field(8, bool, { ...internal, doc: "whether intent and result are on the car's disk" }),
  reason: optional(9, text(64), { ...internal, doc: "why it failed, e.g. jam" }),
  mayHaveSucceeded: field(10, bool, { ...internal, doc: "the bolts may have moved all the same" }),
  sessionMs: field(11, uint(), {
    ...internal,
    doc: "the session clock as it was answered",
    unit: "ms",
  }),
});
export type CommandResult = TypeOf<typeof resultCodec>;

export function signResult(key: SigningKey, result: CommandResult): Uint8Array {
  return sign1(key, VEHICLE_DOMAINS.result, encode(resultCodec, result));
}

/** Throws ProtocolError `malformed` or `unauthenticated`. */
export function openResult(key: VerifyKey, envelope: Uint8Array): CommandResult {
  return decode(resultCodec, openSign1(key, VEHICLE_DOMAINS.result, envelope));
}
