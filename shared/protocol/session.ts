/**
 * A session of commands: an epoch of 128 random bits made at each start of the agent and at each resume from
 * suspend, announced signed with the session clock, so that the cloud can say how long a command lives.
 */

import { ARTEFACT_ID_BYTES, RECEIPTS_MAX } from "./artefact.ts";
import { concatBytes, equalBytes } from "./bytes.ts";
import { openSign1, sign1 } from "./cose.ts";
import type { SigningKey, VerifyKey } from "./crypto.ts";
import { ProtocolError } from "./errors.ts";
import { POWER_STATES } from "./event-kinds.ts";
import { random128, tenantCodec, vehicleCodec } from "./ids.ts";
import { keyVersionsCodec } from "./key-push.ts";
import { VEHICLE_DOMAINS } from "./keys.ts";
import {
  bytes,
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

/** Refusals that an announcement tells. */
export const REFUSED_MAX = 8;

const internal = { class: "Internal" } as const;
const artefactIdCodec = bytes(ARTEFACT_ID_BYTES);
const refusedCodec = struct("an artefact that was not taken", {
  artefact: field(0, artefactIdCodec, { ...internal, doc: "which" }),
  reason: field(1, text(64), { ...internal, doc: "why, in words for an operator" }),
});
export const sessionCodec = struct("session announcement", {
  tenant: field(0, tenantCodec, { ...internal, doc: "tenant" }),
  vehicle: field(1, vehicleCodec, { ...internal, doc: "vehicle" }),
  epoch: field(2, random128, { ...internal, doc: "the epoch" }),
  sessionMs: field(3, uint(), {
    ...internal,
    doc: "the session clock as this was signed",
    unit: "ms",
  }),
  reason: field(4, choice(["start", "resume", "reconnect", "change"]), {
    ...internal,
    doc: "why it is announced",
  }),
  announcement: field(5, uint(), {
    ...internal,
    doc: "rises within the epoch; an older one is ignored",
  }),
  timeNonce: field(6, random128, {
    ...internal,
    doc: "to be bound into the cloud's answer with the time",
  }),
  agentVersion: field(7, text(32), { ...internal, doc: "version of the agent" }),
  profile: field(8, text(64), {
    ...internal,
    doc: "name and version of the vehicle profile in force",
  }),
  epochNumber: optional(9, uint(), {
    ...internal,
    doc: "rises from one epoch to the next, so that an old announcement is known as one",
  }),
  grantsVersion: optional(10, uint(), {
    ...internal,
    doc: "version of the grant list in force: the car's receipt for it; 0: none yet",
  }),
  keyVersions: optional(11, keyVersionsCodec, { ...internal, doc: "the keys it trusts" }),
  power: optional(12, choice(POWER_STATES), { ...internal, doc: "how much of it is awake" }),
  artefacts: optional(13, list(artefactIdCodec, RECEIPTS_MAX), {
    ...internal,
    doc: "the artefacts it keeps, as `artefactId` names them: its receipts",
  }),
  artefactsRefused: optional(14, list(refusedCodec, REFUSED_MAX), {
    ...internal,
    doc: "those that it did not take, the latest",
  }),
});
export type SessionAnnouncement = TypeOf<typeof sessionCodec>;

export function signSession(key: SigningKey, session: SessionAnnouncement): Uint8Array {
  return sign1(key, VEHICLE_DOMAINS.session, encode(sessionCodec, session));
}

/** Throws ProtocolError `malformed` or `unauthenticated`. */
export function openSession(key: VerifyKey, envelope: Uint8Array): SessionAnnouncement {
  return decode(sessionCodec, openSign1(key, VEHICLE_DOMAINS.session, envelope));
}

const EPOCH_BYTES = 16;
/** Follows the epoch where the car goes to sleep and can be woken; without it, it is just gone. */
const ASLEEP = Uint8Array.of(1);

/** What is said on `gone`. Unsigned: whoever forges it can at most make a car look away until it speaks again. */
export function encodeGone(epoch: Uint8Array, asleep: boolean): Uint8Array {
  return asleep ? concatBytes(epoch, ASLEEP) : epoch;
}

/** Throws ProtocolError `malformed`. */
export function parseGone(message: Uint8Array): {
  readonly epoch: Uint8Array;
  readonly asleep: boolean;
} {
  const epoch = message.slice(0, EPOCH_BYTES);
  const rest = message.subarray(EPOCH_BYTES);
  const asleep = equalBytes(rest, ASLEEP);
  if (epoch.length !== EPOCH_BYTES || !(asleep || rest.length === 0)) {
    throw new ProtocolError("malformed", "gone: expected an epoch");
  }
  return { epoch, asleep };
}
