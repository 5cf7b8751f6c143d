/** How exactly and for how long a tenant keeps what its cars report, and which cars are a person's own. */
import {
  type AuditEntry,
  POSITION_RULES,
  type PositionPolicy,
  ProtocolError,
  RETENTION_CLASSES,
  RETENTION_DAYS,
  RETENTION_NAMES,
  type RetentionTerms,
} from "@kerbside/protocol";
import { type TSchema, Type } from "typebox";
import { uuid } from "./people-schemas.ts";
import { type Answer, type Call, type Route, vehicleParam } from "./route.ts";

const strict = { additionalProperties: false } as const;
const rule = (description: string): TSchema =>
  Type.Unsafe<string>({ type: "string", enum: [...POSITION_RULES], description });
const PolicySchema: TSchema = Type.Object(
  {
    rented: rule("while the car is in somebody's booking"),
    free: rule("else"),
  },
  {
    ...strict,
    description:
      "exact; coarse: to about a kilometre; none: only that there was one. Of what comes in from now on",
  },
);
const OwnerSchema: TSchema = Type.Object(
  { person: Type.Optional(uuid("whose car it is")) },
  strict,
);

const RetentionSchema: TSchema = Type.Object(
  Object.fromEntries(
    RETENTION_NAMES.map((name) => {
      const { min: minimum, max: maximum } = RETENTION_DAYS;
      const description = `days since they came in: ${RETENTION_CLASSES[name].doc}`;
      return [name, Type.Optional(Type.Integer({ minimum, maximum, description }))] as const;
    }),
  ),
  { ...strict, description: "A class that is left out is kept for as long as the tenant is here" },
);

function audit(call: Call, action: string, subject: string): AuditEntry {
  const { caller, from } = call;
  return { actor: caller.subject, action, subject, outcome: "done", from };
}

async function setPolicy(call: Call): Promise<Answer> {
  // By the row's schema.
  const policy = call.body as PositionPolicy;
  const entry = audit(call, "privacy.set", `tenant:${call.caller.tenant}`);
  await call.store.privacy.setPositions(policy, entry);
  return { status: 200, body: policy };
}

async function setRetention(call: Call): Promise<Answer> {
  // By the row's schema.
  const terms = call.body as RetentionTerms;
  const entry = audit(call, "retention.set", `tenant:${call.caller.tenant}`);
  await call.store.retention.setTerms(terms, entry);
  return { status: 200, body: terms };
}

async function setOwner(call: Call): Promise<Answer> {
  const vehicle = vehicleParam(call);
  // By the row's schema.
  const { person } = call.body as { readonly person?: string };
  if ((await call.store.vehicle(vehicle)) === undefined)
    throw new ProtocolError("not_found", "vehicle: there is none such");
  const record = person === undefined ? undefined : await call.store.people.person(person);
  if (person !== undefined && record?.state !== "active")
    throw new ProtocolError("not_found", "person: there is none such");
  await call.store.privacy.setOwner(
    vehicle,
    person,
    audit(call, "owner.set", `vehicle:${vehicle}`),
  );
  return { status: 200, body: person === undefined ? {} : { person } };
}

export const PRIVACY_ROUTES: readonly Route[] = [
  {
    ...{ method: "GET", path: "/privacy", operation: "getPrivacy" },
    summary: "How exactly positions are kept",
    ...{ scopes: ["events:read", "privacy:write"], tag: "people" },
    answers: { 200: PolicySchema },
    handle: async (call) => ({ status: 200, body: await call.store.privacy.positions() }),
  },
  {
    ...{ method: "PUT", path: "/privacy", operation: "setPrivacy" },
    summary: "Say how exactly positions are kept from now on",
    ...{ scopes: ["privacy:write"], tag: "people", body: PolicySchema },
    answers: { 200: PolicySchema },
    handle: setPolicy,
  },
  {
    ...{ method: "GET", path: "/retention", operation: "getRetention" },
    summary: "How long what the cars report is kept, by class",
    ...{ scopes: ["events:read", "privacy:write"], tag: "people" },
    answers: { 200: RetentionSchema },
    handle: async (call) => ({ status: 200, body: await call.store.retention.terms() }),
  },
  {
    ...{ method: "PUT", path: "/retention", operation: "setRetention" },
    summary:
      "Say how long what the cars report is kept, by class; what is older goes within the hour",
    ...{ scopes: ["privacy:write"], tag: "people", body: RetentionSchema },
    answers: { 200: RetentionSchema },
    handle: setRetention,
  },
  {
    ...{ method: "PUT", path: "/vehicles/:vehicle/owner", operation: "setOwner" },
    summary: "Say which person a car belongs to; nobody where none is named",
    ...{ scopes: ["privacy:write"], tag: "people", body: OwnerSchema },
    answers: { 200: OwnerSchema },
    handle: setOwner,
  },
];
