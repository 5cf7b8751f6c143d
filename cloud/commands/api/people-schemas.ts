/** The schemas of people, consents, cards and access, as they are asked for and answered. */
import {
  ACCESS_KINDS,
  type AccessRequest,
  CONSENT_PURPOSES,
  type Consent,
  type CredentialRecord,
  type PersonProfile,
  type PersonRecord,
  type ProfileField,
  personProfileCodec,
  type Ticket,
} from "@kerbside/protocol";
import { type TSchema, Type } from "typebox";
import { iso } from "./views.ts";

export type View = Readonly<Record<string, unknown>>;
const strict = { additionalProperties: false } as const;
const TEXT_MAX = 400;
const UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$";
const text = (description: string, max: number = TEXT_MAX): TSchema =>
  Type.String({ description, minLength: 1, maxLength: max });
const time = (description: string): TSchema =>
  Type.String({ description: `${description} (ISO 8601)`, examples: ["2026-11-21T08:00:00.000Z"] });
export const uuid = (description: string): TSchema => Type.String({ pattern: UUID, description });
const oneOf = (names: readonly string[], description: string): TSchema =>
  Type.Unsafe<string>({ type: "string", enum: [...names], description });

export const PROFILE_FIELDS: readonly ProfileField[] = Object.keys(
  personProfileCodec.fields ?? {},
).filter((name): name is ProfileField => Object.hasOwn(personProfileCodec.fields ?? {}, name));

/** From the codec, so that a field that is added there is here as well. */
const profileSchema = (names: readonly ProfileField[]): TSchema =>
  Type.Object(
    Object.fromEntries(
      names.map((name) => [
        name,
        Type.Optional(text(personProfileCodec.fields?.[name]?.doc ?? name)),
      ]),
    ),
    strict,
  );
/**
 * What is asked of a profile, and shown to staff: not what a card is charged by (P-23). Only the payment desk writes that,
 * or one person's card would be charged for another.
 */
export const ProfileSchema: TSchema = profileSchema(
  PROFILE_FIELDS.filter((name) => name !== "paymentToken"),
);
const personSchema = (profile: TSchema): TSchema =>
  Type.Object(
    {
      person: uuid("opaque id"),
      state: oneOf(["active", "suspended", "erased"], "suspended and erased are for good"),
      profile,
      createdAt: time("when"),
      usedAt: Type.Optional(time("last use")),
      paidAt: Type.Optional(time("last payment")),
      suspendedAt: Type.Optional(time("when")),
      erasedAt: Type.Optional(time("when")),
    },
    strict,
  );
export const PersonSchema: TSchema = personSchema(ProfileSchema);
/** All that is kept of whoever asks. */
export const OwnPersonSchema: TSchema = personSchema(profileSchema(PROFILE_FIELDS));
export type PersonBody = {
  readonly profile: PersonProfile;
  readonly usedAt?: string;
  readonly paidAt?: string;
};
export const PersonBodySchema: TSchema = Type.Object(
  {
    profile: ProfileSchema,
    usedAt: Type.Optional(time("last use")),
    paidAt: Type.Optional(time("last payment")),
  },
  strict,
);

/** For staff. */
export function personView(record: PersonRecord): View {
  const { paymentToken: _, ...profile } = record.profile;
  return ownPersonView({ ...record, profile });
}

/** For the person. */
export function ownPersonView({ person, state, profile, ...times }: PersonRecord): View {
  const { createdAtMs, usedAtMs, paidAtMs, suspendedAtMs, erasedAtMs } = times;
  return {
    person,
    state,
    profile,
    createdAt: iso(createdAtMs),
    ...(usedAtMs === undefined ? {} : { usedAt: iso(usedAtMs) }),
    ...(paidAtMs === undefined ? {} : { paidAt: iso(paidAtMs) }),
    ...(suspendedAtMs === undefined ? {} : { suspendedAt: iso(suspendedAtMs) }),
    ...(erasedAtMs === undefined ? {} : { erasedAt: iso(erasedAtMs) }),
  };
}

const purpose = oneOf(CONSENT_PURPOSES, "to what");
export const ConsentSchema: TSchema = Type.Object(
  {
    purpose,
    version: text("of the text", 32),
    givenAt: time("when it was given"),
    withdrawnAt: Type.Optional(time("when it was withdrawn")),
  },
  strict,
);
export type ConsentBody = Pick<Consent, "purpose" | "version">;
export const ConsentBodySchema: TSchema = Type.Object(
  { purpose, version: text("of the text that was shown", 32) },
  strict,
);
export const WithdrawSchema: TSchema = Type.Object({ purpose }, strict);

export function consentView({ purpose: of, version, givenAtMs, withdrawnAtMs }: Consent): View {
  return {
    purpose: of,
    version,
    givenAt: iso(givenAtMs),
    ...(withdrawnAtMs === undefined ? {} : { withdrawnAt: iso(withdrawnAtMs) }),
  };
}

export function credentialView({ credential, kind, value, ...times }: CredentialRecord): View {
  return {
    credential,
    kind,
    value,
    addedAt: iso(times.addedAtMs),
    ...(times.removedAtMs === undefined ? {} : { removedAt: iso(times.removedAtMs) }),
  };
}

export const TicketSchema: TSchema = Type.Object(
  {
    ticket: uuid("its id"),
    openedBy: text("the tenant's contact"),
    words: text("what it is about"),
    openedAt: time("when"),
    closedAt: Type.Optional(time("when")),
  },
  strict,
);
export const TicketBodySchema: TSchema = Type.Object(
  { words: text("what it is about; no personal data", 200) },
  strict,
);
export function ticketView({ id, openedBy, words, openedAtMs, closedAtMs }: Ticket): View {
  const closed = closedAtMs === undefined ? {} : { closedAt: iso(closedAtMs) };
  return { ticket: id, openedBy, words, openedAt: iso(openedAtMs), ...closed };
}

export const AccessSchema: TSchema = Type.Object(
  {
    request: uuid("its id"),
    kind: oneOf(Object.keys(ACCESS_KINDS), "of what"),
    subject: text("of whom or what"),
    ticket: Type.Optional(uuid("what it is for")),
    reason: text("why"),
    askedBy: text("who"),
    askedAt: time("when"),
    state: oneOf(["asked", "approved", "refused", "ended"], "where it stands"),
    decidedBy: Type.Optional(text("who")),
    until: Type.Optional(time("when an approval ends")),
  },
  strict,
);
export type AccessBody = {
  readonly ticket: string;
  readonly vehicle: string;
  readonly reason: string;
  readonly minutes: number;
};
export const AccessBodySchema: TSchema = Type.Object(
  {
    ticket: uuid("an open ticket of the tenant's contact"),
    vehicle: Type.String({ pattern: "^[a-z0-9][a-z0-9-]{0,39}$", description: "which car" }),
    reason: text("what is to be looked at, and why", 200),
    minutes: Type.Integer({ minimum: 1, maximum: 1440, description: "for how long" }),
  },
  strict,
);
export function accessView({ id, kind, subject, ticket, reason, ...of }: AccessRequest): View {
  const { askedBy, askedAtMs, state } = of;
  return {
    request: id,
    kind,
    subject,
    ...(ticket === undefined ? {} : { ticket }),
    reason,
    askedBy,
    askedAt: iso(askedAtMs),
    state: state.at,
    ...(state.at === "asked" ? {} : { decidedBy: state.by }),
    ...(state.at === "approved" ? { until: iso(state.untilMs) } : {}),
  };
}
