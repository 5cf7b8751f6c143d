/** Bookings: made, seen, ended, cancelled by the operator's backend. */
import {
  type BookingRecord,
  ID_PATTERN,
  ProtocolError,
  type VehicleId,
  vehicleId,
} from "@kerbside/protocol";
import { type BookingRental, rentalsOf } from "../rentals.ts";
import { type Answer, type Call, limitOf, type Route, timeOf } from "./route.ts";
import {
  type BookingBody,
  BookingBodySchema,
  type BookingChange,
  BookingChangeSchema,
  BookingSchema,
  pageOf,
  RevealBodySchema,
  RevealedSchema,
} from "./schemas.ts";
import { type BookingView, bookingView } from "./views.ts";

function bookingParam(call: Call): string {
  const booking = call.params["booking"] ?? "";
  if (!ID_PATTERN.test(booking)) {
    throw new ProtocolError("not_found", "booking: there is none such");
  }
  return booking;
}

/** P-40: a program of the operator's has made the booking and knows its holder; people who look at it do not need to. */
function masked({ caller }: Call, record: BookingRecord, rental?: BookingRental): BookingView {
  const view = bookingView(record, rental);
  const { holder: _holder, ...others } = view;
  return caller.role === undefined ? view : others;
}

async function shown(call: Call, record: BookingRecord): Promise<BookingView> {
  return masked(call, record, (await rentalsOf(call.store, [record])).get(record.booking));
}

const at = (call: Call, booking: string): string =>
  `/v1/tenants/${call.caller.tenant}/bookings/${booking}`;

async function create(call: Call): Promise<Answer> {
  // By the row's schema.
  const body = call.body as BookingBody;
  const { record, created } = await call.parts.bookings.create(call.caller, {
    vehicle: vehicleId(body.vehicle),
    holder: body.holder,
    fromMs: timeOf("from", body.from),
    toMs: timeOf("to", body.to),
    idempotencyKey: call.idempotencyKey,
    from: call.from,
  });
  const location = at(call, record.booking);
  return { status: created ? 201 : 200, body: await shown(call, record), location };
}

/** Newest first by start; the id decides between equals, so that pages never overlap. */
function newestFirst(a: BookingRecord, b: BookingRecord): number {
  return b.fromMs - a.fromMs || (a.booking < b.booking ? -1 : 1);
}

async function list(call: Call): Promise<Answer> {
  const { vehicle, after } = call.query;
  const limit = limitOf(call.query);
  const only: VehicleId | undefined = vehicle === undefined ? undefined : vehicleId(vehicle);
  const all = [...(await call.store.bookings(only))].sort(newestFirst);
  const from = after === undefined ? 0 : all.findIndex((b) => b.booking === after) + 1;
  if (after !== undefined && from === 0) {
    throw new ProtocolError("malformed", "after: expected `next` of the page before");
  }
  const page = all.slice(from, from + limit);
  const next = from + limit < all.length ? page.at(-1)?.booking : undefined;
  const rentals = await rentalsOf(call.store, page);
  const items = page.map((record) => masked(call, record, rentals.get(record.booking)));
  return { status: 200, body: { items, ...(next === undefined ? {} : { next }) } };
}

async function show(call: Call): Promise<Answer> {
  const record = await call.store.booking(bookingParam(call));
  if (record === undefined) throw new ProtocolError("not_found", "booking: there is none such");
  return { status: 200, body: await shown(call, record) };
}

async function reschedule(call: Call): Promise<Answer> {
  // By the row's schema.
  const { to } = call.body as BookingChange;
  const toMs = timeOf("to", to);
  const booking = bookingParam(call);
  const record = await call.parts.bookings.reschedule(call.caller, booking, toMs, call.from);
  return { status: 200, body: await shown(call, record) };
}

async function end(call: Call): Promise<Answer> {
  const record = await call.parts.bookings.end(call.caller, bookingParam(call), call.from);
  return { status: 200, body: await shown(call, record) };
}

async function cancel(call: Call): Promise<Answer> {
  const record = await call.parts.bookings.cancel(call.caller, bookingParam(call), call.from);
  return { status: 200, body: await shown(call, record) };
}

const REVEALED = ["name", "phone", "email"] as const;

/** Recorded with its reason before it is answered. Of a person no more than it takes to reach them. */
async function reveal(call: Call): Promise<Answer> {
  const booking = bookingParam(call);
  const record = await call.store.booking(booking);
  if (record === undefined) throw new ProtocolError("not_found", "booking: there is none such");
  // By the row's schema.
  const { reason } = call.body as { readonly reason: string };
  const { caller, from } = call;
  const { holder } = record;
  const entry = { actor: caller.subject, action: "booking.reveal", outcome: "done" } as const;
  await call.store.audit({ ...entry, subject: `booking:${booking}`, reason, from });
  const profile = (await call.store.people.person(holder))?.profile ?? {};
  const contact = Object.fromEntries(
    REVEALED.flatMap((name) => (profile[name] === undefined ? [] : [[name, profile[name]]])),
  );
  return { status: 200, body: { booking, holder, ...contact } };
}

const common = { tag: "bookings", personal: true } as const;
export const BOOKING_ROUTES: readonly Route[] = [
  {
    ...common,
    method: "POST",
    path: "/bookings",
    operation: "createBooking",
    summary: "Book a car",
    scopes: ["bookings:write"],
    body: BookingBodySchema,
    once: true,
    answers: { 200: BookingSchema, 201: BookingSchema },
    handle: create,
  },
  {
    ...common,
    method: "GET",
    path: "/bookings",
    operation: "listBookings",
    summary: "Bookings, newest first",
    scopes: ["bookings:read"],
    query: ["vehicle", "after", "limit"],
    answers: { 200: pageOf(BookingSchema) },
    handle: list,
  },
  {
    ...common,
    method: "GET",
    path: "/bookings/:booking",
    operation: "getBooking",
    summary: "One booking",
    scopes: ["bookings:read"],
    answers: { 200: BookingSchema },
    handle: show,
  },
  {
    method: "POST",
    path: "/bookings/:booking/reveal",
    operation: "revealHolder",
    summary: "Who holds a booking and how to reach them; the reason is recorded",
    scopes: ["people:read"],
    tag: "bookings",
    body: RevealBodySchema,
    answers: { 200: RevealedSchema },
    handle: reveal,
  },
  {
    ...common,
    method: "PATCH",
    path: "/bookings/:booking",
    operation: "rescheduleBooking",
    summary: "Let a booking end later or earlier; rights of cards and phones follow",
    scopes: ["bookings:write"],
    body: BookingChangeSchema,
    answers: { 200: BookingSchema },
    handle: reschedule,
  },
  {
    ...common,
    method: "POST",
    path: "/bookings/:booking/end",
    operation: "endBooking",
    summary: "End a booking now; its car can be locked for 15 more minutes",
    scopes: ["bookings:write"],
    answers: { 200: BookingSchema },
    handle: end,
  },
  {
    ...common,
    method: "POST",
    path: "/bookings/:booking/cancel",
    operation: "cancelBooking",
    summary: "Cancel a booking that was not opened, by a command or at the car",
    scopes: ["bookings:write"],
    answers: { 200: BookingSchema },
    handle: cancel,
  },
];
