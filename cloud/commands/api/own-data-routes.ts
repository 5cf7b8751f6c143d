/**
 * A person's own data, by themselves (GDPR articles 15 and 20, EU Data Act articles 3 to 5): all that is kept of them, as
 * JSON or as a page to read, what the cars reported during their bookings, and whom they share a car with (P-40). Each
 * is recorded.
 */
import { setImmediate as turn } from "node:timers/promises";
import {
  type AuditEntry,
  type BookingRecord,
  type PersonRecord,
  ProtocolError,
  RENTAL_OPENERS,
} from "@kerbside/protocol";
import { Type } from "typebox";
import { rentalsOf } from "../rentals.ts";
import { readablePage } from "./own-data-page.ts";
import { type OwnRental, ownTime } from "./own-rentals.ts";
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
import { TripSchema, tripView } from "./trip-routes.ts";
import { bookingView, eventView, iso } from "./views.ts";

const strict = { additionalProperties: false } as const;
/** Of one booking. */
const TRIPS_MAX = 1000;
const when = (description: string) => Type.Optional(Type.String({ description }));
const RentalSchema = Type.Object(
  {
    booking: Type.String({ description: "the booking" }),
    vehicle: Type.String({ description: "the car" }),
    by: Type.Optional(
      Type.Unsafe<string>({ type: "string", enum: RENTAL_OPENERS, description: "what opened it" }),
    ),
    startedAt: when("when it began"),
    endedAt: when("when it ended"),
  },
  { ...strict, description: "what is not there the car has not said" },
);
const ExportSchema = Type.Object(
  {
    person: OwnPersonSchema,
    consents: Type.Array(ConsentSchema),
    credentials: Type.Array(Type.Unknown()),
    bookings: Type.Array(Type.Unknown(), {
      description: "what the cars reported during one is under /me/bookings/ID/events",
    }),
    rentals: Type.Array(RentalSchema, { description: "of those, by the cars' own word" }),
    trips: Type.Array(TripSchema, { description: "of those, while the car was mine" }),
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

/** What the cars told of a person's rentals, and of their trips: one booking after the other, so that others get their turn. */
async function driven(call: Call, bookings: readonly BookingRecord[]) {
  const rentals: object[] = [];
  const trips: object[] = [];
  for (const record of bookings) {
    await turn();
    const { booking, vehicle } = record;
    const time = await ownTime(call.store, record, call.parts.clock.wallMs());
    if (time === undefined) continue;
    const { fromMs, toMs, rental } = time;
    if (rental !== undefined) rentals.push({ booking, vehicle, ...rentalView(rental) });
    const told = await call.store.trips({ vehicle, fromMs, toMs, limit: TRIPS_MAX });
    const own = told.items.filter(({ startedAtMs = fromMs }) => startedAtMs >= fromMs);
    trips.push(...own.map(tripView));
  }
  return { rentals, trips };
}

function rentalView({ by, startedAtMs, endedAtMs }: OwnRental): object {
  return {
    ...(by === undefined ? {} : { by }),
    ...(startedAtMs === undefined ? {} : { startedAt: iso(startedAtMs) }),
    ...(endedAtMs === undefined ? {} : { endedAt: iso(endedAtMs) }),
  };
}

async function all(call: Call, record: PersonRecord) {
  const { people, privacy, files } = call.store;
  const { person } = record;
  const bookings = await bookingsOf(call, person);
  return {
    person: ownPersonView(record),
    consents: (await people.consents(person)).map(consentView),
    credentials: (await people.credentials(person)).map(credentialView),
    bookings: bookings.map((record) => bookingView(record)),
    ...(await driven(call, bookings)),
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
  const rentals = await rentalsOf(call.store, own);
  const items = own.map((record) => bookingView(record, rentals.get(record.booking)));
  return { status: 200, body: { items } };
}

/** Only of the time in which the car was theirs: what it reports before and after is of others. */
async function ownEvents(call: Call): Promise<Answer> {
  const mine = await ownBooking(call);
  const { booking, vehicle } = mine;
  const time = await ownTime(call.store, mine, call.parts.clock.wallMs());
  if (time === undefined) return { status: 200, body: { items: [] } };
  await call.store.audit(audit(call, "export.events", `booking:${booking}`));
  const { after } = call.query;
  const { items, next } = await call.store.events({
    vehicle,
    fromMs: time.fromMs,
    toMs: time.toMs,
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
    ...{ scopes: ["self"], tag: "me" },
    answers: { 200: ExportSchema },
    handle: takeAway,
  },
  {
    ...{ method: "GET", path: "/me/bookings", operation: "listMyBookings" },
    ...{ summary: "My bookings, newest first", scopes: ["self"], tag: "me" },
    ...{ query: ["limit"], answers: { 200: pageOf(BookingSchema) } },
    handle: ownBookings,
  },
  {
    ...{ method: "GET", path: "/me/bookings/:booking/events", operation: "listMyEvents" },
    ...{ summary: "What the car reported while it was mine", scopes: ["self"], tag: "me" },
    ...{ query: ["after", "limit"], answers: { 200: pageOf(EventSchema) } },
    handle: ownEvents,
  },
  {
    ...{ method: "GET", path: "/me/bookings/:booking/contact", operation: "getContact" },
    summary: "How to reach the car's owner, or its borrower, while the booking lasts",
    ...{ scopes: ["self"], tag: "me", answers: { 200: ContactSchema } },
    handle: contact,
  },
];
