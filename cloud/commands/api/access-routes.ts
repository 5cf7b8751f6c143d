/**
 * Support's access to a tenant's data (P-61): a ticket by the tenant's contact, a request by a support person, an
 * approval by a manager, and only then a query, of one car, answered where the data is.
 */
import { randomUUID } from "node:crypto";
import {
  type AccessRequest,
  type AuditEntry,
  ProtocolError,
  REGION_DEFAULT,
  type Ticket,
  vehicleId,
} from "@kerbside/protocol";
import { Type } from "typebox";
import {
  type AccessBody,
  AccessBodySchema,
  AccessSchema,
  accessView,
  TicketBodySchema,
  TicketSchema,
  ticketView,
} from "./people-schemas.ts";
import { type Answer, type Call, limitOf, type Route } from "./route.ts";
import { EventSchema, pageOf } from "./schemas.ts";
import { eventView } from "./views.ts";

const SUBJECT = "vehicle:";
const MINUTE_MS = 60_000;
const NOTHING = Type.Object({}, { additionalProperties: false });

function audit(call: Call, action: string, subject: string, reason?: string): AuditEntry {
  const { caller, from } = call;
  const entry = { actor: caller.subject, action, subject, outcome: "done", from } as const;
  return reason === undefined ? entry : { ...entry, reason };
}

/** Four eyes are people's: a program that holds two tokens is one pair. */
function person({ caller }: Call): string {
  if (caller.role === undefined)
    throw new ProtocolError("forbidden", "access: expected a person's token");
  return caller.subject;
}

async function openTicket(call: Call): Promise<Answer> {
  // By the row's schema.
  const { words } = call.body as { readonly words: string };
  const openedAtMs = call.parts.clock.wallMs();
  const ticket: Ticket = { id: randomUUID(), openedBy: person(call), words, openedAtMs };
  await call.store.access.openTicket(ticket, audit(call, "ticket.open", `ticket:${ticket.id}`));
  return { status: 201, body: ticketView(ticket) };
}

async function closeTicket(call: Call): Promise<Answer> {
  const { ticket = "" } = call.params;
  person(call);
  await call.store.access.closeTicket(ticket, audit(call, "ticket.close", `ticket:${ticket}`));
  return { status: 200, body: {} };
}

async function ask(call: Call): Promise<Answer> {
  // By the row's schema.
  const { ticket, vehicle, reason, minutes } = call.body as AccessBody;
  const request: AccessRequest = {
    ...{ id: randomUUID(), kind: "support", subject: SUBJECT + vehicle, ticket, reason },
    ...{ askedBy: person(call), askedAtMs: call.parts.clock.wallMs() },
    lifeMs: minutes * MINUTE_MS,
    state: { at: "asked" },
  };
  await call.store.access.ask(request, audit(call, "support.request", request.subject, reason));
  return { status: 201, body: accessView(request) };
}

const decide =
  (decision: "approve" | "refuse" | "end") =>
  async (call: Call): Promise<Answer> => {
    const { request: id = "" } = call.params;
    const entry = audit(call, `support.${decision}`, `access:${id}`);
    const decided = await call.store.access.decide(id, person(call), decision, entry);
    return { status: 200, body: accessView(decided) };
  };

/** The use is recorded before anything is read. */
async function query(call: Call): Promise<Answer> {
  const { request: id = "" } = call.params;
  const { access } = call.store;
  const asked = await access.request(id);
  if (asked?.kind !== "support") throw new ProtocolError("not_found", "access: there is none such");
  // The process that has the store is one of the tenant's region: nobody else can open it (P-14).
  const region = (await call.parts.tenant(call.caller.tenant))?.region ?? REGION_DEFAULT;
  const why = `access ${id}, ticket ${asked.ticket}, in region ${region}`;
  const entry = audit(call, "support.query", asked.subject, why);
  const { subject } = await access.use(id, person(call), entry);
  const vehicle = vehicleId(subject.slice(SUBJECT.length));
  const { after } = call.query;
  const limit = limitOf(call.query);
  const page = await call.store.events({
    vehicle,
    limit,
    ...(after === undefined ? {} : { after }),
  });
  const next = page.next === undefined ? {} : { next: page.next };
  return { status: 200, body: { items: page.items.map(eventView), ...next } };
}

export const ACCESS_ROUTES: readonly Route[] = [
  {
    ...{ method: "POST", path: "/tickets", operation: "openTicket", summary: "Ask for help" },
    ...{ scopes: ["support:ticket"], tag: "support", body: TicketBodySchema },
    answers: { 201: TicketSchema },
    handle: openTicket,
  },
  {
    ...{ method: "GET", path: "/tickets", operation: "listTickets", summary: "Tickets" },
    ...{ scopes: ["support:ticket", "support:request", "support:approve"], tag: "support" },
    answers: { 200: pageOf(TicketSchema) },
    handle: async (call) => {
      const items = (await call.store.access.tickets()).map(ticketView);
      return { status: 200, body: { items } };
    },
  },
  {
    ...{ method: "POST", path: "/tickets/:ticket/close", operation: "closeTicket" },
    summary: "Close a ticket, and end what was approved for it",
    ...{ scopes: ["support:ticket"], tag: "support", body: NOTHING },
    answers: { 200: NOTHING },
    handle: closeTicket,
  },
  {
    ...{ method: "POST", path: "/access-requests", operation: "requestAccess" },
    summary: "Ask to see what a car reported, for a ticket",
    ...{ scopes: ["support:request"], tag: "support", body: AccessBodySchema },
    answers: { 201: AccessSchema },
    handle: ask,
  },
  {
    ...{ method: "GET", path: "/access-requests", operation: "listAccess" },
    summary: "Who asked for access, and who agreed, newest first",
    ...{ scopes: ["support:request", "support:approve", "audit:read"], tag: "support" },
    ...{ query: ["limit"] },
    answers: { 200: pageOf(AccessSchema) },
    handle: async (call) => {
      const items = (await call.store.access.requests(limitOf(call.query))).map(accessView);
      return { status: 200, body: { items } };
    },
  },
  ...(["approve", "refuse", "end"] as const).map(
    (decision): Route => ({
      ...{ method: "POST", path: `/access-requests/:request/${decision}` },
      ...{ operation: `${decision}Access`, summary: `${decision} access that another asked for` },
      scopes: decision === "end" ? ["support:approve", "support:request"] : ["support:approve"],
      ...{ tag: "support", body: NOTHING },
      answers: { 200: AccessSchema },
      handle: decide(decision),
    }),
  ),
  {
    ...{ method: "GET", path: "/access-requests/:request/events", operation: "queryAccess" },
    summary: "What the car reported, while access is approved",
    ...{ scopes: ["support:query"], tag: "support", query: ["after", "limit"] },
    answers: { 200: pageOf(EventSchema) },
    handle: query,
  },
];
