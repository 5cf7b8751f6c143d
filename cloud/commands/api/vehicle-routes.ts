/** The cars, their latest state, and their events. */
import { type EventKind, isEventKind, ProtocolError } from "@kerbside/protocol";
import { type Answer, type Call, limitOf, type Route, timeOf, vehicleParam } from "./route.ts";
import { EventSchema, pageOf, VehicleSchema } from "./schemas.ts";
import { eventView, type VehicleView, vehicleView } from "./views.ts";

async function show(call: Call, record: Parameters<typeof vehicleView>[0]): Promise<VehicleView> {
  const { store, parts, caller } = call;
  const session = await store.session(record.vehicle);
  const connected = parts.connected?.({ tenant: caller.tenant, vehicle: record.vehicle });
  return vehicleView(record, session, connected);
}

async function listVehicles(call: Call): Promise<Answer> {
  const { after } = call.query;
  const limit = limitOf(call.query);
  const all = [...(await call.store.vehicles())].sort((a, b) => (a.vehicle < b.vehicle ? -1 : 1));
  const rest = all.filter((record) => after === undefined || record.vehicle > after);
  const page = rest.slice(0, limit);
  const items = await Promise.all(page.map((record) => show(call, record)));
  const last = page.at(-1);
  const more = rest.length > page.length && last !== undefined;
  return { status: 200, body: { items, ...(more ? { next: last.vehicle } : {}) } };
}

async function showVehicle(call: Call): Promise<Answer> {
  const record = await call.store.vehicle(vehicleParam(call));
  if (record === undefined) throw new ProtocolError("not_found", "vehicle: there is none such");
  return { status: 200, body: await show(call, record) };
}

async function showLatest(call: Call): Promise<Answer> {
  const vehicle = vehicleParam(call);
  if ((await call.store.vehicle(vehicle)) === undefined) {
    throw new ProtocolError("not_found", "vehicle: there is none such");
  }
  return { status: 200, body: { items: (await call.store.latest(vehicle)).map(eventView) } };
}

async function listEvents(call: Call): Promise<Answer> {
  const { vehicle, kind, after, from, to } = call.query;
  const { items, next } = await call.store.events({
    ...(vehicle === undefined ? {} : { vehicle: vehicleParam({ ...call, params: { vehicle } }) }),
    ...(kind === undefined ? {} : { kinds: kindsOf(kind) }),
    ...(from === undefined ? {} : { fromMs: timeOf("from", from) }),
    ...(to === undefined ? {} : { toMs: timeOf("to", to) }),
    ...(after === undefined ? {} : { after }),
    limit: limitOf(call.query),
  });
  const body = { items: items.map(eventView), ...(next === undefined ? {} : { next }) };
  return { status: 200, body };
}

/** Throws ProtocolError `malformed`. */
function kindsOf(text: string): readonly EventKind[] {
  return text.split(",").map((name) => {
    if (!isEventKind(name)) throw new ProtocolError("malformed", "kind: there is none such");
    return name;
  });
}

export const VEHICLE_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/vehicles",
    operation: "listVehicles",
    summary: "The cars, by id",
    scopes: ["vehicles:read"],
    tag: "vehicles",
    query: ["after", "limit"],
    answers: { 200: pageOf(VehicleSchema) },
    handle: listVehicles,
  },
  {
    method: "GET",
    path: "/vehicles/:vehicle",
    operation: "getVehicle",
    summary: "One car",
    scopes: ["vehicles:read"],
    tag: "vehicles",
    answers: { 200: VehicleSchema },
    handle: showVehicle,
  },
  {
    method: "GET",
    path: "/vehicles/:vehicle/latest",
    operation: "getLatest",
    summary: "The newest event of each kind of a car: its state as far as it is known",
    scopes: ["events:read"],
    tag: "events",
    personal: true,
    answers: { 200: pageOf(EventSchema) },
    handle: showLatest,
  },
  {
    method: "GET",
    path: "/events",
    operation: "listEvents",
    summary: "Stored events and declared gaps, by vehicle, start of log, lane, number",
    scopes: ["events:read"],
    tag: "events",
    query: ["vehicle", "kind", "from", "to", "after", "limit"],
    personal: true,
    answers: { 200: pageOf(EventSchema) },
    handle: listEvents,
  },
];
