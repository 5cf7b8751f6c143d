/**
 * A person's own data, by themselves (GDPR articles 15 and 20, EU Data Act articles 3 to 5): all that is kept of them, as
 * JSON or as a page to read, what the cars reported during their bookings, and whom they share a car with (P-40). Each
 * is recorded.
 */
import {
  type AuditEntry,
  type BookingRecord,
  type PersonRecord,
  ProtocolError,
} from "@kerbside/protocol";
import { Type } from "typebox";
import { readablePage } from "./own-data-page.ts";
import { oneself } from "./people-routes.ts";
import {
  ConsentSchema,
  consentView,
  credentialView,
  OwnPersonSchema,
  ownPersonView,
} from "./people-schemas.ts";
import { type Answer, type Call, limitOf, type Route } from "./route.ts";
import { BookingSchema, EventSchema, pageOf } from "./schemas.ts";
import { bookingView, eventView, iso } from "./views.ts";

const strict = { additionalProperties: false } as const;
const ExportSchema = Type.Object(
  {
    person: OwnPersonSchema,
    consents: Type.Array(ConsentSchema),
    credentials: Type.Array(Type.Unknown()),
    bookings: Type.Array(Type.Unknown(), {
      description: "what the cars reported during one is under /me/bookings/ID/events",
    }),
    cars: Type.Array(Type.String(), { description: "those that are mine" }),
    files: Type.Array(Type.Unknown(), { description: "to be had under /me/files" }),
  },
  strict,
);
const ContactSchema = Type.Object(
  {
    role: Type.Unsafe<string>({ type: "string", enum: ["owner", "borrower"] }),
    phone: Type.Optional(Type.String()),
    email: Type.Optional(Type.String()),
  },
  { ...strict, description: "of the other one, and nothing else of them" },
);

function audit(call: Call, action: string, subject: string): AuditEntry {
  const { caller, from } = call;
  return { actor: caller.subject, action, subject, outcome: "done", from };
}

async function bookingsOf(call: Call, person: string): Promise<readonly BookingRecord[]> {
  const ids = await call.store.people.bookingsOf(person);
  const found = await Promise.all(ids.map((id) => call.store.booking(id)));
  return found
    .filter((booking) => booking !== undefined)
    .sort((a, b) => b.fromMs - a.fromMs || (a.booking < b.booking ? -1 : 1));
}

async function all(call: Call, record: PersonRecord) {
  const { people, privacy, files } = call.store;
  const { person } = record;
  return {
    person: ownPersonView(record),
    consents: (await people.consents(person)).map(consentView),
    credentials: (await people.credentials(person)).map(credentialView),
    bookings: (await bookingsOf(call, person)).map((record) => bookingView(record)),
    cars: await privacy.carsOf(person),
    files: (await files.files(`person:${person}`)).map(
      ({ file, kind, type, bytes, addedAtMs }) => ({
        ...{ file, kind, type, bytes },
        addedAt: iso(addedAtMs),
      }),
    ),
  };
}

/** JSON for a program, or a page for a person who asks for `text/html`. */
async function takeAway(call: Call): Promise<Answer> {
  const record = await oneself(call);
  await call.store.audit(audit(call, "export.me", `person:${record.person}`));
  const body = await all(call, record);
  if (!/\btext\/html\b/.test(call.accepts)) return { status: 200, body };
  call.reply
    .header(
      "content-security-policy",
      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox",
    )
    .header("content-disposition", 'attachment; filename="my-data.html"')
    .type("text/html; charset=utf-8")
    .serializer((page: string) => page)
    .send(readablePage(body));
  return "taken";
}

/** A booking of whoever calls. Throws ProtocolError `not_found`, also where it is somebody else's. */
async function ownBooking(call: Call): Promise<BookingRecord> {
  const { person } = await oneself(call);
  const { booking: id = "" } = call.params;
  const mine = (await call.store.people.bookingsOf(person)).includes(id);
  const booking = mine ? await call.store.booking(id) : undefined;
  if (booking === undefined || booking.holder !== person) throw noBooking();
  return booking;
}

function noBooking(): ProtocolError {
  return new ProtocolError("not_found", "booking: there is none such");
}

async function ownBookings(call: Call): Promise<Answer> {
  const { person } = await oneself(call);
  const own = (await bookingsOf(call, person)).slice(0, limitOf(call.query));
  const items = own.map((record) => bookingView(record));
  return { status: 200, body: { items } };
}

