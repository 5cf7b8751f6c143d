/**
 * People, as the operator's staff see them and as they see themselves (P-40): staff by role, each read audited; a person
 * what is kept of them, whole, to look at, to take away (GDPR articles 15 and 20) and to change; nobody else anything.
 */
import { randomUUID } from "node:crypto";
import { type AuditEntry, type PersonRecord, ProtocolError } from "@kerbside/protocol";
import { Type } from "typebox";
import {
  type ConsentBody,
  ConsentBodySchema,
  ConsentSchema,
  consentView,
  OwnPersonSchema,
  ownPersonView,
  type PersonBody,
  PersonBodySchema,
  PersonSchema,
  ProfileSchema,
  personView,
  WithdrawSchema,
} from "./people-schemas.ts";
import { type Answer, type Call, limitOf, type Route, timeOf } from "./route.ts";
import { pageOf } from "./schemas.ts";

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const SUBJECT = "person:";
const NOTHING = Type.Object({}, { additionalProperties: false });
const Done = Type.Object({ done: Type.Boolean() }, { additionalProperties: false });

function audit(call: Call, action: string, person: string): AuditEntry {
  const { caller, from } = call;
  const subject = `${SUBJECT}${person}`;
  return { actor: caller.subject, action, subject, outcome: "done", from };
}

function noPerson(): ProtocolError {
  return new ProtocolError("not_found", "person: there is none such");
}

/** Throws ProtocolError `not_found`. */
export async function personParam(call: Call): Promise<PersonRecord> {
  const { person = "" } = call.params;
  const record = ID.test(person) ? await call.store.people.person(person) : undefined;
  if (record === undefined) throw noPerson();
  return record;
}

/** Whoever calls, as a person. Throws ProtocolError `not_found` where it is a program. */
export async function oneself(call: Call): Promise<PersonRecord> {
  const { subject, role } = call.caller;
  const id = role !== undefined && subject.startsWith(SUBJECT) ? subject.slice(SUBJECT.length) : "";
  const record = id === "" ? undefined : await call.store.people.person(id);
  if (record === undefined) throw noPerson();
  return record;
}

async function list(call: Call): Promise<Answer> {
  const limit = limitOf(call.query);
  const found = await call.store.people.people(call.query.after ?? "", limit);
  const next = found.length === limit ? found.at(-1)?.person : undefined;
  const items = found.map(personView);
  return { status: 200, body: { items, ...(next === undefined ? {} : { next }) } };
}

function timesOf({ usedAt, paidAt }: PersonBody): Pick<PersonRecord, "usedAtMs" | "paidAtMs"> {
  return {
    ...(usedAt === undefined ? {} : { usedAtMs: timeOf("usedAt", usedAt) }),
    ...(paidAt === undefined ? {} : { paidAtMs: timeOf("paidAt", paidAt) }),
  };
}

async function create(call: Call): Promise<Answer> {
  // By the row's schema.
  const body = call.body as PersonBody;
  const person = randomUUID();
  const createdAtMs = call.parts.clock.wallMs();
  const { profile } = body;
  const record = { person, state: "active", profile, createdAtMs, ...timesOf(body) } as const;
  await call.store.people.putPerson(record, audit(call, "person.create", person));
  const location = `/v1/tenants/${call.caller.tenant}/people/${person}`;
  return { status: 201, body: personView(record), location };
}

async function change(call: Call): Promise<Answer> {
  const before = await personParam(call);
  // By the row's schema.
  const body = call.body as PersonBody;
  const { paymentToken } = before.profile;
  const kept = paymentToken === undefined ? {} : { paymentToken };
  const record = { ...before, profile: { ...body.profile, ...kept }, ...timesOf(body) };
  await call.store.people.putPerson(record, audit(call, "person.change", before.person));
  return { status: 200, body: personView(record) };
}

async function suspend(call: Call): Promise<Answer> {
  const before = await personParam(call);
  const suspendedAtMs = before.suspendedAtMs ?? call.parts.clock.wallMs();
  const record = { ...before, state: "suspended", suspendedAtMs } as const;
  await call.store.people.putPerson(record, audit(call, "person.suspend", before.person));
  return { status: 200, body: personView(record) };
}

async function changeOwn(call: Call): Promise<Answer> {
  const before = await oneself(call);
  // By the row's schema.
  const profile = call.body as PersonRecord["profile"];
  const record = { ...before, profile: { ...before.profile, ...profile } };
  await call.store.people.putPerson(record, audit(call, "person.change", before.person));
  return { status: 200, body: ownPersonView(record) };
}

