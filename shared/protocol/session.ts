/**
 * A session of commands: an epoch of 128 random bits made at each start of the agent and at each resume from
 * suspend, announced signed with the session clock, so that the cloud can say how long a command lives.
 */
import { openSign1, sign1 } from "./cose.ts";
import type { SigningKey, VerifyKey } from "./crypto.ts";
import { random128, tenantCodec, vehicleCodec } from "./ids.ts";
import { VEHICLE_DOMAINS } from "./keys.ts";
import { choice, decode, encode, field, struct, type TypeOf, text, uint } from "./schema.ts";

const internal = { class: "Internal" } as const;
export const sessionCodec = struct("session announcement", {
  tenant: field(0, tenantCodec, { ...internal, doc: "tenant" }),
  vehicle: field(1, vehicleCodec, { ...internal, doc: "vehicle" }),
  epoch: field(2, random128, { ...internal, doc: "the epoch" }),
  sessionMs: field(3, uint(), {
    ...internal,
    doc: "the session clock as this was signed",
    unit: "ms",
  }),
  reason: field(4, choice(["start", "resume", "reconnect"]), {
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
});
export type SessionAnnouncement = TypeOf<typeof sessionCodec>;

export function signSession(key: SigningKey, session: SessionAnnouncement): Uint8Array {
  return sign1(key, VEHICLE_DOMAINS.session, encode(sessionCodec, session));
}

/** Throws ProtocolError `malformed` or `unauthenticated`. */
export function openSession(key: VerifyKey, envelope: Uint8Array): SessionAnnouncement {
  return decode(sessionCodec, openSign1(key, VEHICLE_DOMAINS.session, envelope));
}
