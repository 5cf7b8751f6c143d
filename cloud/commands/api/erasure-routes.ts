/**
 * The end of what is kept of people (P-81, P-82), a stage a call: suspended, erased when the term has passed, certified
 * when the backups of the keys have ended. Holds keep somebody from it. The copy that a hold keeps is no page's.
 */
import { randomUUID } from "node:crypto";
import {
  type AuditEntry,
  type HeldThing,
  type LegalHold,
  ProtocolError,
  vehicleId,
} from "@kerbside/protocol";
import { Type } from "typebox";
import { uuid } from "./people-schemas.ts";
import { type Answer, type Call, limitOf, type Route, timeOf } from "./route.ts";
import { pageOf } from "./schemas.ts";
import { toolsOf } from "./tools-of.ts";
import { iso } from "./views.ts";

const strict = { additionalProperties: false } as const;
const NOTHING = Type.Object({}, strict);
const WORDS_MAX = 200;
const READERS_MAX = 10;
const words = (description: string) =>
  Type.String({ minLength: 1, maxLength: WORDS_MAX, description });
const time = (description: string) => Type.String({ description: `${description} (ISO 8601)` });

const DueSchema = Type.Object(
  {
    person: uuid("whom"),
    stage: Type.Unsafe<string>({
      type: "string",
      enum: ["suspend", "erase", "certify"],
      description: "what is to be done next",
    }),
    term: Type.String({ description: "by what the person did" }),
    due: time("when it may be done"),
    held: Type.Boolean({ description: "a legal hold keeps the person" }),
  },
  strict,
);
const HoldSchema = Type.Object(
  {
    hold: uuid("its id"),
    person: Type.Optional(uuid("whom it keeps")),
    vehicle: Type.Optional(Type.String({ description: "which car it keeps" })),
    from: Type.Optional(time("with the car: since when")),
    to: Type.Optional(time("with the car: until when")),
    reason: Type.String({ description: "which proceedings" }),
    readers: Type.Array(Type.String(), { description: "who may read the copy" }),
    placedAt: time("when"),
    releasedAt: Type.Optional(time("when it ended")),
  },
  strict,
);
const HoldBodySchema = Type.Object(
  {
    person: Type.Optional(uuid("whom; or a car with its times")),
    vehicle: Type.Optional(
      Type.String({ pattern: "^[a-z0-9][a-z0-9-]{0,39}$", description: "car" }),
    ),
    from: Type.Optional(time("with the car: since when")),
    to: Type.Optional(time("with the car: until when")),
    reason: words("which proceedings; no personal data"),
    readers: Type.Array(words("who may read the copy"), { minItems: 1, maxItems: READERS_MAX }),
  },
  strict,
);
const EraseBodySchema = Type.Object(
  {
    reason: words("why, for the audit trail"),
    early: Type.Optional(
      Type.Boolean({ description: "before the legal term has passed: the person asked for it" }),
    ),
  },
  strict,
);
const CertificateSchema = Type.Object(
  {
    statement: Type.String({ description: "what is certified, as it was signed" }),
    publicKey: Type.String({ description: "of the tenant's audit key, in hexadecimal" }),
    signature: Type.String({ description: "Ed25519, in hexadecimal" }),
  },
  strict,
);

function audit(call: Call, action: string, subject: string, reason?: string): AuditEntry {
  const { caller, from } = call;
  const entry = { actor: caller.subject, action, subject, outcome: "done", from } as const;
  return reason === undefined ? entry : { ...entry, reason };
}

async function list(call: Call): Promise<Answer> {
  const due = await (await toolsOf(call)).erasures(call.parts.clock.wallMs());
  const items = due
    .slice(0, limitOf(call.query))
    .map(({ dueAtMs, ...rest }) => ({ ...rest, due: iso(dueAtMs) }));
  return { status: 200, body: { items } };
}

async function erase(call: Call): Promise<Answer> {
  const { person = "" } = call.params;
  // By the row's schema.
  const { reason, early = false } = call.body as { reason: string; early?: boolean };
  const nowMs = call.parts.clock.wallMs();
  const due = await (await toolsOf(call)).erasures(nowMs);
  const own = due.find((one) => one.person === person && one.stage === "erase");
  if (own !== undefined && own.dueAtMs > nowMs && !early)
    throw new ProtocolError("conflict", `person: is due at ${iso(own.dueAtMs)}, if not asked for`);
  const why = early ? `${reason} (before the term)` : reason;
  await call.store.people.erasePerson(person, audit(call, "person.erase", `person:${person}`, why));
  return { status: 200, body: {} };
}