async function giveConsent(call: Call, { person }: PersonRecord): Promise<Answer> {
  // By the row's schema.
  const { purpose, version } = call.body as ConsentBody;
  const consent = { purpose, version, givenAtMs: call.parts.clock.wallMs() };
  await call.store.people.giveConsent(person, consent, audit(call, "consent.give", person));
  return { status: 201, body: consentView(consent) };
}

async function withdraw(call: Call): Promise<Answer> {
  const { person } = await oneself(call);
  // By the row's schema.
  const { purpose } = call.body as ConsentBody;
  const entry = audit(call, "consent.withdraw", person);
  return {
    status: 200,
    body: { done: await call.store.people.withdrawConsent(person, purpose, entry) },
  };
}

const STAFF_ROUTES: readonly Route[] = [
  {
    ...{ method: "GET", path: "/people", operation: "listPeople", summary: "People, by id" },
    ...{ scopes: ["people:read"], tag: "people", query: ["after", "limit"], personal: true },
    answers: { 200: pageOf(PersonSchema) },
    handle: list,
  },
  {
    ...{ method: "POST", path: "/people", operation: "createPerson", summary: "Make a person" },
    ...{ scopes: ["people:write"], tag: "people", body: PersonBodySchema },
    answers: { 201: PersonSchema },
    handle: create,
  },
  {
    ...{ method: "GET", path: "/people/:person", operation: "getPerson", summary: "A person" },
    ...{ scopes: ["people:read"], tag: "people", personal: true },
    answers: { 200: PersonSchema },
    handle: async (call) => ({ status: 200, body: personView(await personParam(call)) }),
  },
  {
    ...{ method: "PUT", path: "/people/:person", operation: "changePerson" },
    summary: "Change what is known of a person",
    ...{ scopes: ["people:write"], tag: "people", body: PersonBodySchema },
    answers: { 200: PersonSchema },
    handle: change,
  },
  {
    ...{ method: "POST", path: "/people/:person/suspend", operation: "suspendPerson" },
    summary: "Suspend a person, for good: the first stage of erasure",
    ...{ scopes: ["people:erase"], tag: "people", body: NOTHING },
    answers: { 200: PersonSchema },
    handle: suspend,
  },
  {
    ...{ method: "GET", path: "/people/:person/consents", operation: "listConsents" },
    summary: "What a person agreed to, and when",
    ...{ scopes: ["people:read"], tag: "people", personal: true },
    answers: { 200: pageOf(ConsentSchema) },
    handle: async (call) => {
      const { person } = await personParam(call);
      const items = (await call.store.people.consents(person)).map(consentView);
      return { status: 200, body: { items } };
    },
  },
  {
    ...{ method: "POST", path: "/people/:person/consents", operation: "recordConsent" },
    summary: "Record that a person agreed",
    ...{ scopes: ["people:write"], tag: "people", body: ConsentBodySchema },
    answers: { 201: ConsentSchema },
    handle: async (call) => giveConsent(call, await personParam(call)),
  },
];

const OWN_ROUTES: readonly Route[] = [
  {
    ...{ method: "GET", path: "/me", operation: "getMe", summary: "What is kept of me" },
    ...{ scopes: ["self"], tag: "people" },
    answers: { 200: OwnPersonSchema },
    handle: async (call) => ({ status: 200, body: ownPersonView(await oneself(call)) }),
  },
  {
    ...{ method: "PATCH", path: "/me", operation: "changeMe", summary: "Correct it" },
    ...{ scopes: ["self"], tag: "people", body: ProfileSchema },
    answers: { 200: OwnPersonSchema },
    handle: changeOwn,
  },
  {
    ...{ method: "POST", path: "/me/consents", operation: "giveConsent", summary: "Agree" },
    ...{ scopes: ["self"], tag: "people", body: ConsentBodySchema },
    answers: { 201: ConsentSchema },
    handle: async (call) => giveConsent(call, await oneself(call)),
  },
  {
    ...{ method: "POST", path: "/me/consents/withdraw", operation: "withdrawConsent" },
    summary: "Withdraw what I agreed to",
    ...{ scopes: ["self"], tag: "people", body: WithdrawSchema },
    answers: { 200: Done },
    handle: withdraw,
  },
];

export const PEOPLE_ROUTES: readonly Route[] = [...STAFF_ROUTES, ...OWN_ROUTES];