/**
 * When the car became theirs: not before whoever had it until then had given it back, and not at all while they still
 * have it. Of bookings that overlap, the one that began first comes first.
 */
async function heldFrom(call: Call, mine: BookingRecord): Promise<number> {
  const before = (await call.store.bookings(mine.vehicle)).filter(
    ({ booking, holder, fromMs, state }) =>
      holder !== mine.holder &&
      (state === "open" || state === "ended") &&
      (fromMs < mine.fromMs || (fromMs === mine.fromMs && booking < mine.booking)),
  );
  const ends = before.map(({ state, toMs }) => (state === "open" ? Number.MAX_SAFE_INTEGER : toMs));
  return Math.max(mine.fromMs, ...ends);
}

/** Only of the time in which the car was theirs: what it reports before and after is of others. */
async function ownEvents(call: Call): Promise<Answer> {
  const mine = await ownBooking(call);
  const { booking, vehicle, toMs, state } = mine;
  const fromMs = await heldFrom(call, mine);
  const untilMs = state === "open" ? call.parts.clock.wallMs() : toMs;
  if (state === "reserved" || state === "cancelled" || fromMs > untilMs)
    return { status: 200, body: { items: [] } };
  await call.store.audit(audit(call, "export.events", `booking:${booking}`));
  const { after } = call.query;
  const { items, next } = await call.store.events({
    vehicle,
    fromMs,
    // One that is open has no end yet.
    toMs: untilMs,
    limit: limitOf(call.query),
    ...(after === undefined ? {} : { after }),
  });
  const seen = items.filter((item) => !("gap" in item)).map(eventView);
  return { status: 200, body: { items: seen, ...(next === undefined ? {} : { next }) } };
}

/** P-40: while the booking lasts, owner and borrower of a car see each other's phone and e-mail; nobody else, and not after. */
async function contact(call: Call): Promise<Answer> {
  const { person } = await oneself(call);
  const { booking: id = "" } = call.params;
  const booking = await call.store.booking(id);
  if (booking === undefined) throw noBooking();
  const owner = await call.store.privacy.ownerOf(booking.vehicle);
  const { holder, state, fromMs, toMs } = booking;
  const nowMs = call.parts.clock.wallMs();
  const lasts = state === "open" || (state === "reserved" && nowMs >= fromMs && nowMs <= toMs);
  const [other, role] = person === holder ? [owner, "owner"] : [holder, "borrower"];
  const mayAsk = person === holder || person === owner;
  if (!mayAsk || !lasts || other === undefined || owner === holder) throw noBooking();
  const record = await call.store.people.person(other);
  if (record?.state !== "active") throw noBooking();
  await call.store.audit({
    ...audit(call, "read.contact", `person:${other}`),
    reason: `booking ${id}`,
  });
  const { phone, email } = record.profile;
  const shown = {
    ...(phone === undefined ? {} : { phone }),
    ...(email === undefined ? {} : { email }),
  };
  return { status: 200, body: { role, ...shown } };
}

export const OWN_DATA_ROUTES: readonly Route[] = [
  {
    ...{ method: "GET", path: "/me/export", operation: "exportMe" },
    summary: "All that is kept of me, to take away: JSON, or a page where text/html is accepted",
    ...{ scopes: ["self"], tag: "people" },
    answers: { 200: ExportSchema },
    handle: takeAway,
  },
  {
    ...{ method: "GET", path: "/me/bookings", operation: "listMyBookings" },
    ...{ summary: "My bookings, newest first", scopes: ["self"], tag: "people" },
    ...{ query: ["limit"], answers: { 200: pageOf(BookingSchema) } },
    handle: ownBookings,
  },
  {
    ...{ method: "GET", path: "/me/bookings/:booking/events", operation: "listMyEvents" },
    ...{ summary: "What the car reported while it was mine", scopes: ["self"], tag: "people" },
    ...{ query: ["after", "limit"], answers: { 200: pageOf(EventSchema) } },
    handle: ownEvents,
  },
  {
    ...{ method: "GET", path: "/me/bookings/:booking/contact", operation: "getContact" },
    summary: "How to reach the car's owner, or its borrower, while the booking lasts",
    ...{ scopes: ["self"], tag: "people", answers: { 200: ContactSchema } },
    handle: contact,
  },
];