async function certify(call: Call): Promise<Answer> {
  const { person = "" } = call.params;
  const entry = audit(call, "person.certify", `person:${person}`);
  const { statement, publicKey, signature } = await (await toolsOf(call)).certify(person, entry);
  return { status: 200, body: { statement, publicKey, signature } };
}

function holdView(held: LegalHold): unknown {
  const { placedAtMs, releasedAtMs, hold, reason, readers } = held;
  const released = releasedAtMs === undefined ? {} : { releasedAt: iso(releasedAtMs) };
  const thing =
    held.vehicle === undefined
      ? { person: held.person }
      : { vehicle: held.vehicle, from: iso(held.fromMs), to: iso(held.toMs) };
  return { hold, ...thing, reason, readers, placedAt: iso(placedAtMs), ...released };
}

type HoldBody = Pick<LegalHold, "reason" | "readers"> &
  Readonly<Partial<Record<"person" | "vehicle" | "from" | "to", string>>>;

function heldThing({ person, vehicle, from, to }: HoldBody): HeldThing {
  const times = [vehicle, from, to].filter((field) => field !== undefined);
  if (person !== undefined && times.length === 0) return { person };
  if (person !== undefined || vehicle === undefined || from === undefined || to === undefined)
    throw new ProtocolError("malformed", "hold: expected a person, or a vehicle with from and to");
  const [fromMs, toMs] = [timeOf("from", from), timeOf("to", to)];
  if (fromMs > toMs) throw new ProtocolError("malformed", "to: expected a time after `from`");
  return { vehicle: vehicleId(vehicle), fromMs, toMs };
}

async function placeHold(call: Call): Promise<Answer> {
  // By the row's schema.
  const body = call.body as HoldBody;
  const { reason, readers } = body;
  const thing = heldThing(body);
  const placedAtMs = call.parts.clock.wallMs();
  const hold = { ...thing, reason, readers, hold: randomUUID(), placedAtMs };
  const subject =
    thing.vehicle === undefined ? `person:${thing.person}` : `vehicle:${thing.vehicle}`;
  const entry = audit(call, "hold.place", subject, reason);
  await call.store.people.placeHold(hold, entry);
  return { status: 201, body: holdView(hold) };
}

const common = { scopes: ["people:erase"], tag: "people" } as const;

export const ERASURE_ROUTES: readonly Route[] = [
  {
    ...{ method: "GET", path: "/erasures", operation: "listErasures" },
    summary: "Whose data is to be suspended, erased or certified, soonest first",
    ...{ ...common, query: ["limit"], personal: true },
    answers: { 200: pageOf(DueSchema) },
    handle: list,
  },
  {
    ...{ method: "POST", path: "/people/:person/erase", operation: "erasePerson" },
    summary: "Destroy the keys of a suspended person",
    ...{ ...common, body: EraseBodySchema },
    answers: { 200: NOTHING },
    handle: erase,
  },
  {
    ...{ method: "POST", path: "/people/:person/certify", operation: "certifyErasure" },
    summary: "The signed certificate of an erasure, once every backup of the keys has ended",
    ...{ ...common, body: NOTHING },
    answers: { 200: CertificateSchema },
    handle: certify,
  },
  {
    ...{ method: "GET", path: "/holds", operation: "listHolds", summary: "Legal holds" },
    ...{ ...common, personal: true },
    answers: { 200: pageOf(HoldSchema) },
    handle: async (call) => {
      const items = (await call.store.people.holds()).map(holdView);
      return { status: 200, body: { items } };
    },
  },
  {
    ...{ method: "POST", path: "/holds", operation: "placeHold" },
    summary:
      "Keep a person, or a car within times, from being erased, with a copy for named readers",
    ...{ ...common, body: HoldBodySchema },
    answers: { 201: HoldSchema },
    handle: placeHold,
  },
  {
    ...{ method: "POST", path: "/holds/:hold/release", operation: "releaseHold" },
    summary: "End a hold, and the copy with it",
    ...{ ...common, body: NOTHING },
    answers: { 200: NOTHING },
    handle: async (call) => {
      const { hold = "" } = call.params;
      await call.store.people.releaseHold(hold, audit(call, "hold.release", `hold:${hold}`));
      return { status: 200, body: {} };
    },
  },
];
